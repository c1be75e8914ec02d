"""Figures of frozen networks, by name: what the scripts and the hook draw."""
from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING

import numpy as np

from dcglr_mm.visualization import (Camera, plot_attention, plot_neighbors, plot_point_features,
                                    plot_spectrum, plot_tsne, spread_attention)

from .frozen import FrozenNetwork, Shapes

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def tsne(networks: Sequence[FrozenNetwork], shapes: Shapes, *, max_classes: int = 12, k: int = 10,
         perplexity: float = 30.0, seed: int = 0, columns: int = 3) -> Figure:
    """t-SNE of the features, see :func:`~dcglr_mm.visualization.plot_tsne`."""
    features = {net.name: net.features(shapes)[0] for net in networks}
    labels, names = _named_labels(networks[0], shapes)
    return plot_tsne(features, labels, names, max_classes=max_classes, k=k, perplexity=perplexity,
                     seed=seed, columns=columns)


def spectrum(networks: Sequence[FrozenNetwork], shapes: Shapes, *, bins: int = 30) -> Figure:
    """Spectra of the feature covariance, see :func:`~dcglr_mm.visualization.plot_spectrum`."""
    return plot_spectrum({net.name: net.features(shapes)[0] for net in networks}, bins=bins)


def neighbors(networks: Sequence[FrozenNetwork], shapes: Shapes, *, num: int = 5, k: int = 6,
              seed: int = 0, classes: Sequence[str] = (), camera: Camera | None = None) -> Figure:
    """Nearest neighbours of ``num`` shapes, see :func:`~dcglr_mm.visualization.plot_neighbors`."""
    net = _only(networks, 'neighbors')
    features, labels = net.features(shapes)
    return plot_neighbors(features, labels, shapes.classes,
                          lambda index: shapes.read(index)[0].numpy(),
                          shapes.choose(num, seed, classes), k=k, camera=camera,
                          title=f'Nearest neighbours among {len(shapes)} shapes: {net.name}')


def attention(networks: Sequence[FrozenNetwork], shapes: Shapes, *, num: int = 4, seed: int = 0,
              classes: Sequence[str] = (), layer: int = -1, shared_scale: bool = False,
              camera: Camera | None = None) -> Figure:
    """Class-token attention of each head, see :func:`~dcglr_mm.visualization.plot_attention`.

    Args:
        layer: Whose attention, from 0; -1 is the last.

    Raises:
        ValueError: The backbone has no ``attention_maps``, or not so many layers.
    """
    net = _only(networks, 'attention')
    check_network('attention', net)
    clouds, maps, names, counts = [], [], [], []
    for position in shapes.choose(num, seed, classes):
        points, label = shapes.read(position)
        found = net.look(points, lambda backbone, x: backbone.attention_maps(x, 'all'))
        depth = found.weights.shape[1]
        if not -depth <= layer < depth:
            raise ValueError(f'layer is {layer}; {net.name} has layers 0 to {depth - 1}')
        weights = found.weights[0, layer, :, 0, 1:].float().cpu().numpy()  # (H, S)
        # What the class token gives itself is left out, so that the rest compares with 1 / S.
        weights = weights / weights.sum(axis=1, keepdims=True)
        clouds.append(points.numpy())
        names.append(shapes.name(label, position))
        counts.append(weights.shape[1])
        maps.append(spread_attention(weights, clouds[-1], found.center_index[0].cpu().numpy(),
                                     found.patch_index[0].cpu().numpy()))
    which = 'last layer' if layer in (-1, depth - 1) else f'layer {layer % depth}'
    return plot_attention(clouds, maps, names, num_patches=counts, camera=camera,
                          shared_scale=shared_scale,
                          title=f'Attention of the class token, {which}: {net.name}',
                          note='number: largest attention to a patch over the mean')


def point_features(networks: Sequence[FrozenNetwork], shapes: Shapes, *, num: int = 6,
                   seed: int = 0, classes: Sequence[str] = (), center_objects: bool = True,
                   clip: float = 2.0, camera: Camera | None = None) -> Figure:
    """PCA colours of features of points, :func:`~dcglr_mm.visualization.plot_point_features`."""
    net = _only(networks, 'point_features')
    check_network('point_features', net)
    clouds, features, names = [], [], []
    for position in shapes.choose(num, seed, classes):
        points, label = shapes.read(position)
        found = net.look(points, lambda backbone, x: backbone.forward_points(x))
        clouds.append(points.numpy())
        features.append(found[0].float().cpu().numpy())
        names.append(shapes.name(label, position))
    return plot_point_features(clouds, features, names, camera=camera, clip=clip,
                               center_objects=center_objects,
                               title=f'Features of points: {net.name}')


#: Name -> function ``(networks, shapes, **options) -> Figure``.
FIGURES = dict(tsne=tsne, spectrum=spectrum, neighbors=neighbors, attention=attention,
               point_features=point_features)


def check_options(figure: str, options: dict) -> None:
    """Raise a ``ValueError`` unless there is such a figure and it has these options."""
    if figure not in FIGURES:
        raise ValueError(f'there is no figure {figure!r}, only {", ".join(FIGURES)}')
    known = list(signature(FIGURES[figure]).parameters)[2:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(f'the figure {figure!r} has no option {unknown[0]!r}, only '
                         f'{", ".join(known)}')


def check_network(figure: str, net: FrozenNetwork) -> None:
    """Raise a ``ValueError`` if the figure cannot be drawn of this kind of backbone."""
    kind = type(net.backbone).__name__
    if figure == 'attention' and not hasattr(net.backbone, 'attention_maps'):
        raise ValueError(f'{net.name}: a {kind} has no class token, so there is no attention to '
                         'draw; this figure is for ViT3D')
    if figure == 'point_features' and getattr(net.backbone, 'point_channels', None) is None:
        raise ValueError(f'{net.name}: a {kind} has no features of points (forward_points)')


def _only(networks: Sequence[FrozenNetwork], figure: str) -> FrozenNetwork:
    if len(networks) != 1:
        raise ValueError(f'the figure {figure!r} shows one network, got {len(networks)}: '
                         f'{", ".join(net.name for net in networks)}')
    return networks[0]


def _named_labels(net: FrozenNetwork, shapes: Shapes) -> tuple[np.ndarray, list[str]]:
    """Labels and class names."""
    labels = net.features(shapes)[1]
    if (labels < 0).all():
        raise ValueError('the data set has no labels, which colours and purity need')
    names = list(shapes.classes)
    return labels, names or [f'class {i}' for i in range(labels.max() + 1)]
