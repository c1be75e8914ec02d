"""Batch-norm running statistics of a network that never trained."""
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.utils.data import DataLoader

from .features import CloudReader, PointsTransform, as_batches, device_of, feature_function
from .state import preserved_modes, preserved_rng, unwrap


def tracked_batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """Return the batch-norm layers that have running statistics."""
    return [module for module in model.modules()
            if isinstance(module, _BatchNorm) and module.running_mean is not None]


@contextmanager
def preserved_batch_norm(model: nn.Module) -> Iterator[None]:
    """Give every batch norm its running statistics back on leaving."""
    buffers = [buffer for norm in tracked_batch_norms(model) for buffer in norm.buffers()]
    saved = [buffer.clone() for buffer in buffers]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, saved):
                buffer.copy_(value)


@torch.no_grad()
def calibrate_batch_norm(
    model: nn.Module,
    dataset: Sequence,
    *,
    batch_size: int = 32,
    num_workers: int = 0,
    network: str = 'teacher',
    transform: PointsTransform | None = None,
    seed: int = 0,
) -> int:
    """Replace running statistics by the mean of the batch statistics over a whole data set.

    An untrained network in eval mode normalises by mean 0 and variance 1, which are not its
    statistics; that handicap has nothing to do with what training teaches. Every cloud goes once
    through the network in train mode, in a random order with a fixed seed, and the running
    statistics become the cumulative average over the batches, weighted by their clouds: with
    batches of one size this is what ``momentum=None`` computes, and the last, smaller batch does
    not count more than its share. A last batch of a single cloud joins the one before, because
    batch norm of a global feature cannot normalise one sample. Dropout and stochastic depth stay
    off. Parameters, momentum, train/eval flags and random states are left as they were.

    On several ranks each does the whole work and gets the same statistics.

    Args:
        model (nn.Module): See :func:`~dcglr_mm.evaluation.features.extract_features`.
        dataset (Sequence): The train split, whole clouds.
        batch_size (int): Clouds a batch, at least 2.
        num_workers (int): Loader processes.
        network (str): Passed to ``extract_feat``; layers of other networks are not touched.
        transform (callable, optional): ``transform(points (N, C), index) -> points``.
        seed (int): Seed of the order of clouds.

    Returns:
        int: How many batch-norm layers were calibrated; 0 if the network has none.

    Raises:
        ValueError: Fewer than two clouds, or a batch size below 2.
    """
    model = unwrap(model)
    if len(dataset) < 2 or batch_size < 2:
        raise ValueError('batch-norm calibration needs two clouds and a batch size of 2 at least, '
                         f'found {len(dataset)} clouds and batch size {batch_size}')
    norms = tracked_batch_norms(model)
    if not norms:
        return 0
    saved = [(norm.momentum, [buffer.clone() for buffer in norm.buffers()]) for norm in norms]
    loader = DataLoader(
        CloudReader(dataset, transform), batch_sampler=_batches(len(dataset), batch_size, seed),
        num_workers=num_workers, collate_fn=list, generator=torch.Generator().manual_seed(seed))
    extract, device = feature_function(model, network), device_of(model)
    calibrated = 0
    try:
        with preserved_rng(), preserved_modes(model):
            _train_mode_without_dropout(model)
            for norm in norms:
                norm.reset_running_stats()
            _accumulate(norms, (points.to(device) for points in _stacks(loader)), extract)
            calibrated = sum(map(_is_used, norms))
    finally:
        for norm, (momentum, buffers) in zip(norms, saved):
            norm.momentum = momentum
            if not calibrated or not _is_used(norm):  # the run failed, or another network's layer
                for buffer, value in zip(norm.buffers(), buffers):
                    buffer.copy_(value)
    return calibrated


def _is_used(norm: _BatchNorm) -> bool:
    """Whether statistics have moved away from their reset values, exact 0 and 1."""
    return bool((norm.running_mean != 0).any() or (norm.running_var != 1).any())


def _accumulate(norms: list[_BatchNorm], batches: Iterator[Tensor], extract) -> None:
    seen = 0
    for points in batches:
        seen += len(points)
        for norm in norms:
            # The batch's share of all clouds so far: 1 at first, which overwrites what was there.
            norm.momentum = len(points) / seen
        extract(points)


def _batches(length: int, batch_size: int, seed: int) -> list[list[int]]:
    order = np.random.default_rng(seed).permutation(length).tolist()
    batches = [order[i:i + batch_size] for i in range(0, length, batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [batches[-2] + batches[-1]]
    return batches


def _stacks(loader: DataLoader) -> Iterator[Tensor]:
    for samples in loader:
        for points, _ in as_batches(samples):
            yield points


def _train_mode_without_dropout(model: nn.Module) -> None:
    model.train()
    for module in model.modules():
        if isinstance(module, _DropoutNd) or type(module).__name__ in ('DropPath',
                                                                       'StochasticDepth'):
            module.eval()
