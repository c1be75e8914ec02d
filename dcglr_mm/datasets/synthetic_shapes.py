"""The embedded data: procedural objects, made when they are asked for."""
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from ..registry import DATASETS
from .base import SPLITS, PointCloudDataset
from .shapes import (FAMILIES, ROTATIONS, Mesh, build_mesh, cut_half_space, random_direction,
                     random_patches, random_rotation, sample_surface, to_unit_sphere)

# Independent random streams of one object, so that an option changes nothing but its own effect.
_OBJECT, _POSE, _SCAN = range(3)


@DATASETS.register_module()
class SyntheticShapes(PointCloudDataset):
    """Objects of procedural families (chairs, mugs, gears, planes, ...) as point clouds.

    Every object is built as a triangle mesh with random proportions, parts and topology, and
    sampled uniformly by surface area. Overlapping parts keep their whole surface, and inner sides
    of hollow things are surface too. Objects stand upright with **z up** and their front, if they
    have one, towards +x. Clouds are normalised: centroid at 0, farthest point at radius 1.

    An object depends on ``shape_seed``, the split, its class name and its number within the class,
    and on nothing else: not on the order of access, the number of workers, the other classes, or
    ``num_per_class``, so a smaller data set is the beginning of a larger one. Its cloud is the same
    in every epoch unless ``resample`` is set. Train and test share the families, but their objects
    come from different random streams. ``seed`` moves only the pipeline's randomness.

    Item ``i`` belongs to class ``i % len(classes)``, so the first items are balanced too.

    Args:
        num_per_class: Objects of each class in this split.
        num_points: Points of a cloud.
        rotation: Of each object, fixed: ``'none'``, ``'z'`` (any angle about the up axis) or
            ``'so3'`` (uniform over all rotations).
        noise: Standard deviation of Gaussian noise on every coordinate, for a cloud in the unit
            sphere. (The noisy cloud is normalised again, which shrinks it by a few sigma.)
        stretch: Each axis of an object is scaled by its own factor ``exp(u)`` with u uniform in
            [-stretch, stretch], before sampling, so that gross proportions say little.
        occlusion: A random half-space hides a share of each cloud, drawn from
            [0, occlusion]; the rest still has ``num_points`` points. Below 1.
        clutter: Share of the points that lie on pieces of surroundings instead. Below 1.
        resample: Draw new points, occlusion, clutter and noise (a new scan of the same object in
            the same pose) whenever an item is read, from the item's generator of this epoch.
        shape_seed: Chooses the objects.
        classes: Names of families and their order, by default all.
        **kwargs: See :class:`PointCloudDataset`; ``data_root`` is not used.

    Raises:
        ValueError: An unknown class, split or rotation, or a number out of range.
        TypeError: ``classes`` is not a list of names.
    """

    def __init__(self,
                 num_per_class: int = 100,
                 num_points: int = 1024,
                 rotation: str = 'none',
                 noise: float = 0.0,
                 stretch: float = 0.2,
                 occlusion: float = 0.0,
                 clutter: float = 0.0,
                 resample: bool = False,
                 shape_seed: int = 0,
                 classes: Sequence[str] | None = None,
                 **kwargs) -> None:
        if rotation not in ROTATIONS:
            raise ValueError(
                f'SyntheticShapes: rotation must be one of {ROTATIONS}, found {rotation!r}.')
        self.num_per_class = _check_count(num_per_class, 'num_per_class', 1)
        self.num_points = _check_count(num_points, 'num_points', 1)
        self.shape_seed = _check_count(shape_seed, 'shape_seed', 0)
        self.rotation = rotation
        self.noise = _check_share(noise, 'noise')
        self.stretch = _check_share(stretch, 'stretch')
        self.occlusion = _check_share(occlusion, 'occlusion')
        self.clutter = _check_share(clutter, 'clutter')
        self.resample = resample
        _check_families(classes)
        super().__init__(classes=classes, **kwargs)

    def load_classes(self) -> list[str]:
        return sorted(FAMILIES)

    def load_data_list(self) -> list[dict]:
        classes = self.metainfo['classes']
        return [dict(gt_label=label, family=name, number=number)
                for number in range(self.num_per_class) for label, name in enumerate(classes)]

    def read_points(self, info: dict) -> np.ndarray:
        if self.resample:
            scan = np.random.default_rng(self._make_rng(info['sample_idx']).integers(2**63))
        else:
            scan = self._stream(info, _SCAN)
        points = self._scan(self.read_mesh(info), scan)
        rotation = random_rotation(self.rotation, self._stream(info, _POSE))
        return to_unit_sphere(points @ rotation.T).astype(np.float32)

    def read_mesh(self, info: dict) -> Mesh:
        """Build the mesh of the entry ``info`` of the data list: unrotated, in units of its own."""
        rng = self._stream(info, _OBJECT)
        mesh = build_mesh(info['family'], rng)
        factors = np.exp(self.stretch * (2 * rng.random(3) - 1))
        return Mesh(mesh.vertices * factors, mesh.faces)

    def describe(self, info: dict) -> str:
        return f'{super().describe(info)} ({info["family"]} {info["number"]})'

    def _stream(self, info: dict, stream: int) -> np.random.Generator:
        # Not hash(): Python salts it anew in each process.
        family = crc32(info['family'].encode())
        return np.random.default_rng([self.shape_seed, SPLITS.index(self.split), family,
                                      info['number'], stream])

    def _scan(self, mesh: Mesh, rng: np.random.Generator) -> np.ndarray:
        """Sample, occlude, clutter and blur: (num_points, 3), about the unit sphere."""
        strange = min(round(self.clutter * self.num_points), self.num_points - 1)
        own = self.num_points - strange
        if self.occlusion > 0:
            visible = 1 - self.occlusion * rng.random()
            points = sample_surface(mesh, int(np.ceil(own / visible)), rng)
            points = cut_half_space(points, random_direction(rng), own)
        else:
            points = sample_surface(mesh, own, rng)
        points = to_unit_sphere(points)
        if strange:
            points = np.concatenate([points, random_patches(strange, rng)])
        if self.noise > 0:
            points = points + self.noise * rng.standard_normal(points.shape)
        return points


def _check_count(value: int, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(
            f'SyntheticShapes: {key} must be a whole number, {least} or more, found {value!r}.')
    return int(value)


def _check_share(value: float, key: str) -> float:
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not 0 <= value < 1:
        raise ValueError(f'SyntheticShapes: {key} must be a number from 0 to below 1, '
                         f'found {value!r}.')
    return float(value)


def _check_families(classes: Sequence[str] | None) -> None:
    if classes is None:
        return
    if isinstance(classes, str) or not isinstance(classes, Sequence) or not all(
            isinstance(name, str) for name in classes):
        raise TypeError(f'SyntheticShapes: classes must be a list of names, found {classes!r}.')
    unknown = [name for name in classes if name not in FAMILIES]
    if unknown or len(set(classes)) < len(classes) or len(classes) == 0:
        what = f'no family {unknown[0]!r}' if unknown else f'an empty or repeating list {classes!r}'
        raise ValueError(f'SyntheticShapes: classes has {what}; the families are '
                         f'{", ".join(sorted(FAMILIES))}.')
