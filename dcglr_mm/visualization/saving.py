"""Write figures: pictures, a page that can be turned, a turntable."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .html import figure_html
from .scene import clouds_of
from .style import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_ending(path: str | Path) -> str:
    """Return the ending of a picture's path, in lower case and without its dot.

    Raises:
        ValueError: If :func:`save_figure` has no writer for it.
    """
    ending = Path(path).suffix.lstrip('.').lower()
    known = {*new_figure(1, 1).canvas.get_supported_filetypes(), 'gif', 'html'}
    if ending not in known:
        raise ValueError(f'cannot write a figure as {Path(path).name!r}: the ending must be one of '
                         f'{", ".join(sorted(known))}')
    return ending


def save_figure(figure: Figure, path: str | Path, *, frames: int = 48) -> Path:
    """Write ``figure`` in the format that the file's ending names.

    ``.html`` is one page that needs no network: clouds can be turned and zoomed, points of charts
    say what they are. ``.gif`` is a turntable, once around the vertical axis. All others are
    matplotlib's: PNG, PDF, SVG, ...

    Args:
        figure: What to write.
        path: Where; folders are made.
        frames: Pictures of a turntable.

    Raises:
        ValueError: If there is no writer for the ending, or a turntable is asked of a figure
            without clouds.
    """
    path = Path(path)
    ending = check_ending(path)
    if ending == 'gif' and not any(clouds_of(axes) for axes in figure.axes):
        raise ValueError(f'cannot write {path.name!r}: a gif is a turntable of clouds, and the '
                         'figure has none')
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending == 'html':
        path.write_text(figure_html(figure, path.stem), encoding='utf-8')
    elif ending == 'gif':
        _save_turntable(figure, path, frames)
    else:
        figure.savefig(path)
    return path


def _save_turntable(figure: Figure, path: Path, frames: int) -> None:
    from PIL import Image

    from .clouds import redraw_clouds

    pictures = []
    for frame in range(frames):
        redraw_clouds(figure, 360 * frame / frames)
        figure.canvas.draw()
        pictures.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
                        .quantize(128))
    redraw_clouds(figure, 0.0)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80, loop=0)
