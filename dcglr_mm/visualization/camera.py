"""An orthographic camera and the light that make a point cloud readable on paper."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_UP_AXES = ('x', 'y', 'z')


@dataclass(frozen=True)
class Camera:
    """A camera that looks at the origin from far away.

    Args:
        azimuth: Degrees around the up axis.
        elevation: Degrees above the ground.
        up: The cloud's vertical axis: ``'y'`` in ShapeNet and ModelNet40 H5 files, ``'z'`` in ours.
    """
    azimuth: float = 30.0
    elevation: float = 20.0
    up: str = 'z'

    def __post_init__(self) -> None:
        if self.up not in _UP_AXES:
            raise ValueError(f'Camera.up is {self.up!r}; it must be one of {_UP_AXES}')

    def rotation(self) -> np.ndarray:
        """Rows are the image's right, up and towards-the-viewer directions, (3, 3) float64."""
        turn, rise = np.deg2rad([self.azimuth, self.elevation])
        # In a frame whose third axis is up; viewed from +x at azimuth 0.
        right = [-np.sin(turn), np.cos(turn), 0.0]
        up = [-np.sin(rise) * np.cos(turn), -np.sin(rise) * np.sin(turn), np.cos(rise)]
        towards = [np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)]
        # A cyclic shift of the axes keeps the handedness: (x, y, z)-up reads (y, z, x), ...
        return np.roll(np.array([right, up, towards]), _UP_AXES.index(self.up) - 2, axis=1)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Turn (N, >=3) points into (N, 3): image x, image y, nearness to the viewer."""
        return np.asarray(points, np.float64)[:, :3] @ self.rotation().T


def estimate_normals(points: np.ndarray, num_neighbors: int = 12) -> np.ndarray:
    """Unit surface normals, sign arbitrary, from the plane through each point's neighbours.

    Args:
        points: (N, 3). Fewer than three points give normals along the last axis.
    """
    from scipy.spatial import cKDTree

    count = len(points)
    if count < 3:
        return np.tile([0.0, 0.0, 1.0], (count, 1))
    k = min(num_neighbors, count)
    _, index = cKDTree(points).query(points, k=k)
    patch = points[index]  # (N, k, 3)
    patch = patch - patch.mean(axis=1, keepdims=True)
    _, vectors = np.linalg.eigh(np.einsum('nki,nkj->nij', patch, patch))
    return vectors[:, :, 0]  # eigenvectors come by ascending eigenvalue


def lambert(projected: np.ndarray, light=(-0.45, 0.6, 0.66)) -> np.ndarray:
    """Brightness in [0, 1] of a two-sided surface at projected points (N, 3)."""
    return np.abs(estimate_normals(projected) @ (np.asarray(light) / np.linalg.norm(light)))


def nearness(projected: np.ndarray) -> np.ndarray:
    """Depth of projected points (N, 3) scaled to 0 (farthest) ... 1 (nearest)."""
    depth = projected[:, 2]
    extent = np.ptp(depth)
    return (depth - depth.min()) / extent if extent > 0 else np.ones_like(depth)
