"""Centre of the teacher's outputs."""
import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn


class Center(nn.Module):
    """Exponential moving average of the mean teacher output, Eq. 9.

    The batch of Eq. 9 is everything that goes into one optimiser step: all global views, all ranks
    and all accumulated mini-batches. So :meth:`observe` only adds up what a forward pass saw and
    :meth:`update` moves the centre once, when the step was taken. The result does not depend on how
    the batch was divided.

    Args:
        num_channels (int): K, the width of the teacher's output.
        rate (float): q of Eq. 9, the share of the old centre that is kept. Defaults to 0.9, of
            POS-BERT's released code and DINO.

    Raises:
        ValueError: If ``rate`` is outside [0, 1].
    """

    def __init__(self, num_channels: int, rate: float = 0.9) -> None:
        super().__init__()
        if not 0 <= rate <= 1:
            raise ValueError(f'the centre rate q must be in [0, 1], got {rate}')
        self.rate = rate
        self.register_buffer('value', torch.zeros(num_channels))
        # Sum over the outputs seen since the last update, and in the last place their number.
        self.register_buffer('_pending', torch.zeros(num_channels + 1), persistent=False)

    @torch.no_grad()
    def observe(self, teacher_logits: Tensor) -> None:
        """Add the outputs ``(..., K)`` of one forward pass to the current batch."""
        outputs = teacher_logits.detach().flatten(0, -2).to(self.value.dtype)
        self._pending[:-1] += outputs.sum(0)
        self._pending[-1] += outputs.shape[0]

    @torch.no_grad()
    def update(self) -> None:
        """Move the centre to the mean of what all ranks observed; every rank must call this."""
        total = self._pending.clone()
        all_reduce(total, op='sum')
        self.discard()
        # A batch in which nothing was observed leaves the centre as it is; the clamp and the
        # product keep this free of a device synchronisation.
        count = total[-1]
        batch_mean = total[:-1] / count.clamp(min=1)
        weight = (1 - self.rate) * (count > 0).to(self.value.dtype)
        self.value.lerp_(batch_mean, weight)

    def discard(self) -> None:
        """Forget what was observed since the last update."""
        self._pending.zero_()
