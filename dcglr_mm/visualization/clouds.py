"""Pictures of point clouds and of the crops that training sees."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .camera import Camera, lambert, nearness
from .scene import SHADES, DrawnCloud, clouds_of, light, remember
from .style import FAINT, INK, MUTED, bare_axes, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure, SubFigure

Color = str | np.ndarray

CLOUD_COLOR = '#56657A'
VIEW_COLORS = {'global': '#3B6FB6', 'local': '#D1495B', 'resolution': '#2A9D8F'}
VIEW_TITLES = {'global': 'global', 'local': 'local', 'resolution': 'low resolution'}


def draw_cloud(axes: Axes, points: np.ndarray, camera: Camera, color: Color = CLOUD_COLOR,
               size: float = 6.0, shade: str = 'full') -> PathCollection:
    """Scatter a cloud, far points first, smaller and paler; dark where a surface turns away.

    Args:
        points: (N, >=3), xyz first; it is drawn where it lies, uncentred.
        color: One colour, or RGB of each point, (N, 3) in [0, 1].
        size: Marker area of the nearest point in square points.
        shade: ``'full'``; ``'soft'`` for colours that mean values; ``'none'`` for one colour and
            size, as a backdrop. See :func:`~dcglr_mm.visualization.scene.light`.

    Raises:
        ValueError: If there is not one colour for each point, or ``shade`` is none of these.
    """
    points = np.asarray(points, np.float64)[:, :3]
    colors = _point_colors(color, len(points))
    if shade not in SHADES:
        raise ValueError(f'shade is {shade!r}; it must be one of {SHADES}')
    cloud = DrawnCloud(points, colors, size, shade, camera)
    remember(axes, cloud)
    return _scatter(axes, cloud, camera)


def redraw_clouds(figure: Figure, turn: float) -> None:
    """Draw all clouds of a figure anew by cameras ``turn`` degrees further round than their own.

    The cameras turn about the vertical line through the middle of the panel's first frame.
    """
    for axes in figure.axes:
        clouds = clouds_of(axes)
        if not clouds:
            continue
        for artist in list(axes.collections):
            artist.remove()
        for cloud in clouds:
            moved = replace(cloud.camera, azimuth=cloud.camera.azimuth + turn)
            everything = np.concatenate([each.points for each in clouds])
            middle = (everything.min(axis=0) + everything.max(axis=0)) / 2
            shift = cloud.camera.rotation()[:2] @ middle - moved.rotation()[:2] @ middle
            _scatter(axes, cloud, moved, shift)


def _scatter(axes: Axes, cloud: DrawnCloud, camera: Camera,
             shift: np.ndarray | float = 0.0) -> PathCollection:
    """Draw a cloud, its image moved by ``shift`` (2,)."""
    points, shade, size = cloud.points, cloud.shade, cloud.size
    projected = camera.project(points)
    order = np.argsort(projected[:, 2], kind='stable')
    projected = projected[order]
    near = nearness(projected)
    bright = near if shade == 'none' else lambert(projected)
    return axes.scatter(*(projected[:, :2] + shift).T, linewidths=0,
                        s=size if shade == 'none' else size * (0.55 + 0.45 * near),
                        c=light(cloud.colors[order], bright, near, shade))


def _point_colors(color: Color, count: int) -> np.ndarray:
    from matplotlib.colors import to_rgb

    if isinstance(color, str):
        return np.tile(to_rgb(color), (count, 1))
    colors = np.asarray(color, np.float64)
    if colors.shape != (count, 3):
        raise ValueError(f'colours have shape {colors.shape}; expected one RGB for each of the '
                         f'{count} points')
    return colors


def plot_clouds(clouds: Sequence[np.ndarray], titles: Sequence[str] | None = None, *,
                colors: Sequence[Color] | None = None, camera: Camera | None = None,
                columns: int | None = None, panel: float = 1.7, backdrop: np.ndarray | None = None,
                shade: str = 'full', headroom: float = 0.0, footroom: float = 0.0,
                figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Draw clouds side by side, all by one camera, at one scale and with one point size.

    Args:
        clouds: Arrays (N_i, >=3).
        titles: One line a cloud.
        colors: One colour a cloud, or RGB of each of its points, (N_i, 3) in [0, 1].
        columns: Panels a row; all in one row by default.
        panel: Width of a panel in inches.
        shade: See :func:`draw_cloud`.
        headroom: Inches to leave free at the top.
        footroom: Inches to leave free at the foot.
        backdrop: (N, >=3) drawn faintly behind every cloud, so that a crop's place shows.
        figure: Where to draw; a new figure by default.

    Raises:
        ValueError: If there is no cloud, or titles or colours do not match them.
    """
    clouds = [np.asarray(cloud) for cloud in clouds]
    _check(clouds, titles=titles, colors=colors)
    camera = camera or Camera()
    columns = min(columns or len(clouds), len(clouds))
    rows = -(-len(clouds) // columns)
    if figure is None:
        figure = new_figure(panel * columns,
                            (panel + (0.25 if titles else 0)) * rows + headroom + footroom)
    height = figure.bbox.height / figure.dpi
    drawn = [*clouds] if backdrop is None else [*clouds, backdrop]
    center, half = square_frame(drawn, camera)
    size = marker_area(panel, max(map(len, drawn)))
    grid = figure.subplots(rows, columns, squeeze=False, gridspec_kw=dict(
        left=0, right=1, wspace=0, hspace=0.12, bottom=max(0.01, footroom / height),
        top=1 - (headroom + 0.28 * bool(titles)) / height))
    for index, axes in enumerate(grid.flat):
        bare_axes(axes)
        axes.set(xlim=(center[0] - half, center[0] + half), aspect='equal',
                 ylim=(center[1] - half, center[1] + half))
        if index >= len(clouds):
            continue
        if backdrop is not None:
            draw_cloud(axes, backdrop, camera, FAINT, 0.55 * size, 'none')
        draw_cloud(axes, clouds[index], camera, colors[index] if colors else CLOUD_COLOR, size,
                   shade)
        if titles:
            axes.set_title(titles[index], fontsize=8.5, color=INK, pad=3)
    return figure


def plot_crops(views: Mapping[str, np.ndarray], points: np.ndarray | None = None, *,
               max_views: int = 4, backdrop: bool = False, camera: Camera | None = None,
               panel: float = 1.7, name: str = '', headroom: float = 0.0,
               figure: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Draw one object's views as the networks receive them: a row, kind by kind.

    Args:
        views: What :class:`~dcglr_mm.datasets.MultiCrop` makes: ``{'global': (I, Ng, C), ...}``.
        points: The whole cloud (N, C), drawn first.
        max_views: At most so many views of each kind are drawn; the titles give the true count.
        backdrop: Draw ``points`` faintly behind each view. Right only if the views were neither
            scaled nor shifted.
        name: The object's class, for the first panel's title.
        headroom: Inches to leave free at the top.
    """
    if backdrop and points is None:
        raise ValueError('plot_crops(backdrop=True) needs the whole cloud: give points')
    clouds, titles, colors = [], [], []
    if points is not None:
        clouds.append(points)
        titles.append(f'{name or "whole cloud"}, {len(points)} points')
        colors.append(CLOUD_COLOR)
    for kind, batch in views.items():
        for index, view in enumerate(batch[:max_views]):
            clouds.append(view)
            titles.append(f'{VIEW_TITLES.get(kind, kind)} {index + 1}/{len(batch)}, {len(view)}')
            colors.append(VIEW_COLORS.get(kind, MUTED))
    return plot_clouds(clouds, titles, colors=colors, camera=camera, panel=panel,
                       backdrop=points if backdrop else None, headroom=headroom, figure=figure)


def _check(clouds: list[np.ndarray], **per_cloud: Sequence | None) -> None:
    if not clouds:
        raise ValueError('there is no cloud to draw')
    for index, cloud in enumerate(clouds):
        if cloud.ndim != 2 or cloud.shape[1] < 3 or len(cloud) == 0:
            raise ValueError(f'cloud {index} has shape {cloud.shape}; expected (N, C) with N >= 1 '
                             'and C >= 3, xyz first')
    for name, values in per_cloud.items():
        if values is not None and len(values) != len(clouds):
            raise ValueError(f'{len(values)} {name} for {len(clouds)} clouds; give one for each')


def square_frame(clouds: Sequence[np.ndarray], camera: Camera) -> tuple[np.ndarray, float]:
    """Centre and half-width of the smallest square that shows all clouds, with a margin."""
    image = np.concatenate([camera.project(cloud)[:, :2] for cloud in clouds])
    low, high = image.min(axis=0), image.max(axis=0)
    return (low + high) / 2, max(float((high - low).max()) / 2 * 1.06, 1e-6)


def marker_area(panel: float, count: int) -> float:
    """Marker area (square points) at which ``count`` points on a typical shape nearly touch."""
    diameter = 0.72 * 72 * panel / np.sqrt(count)
    return float(np.clip(diameter, 1.0, 9.0)) ** 2
