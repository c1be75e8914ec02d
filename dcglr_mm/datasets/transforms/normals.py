"""How normals, where a cloud has them, follow the coordinates."""
from __future__ import annotations

import numpy as np

from .checks import check_count


def check_normals(owner: str, normals: int | None) -> int | None:
    """Checks the first channel of the normals: None, or at least 3, after the coordinates."""
    return None if normals is None else check_count(f'{owner}: normals', normals, low=3)


def normal_slice(points: np.ndarray, normals: int) -> slice:
    """The three columns of the normals.

    Raises:
        ValueError: The cloud has too few channels.
    """
    if points.shape[1] < normals + 3:
        raise ValueError(f'normals are said to be in channels {normals} to {normals + 2}, but the '
                         f'cloud has {points.shape[1]} channels')
    return slice(normals, normals + 3)


def scale_normals(points: np.ndarray, normals: int, factor: np.ndarray) -> None:
    """Follows a per-axis scale of the surface, in place: inverse factors, the length as before."""
    columns = normal_slice(points, normals)
    before = np.linalg.norm(points[:, columns], axis=1, keepdims=True)  # (N, 1)
    scaled = points[:, columns] / factor  # (N, 3)
    after = np.linalg.norm(scaled, axis=1, keepdims=True)
    points[:, columns] = scaled * (before / np.where(after > 0, after, 1))
