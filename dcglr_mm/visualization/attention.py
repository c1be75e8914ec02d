"""Where the class token of a 3D-ViT looks (the paper's Fig. 6)."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera
from .clouds import CLOUD_COLOR, plot_clouds
from .style import INK, draw_color_scale, sequential_colors

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spread_attention(attention: np.ndarray, points: np.ndarray, center_index: np.ndarray,
                     patch_index: np.ndarray) -> np.ndarray:
    """Spread the attention that patches get to the points of a cloud.

    A point in several patches gets the mean of theirs; a point in none gets that of the patch
    whose centroid is nearest.

    Args:
        attention: (H, S), of each head to each patch.
        points: (N, >=3), xyz first.
        center_index: (S,) indices of the patches' centroids.
        patch_index: (S, k) indices of the patches' points. An index that comes up twice in one
            patch counts once.

    Returns:
        (H, N) float64.
    """
    from scipy.spatial import cKDTree

    attention = np.asarray(attention, np.float64)
    xyz = np.asarray(points, np.float64)[:, :3]
    num_patches = attention.shape[1]
    if len(center_index) != num_patches or len(patch_index) != num_patches:
        raise ValueError(f'attention to {num_patches} patches, but {len(center_index)} centroids '
                         f'and {len(patch_index)} patches')
    member = np.zeros((num_patches, len(xyz)))
    member[np.arange(num_patches)[:, None], patch_index] = 1
    count = member.sum(axis=0)
    _, nearest = cKDTree(xyz[center_index]).query(xyz)
    return np.where(count > 0, attention @ member / np.maximum(count, 1), attention[:, nearest])


def plot_attention(clouds: Sequence[np.ndarray], attention: Sequence[np.ndarray],
                   names: Sequence[str], *, num_patches: Sequence[int], shared_scale: bool = False,
                   camera: Camera | None = None, panel: float = 1.5, title: str = '',
                   note: str = '') -> Figure:
    """Draw a grid of objects x heads: each object, then each head's attention over its points.

    The number above a panel is the largest attention to a patch in units of equal attention to
    all: 1.0x is a head that prefers nothing. Colours run from no attention to the largest of the
    panel, so that panels of weak and strong heads can both be read.

    Args:
        clouds: B arrays (N_i, >=3).
        attention: For each cloud (H, N_i), see :func:`spread_attention`.
        names: B names, such as classes.
        num_patches: S of each cloud.
        shared_scale: One scale of colours for all panels of the figure.
        camera: One for all.
        panel: Width of a panel in inches.
        title: A line above.
        note: A small line at the foot.

    Raises:
        ValueError: If clouds, attention and names do not belong together.
    """
    if not len(clouds) == len(attention) == len(names) == len(num_patches) or not len(clouds):
        raise ValueError(f'{len(clouds)} clouds, {len(attention)} attention maps, {len(names)} '
                         f'names and {len(num_patches)} numbers of patches; give one of each')
    heads = len(attention[0])
    for index, (cloud, values) in enumerate(zip(clouds, attention)):
        if np.shape(values) != (heads, len(cloud)):
            raise ValueError(f'attention of cloud {index} has shape {np.shape(values)}; expected '
                             f'{heads} heads x {len(cloud)} points')
    # In units of equal attention.
    scaled = [np.asarray(values) * count for values, count in zip(attention, num_patches)]
    highest = max(float(values.max()) for values in scaled)
    panels, titles, colors = [], [], []
    for cloud, values, name in zip(clouds, scaled, names):
        panels += [cloud] * (heads + 1)
        titles += [name, *(f'head {i}, {row.max():.1f}x' for i, row in enumerate(values, 1))]
        tops = [highest if shared_scale else float(row.max()) for row in values]
        colors += [CLOUD_COLOR, *(sequential_colors(row / max(top, 1e-12))
                                  for row, top in zip(values, tops))]
    figure = plot_clouds(panels, titles, colors=colors, camera=camera, columns=heads + 1,
                         panel=panel, shade='soft', headroom=0.3 * bool(title), footroom=0.36)
    top = f'{highest:.1f}x the mean' if shared_scale else "the panel's largest"
    draw_color_scale(figure, 'no attention', top, note)
    if title:
        figure.suptitle(title, fontsize=11, color=INK, x=0.012, ha='left',
                        y=1 - 0.06 / figure.get_figheight())
    return figure
