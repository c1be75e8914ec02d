"""Features of points as colours."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera
from .clouds import plot_clouds
from .style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pca_colors(features: Sequence[np.ndarray], *, clip: float = 2.0,
               center_objects: bool = False) -> list[np.ndarray]:
    """Turn features of points into RGB by their first three principal components.

    One PCA for all objects, so that equal colours mean alike features across them. A component
    becomes a channel linearly from its ``clip``-th to its ``100 - clip``-th percentile over all
    points; what lies outside is clipped, so that no outlier takes the range. The sign of a
    component, which PCA leaves open, is such that its largest loading is positive. A component
    without variance is half grey.

    Args:
        features: For each object (N_i, C).
        clip: Per cent cut at either end, in [0, 50).
        center_objects: Subtract each object's mean first: colours then show how the points of an
            object differ, and not the objects.

    Returns:
        For each object (N_i, 3) in [0, 1].

    Raises:
        ValueError: If there are no features, their widths differ, some are not finite, or ``clip``
            is out of range.
    """
    if not 0 <= clip < 50:
        raise ValueError(f'clip is {clip}; it must lie in [0, 50)')
    parts = [np.asarray(part, np.float64) for part in features]
    widths = {part.shape[1:] for part in parts}
    if len(widths) != 1 or len(widths.copy().pop()) != 1:
        raise ValueError(f'features must be (N, C) with one C, found {[p.shape for p in parts]}')
    if not all(np.isfinite(part).all() for part in parts):
        raise ValueError('features of points are not all finite; they have no principal components')
    if center_objects:
        parts = [part - part.mean(axis=0) for part in parts]
    stacked = np.concatenate(parts)
    stacked = stacked - stacked.mean(axis=0)
    values, vectors = np.linalg.eigh(stacked.T @ stacked)
    axes = vectors[:, ::-1][:, :3]  # largest variance first
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0))
    components = stacked @ axes  # (sum N, 3 or fewer)
    low, high = np.percentile(components, [clip, 100 - clip], axis=0)
    # Rounding is no variance.
    flat = high - low <= 1e-9 * np.sqrt(max(values[-1], 0) / len(stacked)) + 1e-300
    scaled = np.where(flat, 0.5, np.clip((components - low) / np.where(flat, 1, high - low), 0, 1))
    rgb = np.full((len(stacked), 3), 0.5)
    rgb[:, :scaled.shape[1]] = scaled
    return np.split(rgb, np.cumsum([len(part) for part in parts])[:-1])


def plot_point_features(clouds: Sequence[np.ndarray], features: Sequence[np.ndarray],
                        names: Sequence[str], *, camera: Camera | None = None,
                        columns: int | None = None, panel: float = 1.9, title: str = '',
                        center_objects: bool = False, clip: float = 2.0) -> Figure:
    """Draw objects in the colours of :func:`pca_colors`.

    Args:
        clouds: Arrays (N_i, >=3).
        features: For each cloud (N_i, C).
        names: One for each cloud.
        columns: Panels a row; at most six by default.
        title: A line above.
        center_objects: See :func:`pca_colors`, as is ``clip``.

    Raises:
        ValueError: If clouds and features do not match, or what :func:`pca_colors` refuses.
    """
    if [len(c) for c in clouds] != [len(f) for f in features]:
        raise ValueError(f'clouds of {[len(c) for c in clouds]} points with features of '
                         f'{[len(f) for f in features]} points')
    colors = pca_colors(features, clip=clip, center_objects=center_objects)
    columns = columns or min(6, len(clouds))
    figure = plot_clouds(clouds, names, colors=colors, camera=camera, columns=columns, panel=panel,
                         shade='soft', headroom=0.3 * bool(title), footroom=0.24)
    height = figure.get_figheight()
    what = "each object's mean subtracted; " if center_objects else ''
    figure.text(0.5, 0.07 / height, f'red, green, blue: first three principal components of all '
                f'points; {what}{clip:g} % clipped at either end', fontsize=7, color=MUTED,
                ha='center')
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.012, y=1 - 0.06 / height, ha='left')
    return figure
