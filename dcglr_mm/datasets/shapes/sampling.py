"""Points drawn uniformly by area from a mesh, and what is then done to a whole cloud."""
from __future__ import annotations

import numpy as np

from .mesh import Mesh, triangle_areas

ROTATIONS = ('none', 'z', 'so3')


def sample_surface(mesh: Mesh, num_points: int, rng: np.random.Generator) -> np.ndarray:
    """Draw independent points, uniform over the surface of a mesh.

    A triangle is drawn with a probability in proportion to its area, then a point uniformly
    inside it: with r1, r2 uniform, ``(1 - sqrt(r1)) A + sqrt(r1) (1 - r2) B + sqrt(r1) r2 C``
    (Osada et al., "Shape Distributions", 2002).

    Returns:
        (num_points, 3) float64.

    Raises:
        ValueError: If the mesh has no area.
    """
    cumulative = np.cumsum(triangle_areas(mesh))
    if len(cumulative) == 0 or not cumulative[-1] > 0:
        raise ValueError(f'cannot sample a mesh without area ({len(mesh.faces)} faces)')
    draws = rng.random((num_points, 3)).T
    chosen = np.searchsorted(cumulative, draws[0] * cumulative[-1], side='right')
    # Rounding may put a draw on the very end of the last interval.
    a, b, c = mesh.vertices[mesh.faces[np.minimum(chosen, len(cumulative) - 1)].T]  # (P, 3) each
    root = np.sqrt(draws[1])[:, None]
    return a + root * (b - a) + (root * draws[2][:, None]) * (c - b)


def random_rotation(kind: str, rng: np.random.Generator) -> np.ndarray:
    """A (3, 3) rotation: 'none' is the identity, 'z' about the up axis, 'so3' uniform (Haar).

    The uniform one is a random unit quaternion (Shoemake, "Uniform random rotations", 1992).
    """
    if kind == 'none':
        return np.eye(3)
    if kind == 'z':
        angle = 2 * np.pi * rng.random()
        cos, sin = np.cos(angle), np.sin(angle)
        return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    if kind == 'so3':
        quaternion = rng.standard_normal(4)
        w, x, y, z = quaternion / np.sqrt(quaternion @ quaternion)
        return np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ])
    raise ValueError(f'rotation must be one of {ROTATIONS}, found {kind!r}.')


def random_direction(rng: np.random.Generator) -> np.ndarray:
    """(3,) unit vector, uniform on the sphere."""
    direction = rng.standard_normal(3)
    return direction / np.sqrt(direction @ direction)


def cut_half_space(points: np.ndarray, direction: np.ndarray, keep: int) -> np.ndarray:
    """Keep the ``keep`` points that lie lowest along ``direction``, in their own order."""
    lowest = np.argpartition(points @ direction, keep - 1)[:keep]
    return points[np.sort(lowest)]


def random_patches(num_points: int, rng: np.random.Generator) -> np.ndarray:
    """Pieces of surroundings for an object in the unit sphere: points on one to three flat discs.

    A disc has a radius of 0.2 to 0.6 and lies, in any attitude, 0.7 to 1 away from the origin.

    Returns:
        (num_points, 3) float64, uniform over each disc.
    """
    number = 1 + int(3 * rng.random())
    points = np.empty((num_points, 3))
    for disc in range(number):
        rows = points[disc::number]
        place = rng.uniform(0.7, 1.0) * random_direction(rng)
        across, along = random_rotation('so3', rng)[:2]
        radius = rng.uniform(0.2, 0.6) * np.sqrt(rng.random(len(rows)))
        angle = 2 * np.pi * rng.random(len(rows))
        rows[:] = (place + (radius * np.cos(angle))[:, None] * across
                   + (radius * np.sin(angle))[:, None] * along)
    return points


def to_unit_sphere(points: np.ndarray) -> np.ndarray:
    """Shift the centroid to the origin and scale the farthest point to radius 1.

    A cloud of one repeated point stays at the origin.
    """
    centered = points - points.mean(axis=0)
    radius = np.sqrt((centered * centered).sum(axis=1).max())
    return centered / radius if radius > 0 else centered
