"""Operations on batches of clouds."""
from __future__ import annotations

import torch
from torch import Tensor

from dcglr_mm.models import ops
from dcglr_mm.models.layers import EdgeConv
from dcglr_mm.models.ops.graph import neighbor_max, neighbor_max_with_winner

from ..case import Setup, Side, Sides
from ..inputs import make_clouds
from ..plain import dgcnn as plain_dgcnn
from ..plain import ops as plain
from .networks import network_sides, share_weights


def _features(setup: Setup, batch: int, num_points: int, channels: int, seed: int = 0) -> Tensor:
    """Coordinates where there are three channels, random features otherwise: ``(B, N, C)``."""
    if channels == 3:
        clouds = make_clouds(batch, num_points, seed=seed, dtype=setup.dtype,
                             on_grid=setup.on_grid)
        return clouds.to(setup.device)
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(batch, num_points, channels, generator=generator, dtype=torch.float64)
    return features.to(setup.device, setup.dtype)


def knn(setup: Setup, batch: int, num_points: int, channels: int, k: int) -> Sides:
    """k nearest neighbours within a batch of clouds, compared by the distances found."""
    points = _features(setup, batch, num_points, channels)

    def results(index: Tensor) -> dict[str, Tensor]:
        wide = points.double()
        found = torch.stack([wide[b][rows] for b, rows in enumerate(index)])  # (B, N, k, C)
        distance = (found - wide[:, :, None]).square().sum(-1).sort(-1).values
        return {'distance': distance}

    return Sides(Side(lambda: ops.knn(points, points, k), results),
                 Side(lambda: plain.knn(points, points, k), results))


def farthest_point_sample(setup: Setup, batch: int, num_points: int, num_samples: int) -> Sides:
    """Farthest-point sampling of a batch of clouds."""
    points = _features(setup, batch, num_points, 3)
    return Sides(
        Side(lambda: ops.farthest_point_sample(points, num_samples), _index),
        Side(lambda: plain.farthest_point_sample(points, num_samples), _index))


def gather(setup: Setup, batch: int, num_points: int, channels: int, k: int) -> Sides:
    """The features of all neighbours, ``(B, N, k, C)``."""
    features = _features(setup, batch, num_points, channels)
    index = _random_graph(setup, batch, num_points, k)
    return Sides(Side(lambda: ops.gather_points(features, index), _output),
                 Side(lambda: plain.index_points(features, index), _output))


def maximum(setup: Setup, batch: int, num_points: int, channels: int, k: int,
            winner: bool) -> Sides:
    """Maximum over neighbours, with or without the place where it was found."""
    values = _features(setup, 1, batch * num_points, channels)[0]
    index = _random_graph(setup, batch, num_points, k)
    index = (index + torch.arange(batch, device=index.device)[:, None, None] * num_points)
    index = index.flatten(0, 1)

    def plain_maximum() -> Tensor | tuple[Tensor, Tensor]:
        best = values[index].max(1)
        return (best.values, best.indices) if winner else best.values

    def our_results(found: object) -> dict[str, Tensor]:
        best, place = found if winner else (found, None)
        return {'maximum': best} if place is None else {
            'maximum': best, 'winner': values.flatten()[place]}

    def plain_results(found: object) -> dict[str, Tensor]:
        best, slot = found if winner else (found, None)
        return {'maximum': best} if slot is None else {
            'maximum': best, 'winner': values.gather(0, index.gather(1, slot))}

    ours = neighbor_max_with_winner if winner else neighbor_max
    return Sides(Side(lambda: ours(values, index), our_results),
                 Side(plain_maximum, plain_results))


def interpolate(setup: Setup, batch: int, num_points: int, num_sources: int,
                channels: int) -> Sides:
    """Features carried from a few points to many by inverse distance, 3 sources each."""
    target = _features(setup, batch, num_points, 3)
    source = _features(setup, batch, num_sources, 3, seed=1)
    features = _features(setup, batch, num_sources, channels)
    return Sides(Side(lambda: ops.interpolate_features(target, source, features), _output),
                 Side(lambda: plain.interpolate(target, source, features), _output))


def crop(setup: Setup, batch: int, num_points: int, num: int) -> Sides:
    """The region around a seed of each cloud, compared by its distances."""
    points = _features(setup, batch, num_points, 3)
    seed = points[:, 0].clone()

    def results(index: Tensor) -> dict[str, Tensor]:
        distance = (plain.index_points(points, index) - seed[:, None]).square().sum(-1)
        return {'distance': distance.sort(-1).values}

    return Sides(Side(lambda: ops.crop_region(points, seed, num), results),
                 Side(lambda: plain.crop(points, seed, num), results))


def edge_conv(setup: Setup, batch: int, num_points: int, channels: int, out_channels: int,
              k: int) -> Sides:
    """One edge convolution, forward and backward, on a given neighbour graph."""
    torch.manual_seed(0)
    ours = EdgeConv(channels, out_channels, k)
    theirs = plain_dgcnn.EdgeConv(channels, out_channels, k)
    share_weights(ours, theirs)
    features = _features(setup, batch, num_points, channels)
    index = _random_graph(setup, batch, num_points, k)
    rows = features.transpose(1, 2).contiguous()  # the layout that the plain layer takes
    return network_sides(
        setup, ours, theirs,
        our_forward=lambda layer: layer(features, index),
        plain_forward=lambda layer: layer(rows, index).transpose(1, 2),
        training=True, backward=True)


def _random_graph(setup: Setup, batch: int, num_points: int, k: int) -> Tensor:
    """The neighbour graph of random clouds, ``(B, N, k)``."""
    return ops.knn(*[make_clouds(batch, num_points, seed=2)] * 2, k).to(setup.device)


def _index(found: Tensor) -> dict[str, Tensor]:
    return {'index': found}


def _output(found: Tensor) -> dict[str, Tensor]:
    return {'output': found}
