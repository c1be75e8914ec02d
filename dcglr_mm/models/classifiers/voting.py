"""Several looks at one cloud, each scaled anew, for one decision."""
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

_AVERAGES = ('logits', 'probabilities')


class Voting:
    """Mean outcome over random per-axis scalings of a cloud (test-time augmentation).

    The first vote is the cloud as it is, as in RS-CNN's ``voting_evaluate_cls.py``; each other one
    is scaled by factors of its own. RS-CNN averages probabilities of 10 votes, POS-BERT's
    ``main_cls.py`` logits of 10. What those scripts do besides is left out: the votes here share
    one sample of points, and nothing is repeated to report the best of many repetitions on the test
    split.

    The scalings of a cloud depend on the seed and its number in the data set alone, not on the
    batch, the order or the number of ranks.

    Args:
        num (int): Votes, the unscaled one included.
        scale (sequence): Range of the uniform factors, (2/3, 3/2) in both codes.
        average (str): ``'logits'`` or ``'probabilities'``.
        seed (int): Seed of the scalings.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(self, num: int = 10, scale: Sequence[float] = (2 / 3, 3 / 2),
                 average: str = 'logits', seed: int = 0) -> None:
        if num < 2:
            raise ValueError(f'voting: num must be at least 2, got {num}')
        if len(scale) != 2 or not 0 < scale[0] <= scale[1]:
            raise ValueError(f'voting: scale must be a pair 0 < low <= high, got {tuple(scale)}')
        if average not in _AVERAGES:
            raise ValueError(f'voting: average must be one of {_AVERAGES}, got {average!r}')
        self.num = num
        self.scale = tuple(scale)
        self.average = average
        self.seed = seed

    def factors(self, sample_idx: int) -> np.ndarray:
        """Return the factors (num, 3) of a cloud's votes; the first row is ones."""
        factors = np.random.default_rng([self.seed, sample_idx]).uniform(
            *self.scale, size=(self.num, 3))
        factors[0] = 1
        return factors

    def __call__(self, classify: Callable[[Tensor], Tensor], points: Tensor, sample_idx: Tensor,
                 first: Tensor) -> Tensor:
        """Return the mean logits, or probabilities, (B, K).

        Args:
            classify: Maps clouds (B, N, C) to logits (B, K).
            points: The clouds; channels after xyz are carried along unchanged.
            sample_idx: Their numbers in the data set, (B,).
            first: Logits of the unscaled clouds, (B, K).
        """
        factors = np.stack([self.factors(int(index)) for index in sample_idx])  # (B, num, 3)
        factors = torch.as_tensor(factors, dtype=points.dtype, device=points.device)
        total = self._vote(first)
        for i in range(1, self.num):
            xyz = points[..., :3] * factors[:, None, i]  # (B, N, 3)
            total = total + self._vote(classify(torch.cat((xyz, points[..., 3:]), dim=-1)))
        return total / self.num

    def _vote(self, logits: Tensor) -> Tensor:
        logits = logits.float()
        return logits.softmax(dim=1) if self.average == 'probabilities' else logits
