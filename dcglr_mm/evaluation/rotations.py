"""Fixed random rotations, so that every network is scored on the same rotated shapes."""
import numpy as np
import torch
from torch import Tensor


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Return a (3, 3) float64 rotation matrix, uniform on SO(3).

    A unit quaternion with normally distributed components is uniform on the 3-sphere (Shoemake
    1992).
    """
    w, x, y, z = _unit(rng.normal(size=4))
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


class FixedRotation:
    """Rotate cloud ``index`` about the origin by a rotation that its index and a seed fix.

    Args:
        kind (str): ``'so3'`` for any rotation, ``'z'`` for a rotation about the third axis,
            ``'none'`` for none.
        seed (int | tuple[int, ...]): Seed; train and test take different ones.

    Raises:
        ValueError: An unknown kind.
    """
    KINDS = ('none', 'z', 'so3')

    def __init__(self, kind: str = 'so3', seed: int | tuple[int, ...] = 0) -> None:
        if kind not in self.KINDS:
            raise ValueError(f'unknown rotation {kind!r}, expected one of {self.KINDS}')
        self.kind = kind
        self.seed = (seed, ) if isinstance(seed, int) else tuple(seed)

    def matrix(self, index: int) -> np.ndarray:
        """Return the rotation of cloud ``index``, (3, 3) float64."""
        rng = np.random.default_rng([*self.seed, index])
        if self.kind == 'so3':
            return random_rotation(rng)
        if self.kind == 'none':
            return np.eye(3)
        angle = rng.uniform(0, 2 * np.pi)
        c, s = np.cos(angle), np.sin(angle)
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.]])

    def __call__(self, points: Tensor, index: int) -> Tensor:
        """Return rotated points (N, C); channels after xyz are carried along unchanged."""
        if self.kind == 'none':
            return points
        rotation = torch.from_numpy(self.matrix(index))
        xyz = (points[:, :3].double() @ rotation.T).to(points.dtype)
        return torch.cat([xyz, points[:, 3:]], dim=1)
