"""Global features of every cloud of a data set, in the data set's order."""
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather, get_dist_info
from mmengine.utils import ProgressBar
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from .collective import gather_or_raise
from .state import buffers_of_rank_zero, preserved_modes, preserved_rng, unwrap

UNLABELLED = -1

PointsTransform = Callable[[Tensor, int], Tensor]


class CloudReader(Dataset):
    """Reduce the items of any point-cloud data set to ``(points, label, index)``.

    Args:
        dataset (Dataset): Its items are ``dict(inputs=dict(points=...), data_samples=...)`` (what
            ``PackInputs`` gives), ``dict(points=..., gt_label=...)`` or ``(points, label)``.
        transform (callable, optional): ``transform(points (N, C), index) -> points``.
    """

    def __init__(self, dataset: Sequence, transform: PointsTransform | None = None) -> None:
        self.dataset = dataset
        self.transform = transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        points, label = _points_and_label(self.dataset[index], index)
        if self.transform is not None:
            points = self.transform(points, index)
        return points, label, index


def _points_and_label(item: Any, index: int) -> tuple[Tensor, int]:
    if isinstance(item, Mapping):
        inputs = item.get('inputs', item)
        samples = item.get('data_samples', item)
        points = inputs.get('points') if isinstance(inputs, Mapping) else inputs
        label = samples.get('gt_label') if isinstance(samples, Mapping) else samples
        if points is None:
            raise ValueError(
                f"item {index} of the data set has no 'points', only {sorted(inputs)}: features "
                'are extracted from whole clouds, so give a data set whose pipeline makes no '
                'views (the test pipeline)')
    else:
        points, label = item[0], item[1] if len(item) > 1 else None
    points = torch.as_tensor(points, dtype=torch.float32)
    if points.ndim != 2:
        raise ValueError(f'item {index} of the data set has points of shape {tuple(points.shape)}, '
                         'expected (N, C)')
    return points, UNLABELLED if label is None else int(label)


def as_batches(samples: list[tuple[Tensor, int, int]]) -> list[tuple[Tensor, list[int]]]:
    """Stack clouds of equal shape; return ``[(points (b, N, C), positions in samples)]``."""
    by_shape: dict[tuple, list[int]] = {}
    for position, (points, _, _) in enumerate(samples):
        by_shape.setdefault(tuple(points.shape), []).append(position)
    return [(torch.stack([samples[i][0] for i in positions]), positions)
            for positions in by_shape.values()]


