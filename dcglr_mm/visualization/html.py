"""Figures as one HTML file without network access: clouds turn, other points say what they are."""
from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .camera import estimate_normals
from .scene import clouds_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PAGE = Path(__file__).with_name('viewer.html')


def figure_html(figure: Figure, title: str = 'figure') -> str:
    """Return a page that shows ``figure``.

    The figure is embedded as vector graphics. Over each panel that shows clouds lies a canvas that
    draws them anew: dragging turns all panels together, the wheel zooms, a double click goes back
    to the picture's camera. In charts the point nearest the mouse says its name and values. Equal
    figures give equal pages.
    """
    import matplotlib

    panels = [axes for axes in figure.axes if clouds_of(axes) and axes.get_visible()]
    drawn = [(artist, artist.get_visible()) for axes in panels for artist in axes.collections]
    buffer = io.StringIO()
    try:
        for artist, _ in drawn:
            artist.set_visible(False)
        with matplotlib.rc_context({'svg.hashsalt': 'dcglr_mm'}):
            figure.savefig(buffer, format='svg', metadata={'Date': None})
    finally:
        for artist, visible in drawn:
            artist.set_visible(visible)
    data = dict(panels=[_panel(axes) for axes in panels],
                hints=[hint for axes in figure.axes if axes not in panels and axes.get_visible()
                       for hint in _hints(axes)])
    svg = buffer.getvalue()
    return (_PAGE.read_text(encoding='utf-8').replace('%TITLE%', title)
            .replace('%SVG%', svg[svg.index('<svg'):])
            .replace('%DATA%', json.dumps(data, separators=(',', ':')).replace('<', '\\u003c')))


def _panel(axes: Axes) -> dict:
    """Place, frame and clouds of a panel; a length of the page is a share of the figure's."""
    box = axes.get_window_extent().transformed(axes.figure.transFigure.inverted())
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    camera = clouds_of(axes)[0].camera
    return dict(
        box=[round(float(v), 5) for v in (box.x0, 1 - box.y1, box.width, box.height)],
        center=[(left + right) / 2, (low + high) / 2], width=right - left,
        camera=camera.rotation().ravel().tolist(),
        up='xyz'.index(camera.up),
        clouds=[_cloud(cloud) for cloud in clouds_of(axes)])


def _cloud(cloud) -> dict:
    """A cloud in about 12 bytes a point: places in 16 bits, normals and colours in 8."""
    low = cloud.points.min(axis=0)
    step = max(float(np.ptp(cloud.points, axis=0).max()), 1e-12) / 65535
    places = np.round((cloud.points - low) / step).astype('<u2')
    normals = np.round(127 * estimate_normals(cloud.points)).astype('i1')
    colors = np.round(255 * np.clip(cloud.colors, 0, 1)).astype('u1')
    return dict(low=low.tolist(), step=step, count=len(places), places=_text(places),
                normals=_text(normals), colors=_text(colors), shade=cloud.shade,
                diameter=float(np.sqrt(cloud.size)) / 72)


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def _hints(axes: Axes) -> list[list]:
    """``[x, y, text]`` of each point of a chart; x and y are shares of the figure, y from above."""
    found = [(name, collection.get_offsets()) for collection in axes.collections
             if (name := _public_name(collection)) and collection.get_offset_transform()
             == axes.transData]
    values = not (len(axes.get_xticks()) == 0 and len(axes.get_yticks()) == 0)
    found += [(name, line.get_xydata()) for line in axes.get_lines()
              if (name := _public_name(line))]
    hints = []
    for name, points in found:
        points = np.asarray(points, np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            continue
        places = axes.figure.transFigure.inverted().transform(axes.transData.transform(points))
        hints += [[round(float(x), 4), round(float(1 - y), 4),
                   f'{name}: {a:.5g}, {b:.5g}' if values else name]
                  for (x, y), (a, b) in zip(places, points)]
    return hints


def _public_name(artist) -> str:
    name = str(artist.get_label())
    return '' if name.startswith('_') else name