def feature_function(model: nn.Module, network: str = 'teacher') -> Callable[[Tensor], Tensor]:
    """Return the function ``(B, N, C) -> (B, D)`` that ``model`` offers.

    That is ``extract_feat`` where there is one (called with ``network=`` if it takes that
    argument), otherwise the model itself, which is then a plain backbone.
    """
    extract = getattr(model, 'extract_feat', None)
    if extract is None:
        return model
    parameters = inspect.signature(extract).parameters.values()
    if any(p.name == 'network' or p.kind is p.VAR_KEYWORD for p in parameters):
        return lambda points: extract(points, network=network)
    return extract


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the first parameter or buffer, the CPU where there is none."""
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return torch.device('cpu')


def extract_features(
    model: nn.Module,
    dataset: Sequence,
    *,
    batch_size: int = 32,
    num_workers: int = 0,
    network: str = 'teacher',
    device: str | torch.device | None = None,
    transform: PointsTransform | None = None,
    progress: bool | Callable[[int, int], None] = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the features and labels of all clouds, in the data set's order.

    The model runs in eval mode without gradients; its train/eval flags, its buffers and all random
    states are as before afterwards. Clouds of different sizes are allowed: a batch then runs once
    a size. On several ranks each rank reads its share and every rank gets the whole result, each
    cloud once; all ranks use rank 0's buffers, which are the ones that a checkpoint holds.
    Collective: every rank has to call it. A failure on one rank is raised on all.

    Args:
        model (nn.Module): Anything with ``extract_feat(points)`` or a plain backbone, wrapped for
            distributed training or not.
        dataset (Sequence): See :class:`CloudReader`.
        batch_size (int): Clouds a forward pass.
        num_workers (int): Loader processes.
        network (str): Passed to ``extract_feat`` if it takes ``network``.
        device (str | torch.device, optional): Where to run; the model is moved there. Default:
            where the model is.
        transform (callable, optional): ``transform(points (N, C), index) -> points``, applied to
            each cloud as it is read.
        progress (bool | callable): ``True`` shows a progress bar; a callable gets
            ``(clouds done, clouds in all)`` after each batch. Both count rank 0's share.

    Returns:
        tuple: ``features`` (M, D) float32 and ``labels`` (M,) int64, :data:`UNLABELLED` (-1) for
        an item without a label.

    Raises:
        ValueError: The data set is empty, has no whole clouds, or the features are not (B, D).
    """
    if len(dataset) == 0:
        raise ValueError('cannot extract features: the data set is empty')
    model = unwrap(model)
    if device is not None:
        model.to(device)
    rank, world_size = get_dist_info()
    indices = range(rank, len(dataset), world_size)
    loader = DataLoader(
        CloudReader(dataset, transform), batch_size=batch_size, sampler=indices,
        num_workers=num_workers, collate_fn=list, generator=torch.Generator().manual_seed(0))
    features, labels, error = None, None, None
    with preserved_rng(), preserved_modes(model), buffers_of_rank_zero(model), torch.no_grad():
        model.eval()
        try:
            features, labels = _run(feature_function(model, network), loader, device_of(model),
                                    _reporter(progress, len(indices)) if rank == 0 else None)
        except Exception as caught:
            if world_size == 1:
                raise
            error = caught
    if world_size > 1:
        features, labels = _gather(features, labels, error, len(dataset))
    return features.numpy(), labels.numpy()


def _run(extract: Callable[[Tensor], Tensor], loader: DataLoader, device: torch.device,
         report: Callable[[int], None] | None) -> tuple[Tensor | None, Tensor | None]:
    """Return features (m, D) and labels (m,) of one rank's share, in its order."""
    features, labels = [], []
    for samples in loader:
        rows: list[Tensor | None] = [None] * len(samples)
        for points, positions in as_batches(samples):
            output = extract(points.to(device))
            _check_output(output, len(positions))
            for position, row in zip(positions, output.float().cpu()):
                rows[position] = row
        features.append(torch.stack(rows))
        labels.extend(label for _, label, _ in samples)
        if report is not None:
            report(len(labels))
    if not features:  # more ranks than clouds
        return None, None
    return torch.cat(features), torch.tensor(labels, dtype=torch.int64)


def _check_output(output: Any, batch: int) -> None:
    if not isinstance(output, Tensor) or output.ndim != 2 or len(output) != batch:
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f'the network has to return features (B, D) with B = {batch}, '
                         f'found {found}')


def _reporter(progress: bool | Callable[[int, int], None], total: int) -> Callable | None:
    if callable(progress):
        return lambda done: progress(done, total)
    if not progress or total == 0:
        return None
    bar = ProgressBar(total, file=sys.stdout)
    return lambda done: bar.update(done - bar.completed)


def _gather(features: Tensor | None, labels: Tensor | None, error: Exception | None,
            total: int) -> tuple[Tensor, Tensor]:
    """Interleave the ranks' shares; every share is padded to one length to travel."""
    dims = gather_or_raise(None if features is None else features.shape[1], error)
    world_size = len(dims)
    longest = -(-total // world_size)
    padded = torch.zeros(longest, dims[0])
    padded_labels = torch.zeros(longest, dtype=torch.int64)
    if features is not None:
        padded[:len(features)] = features
        padded_labels[:len(labels)] = labels
    # Rank r holds items r, r + world_size, ...: (longest, world_size) flattened is their order.
    all_features = torch.stack(all_gather(padded), dim=1).flatten(0, 1)[:total]
    all_labels = torch.stack(all_gather(padded_labels), dim=1).flatten()[:total]
    return all_features, all_labels
