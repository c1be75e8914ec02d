"""What stands where in a procedural scene for detectors."""
from __future__ import annotations

import numpy as np

from .detection_furniture import FURNITURE, make_furniture
from .rooms.scene import Pose
from .shapes import Mesh, build_mesh, move
from .shapes.solids import box

CLASSES = tuple(FURNITURE)
# What else stands around, without a box.
_CLUTTER = ('lamp', 'ladder', 'guitar', 'umbrella', 'vase', 'bucket')
_TRIES = 40  # places tried for one object


def furnish(required: int, rng: np.random.Generator
             ) -> tuple[list[Mesh], np.ndarray, np.ndarray, np.ndarray]:
    """Furnishes a room, whose floor is z = 0, from (0, 0) to its width and depth.

    Args:
        required: The class, a row of ``CLASSES``, of the object that is placed first.
        rng: Draws everything.

    Returns:
        Meshes of all that is in the room, objects with a box first; boxes (K, 7) and labels (K,)
        of these; the camera's position (3,), near the wall y = 0.
    """
    room = rng.uniform((3.5, 3.5), (5.5, 6.0))
    camera = np.array([room[0] * rng.uniform(0.35, 0.65), 0.15, rng.uniform(1.1, 1.6)])
    taken = [np.array([*camera[:2] - 0.8, *camera[:2] + 0.8])]  # low x, low y, high x, high y
    share = np.array([kind.share for kind in FURNITURE.values()])
    meshes, boxes, labels = [], [], []
    others = rng.choice(len(CLASSES), size=rng.integers(3, 10), p=share / share.sum())
    for label in (required, *others):
        mesh, size = make_furniture(CLASSES[label], rng)
        pose = _place(size, FURNITURE[CLASSES[label]].at_wall, room, taken, rng)
        if pose is not None:
            meshes.append(pose.place(mesh))
            boxes.append([pose.x, pose.y, size[2] / 2, *size, pose.angle])
            labels.append(label)
    for _ in range(rng.integers(0, 4)):
        mesh = build_mesh(_CLUTTER[rng.integers(len(_CLUTTER))], rng)
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        scale = rng.uniform(0.3, 0.8) / (high - low).max()
        size = (high - low) * scale
        pose = _place(size, False, room, taken, rng)
        if pose is not None:
            foot = np.array([*(low + high)[:2] / 2, low[2]])
            meshes.append(pose.place(move(mesh, -foot * scale, scale=scale)))
    return ([*meshes, *_shell(room)], np.array(boxes).reshape(-1, 7),
            np.array(labels, dtype=np.int64), camera)


def _shell(room: np.ndarray) -> list[Mesh]:
    """Floor and the three walls in front of the camera, as thin slabs."""
    width, depth, height = *room, 2.6
    return [box((width, depth, 0.0), (width / 2, depth / 2, 0)),
            box((width, 0.0, height), (width / 2, depth, height / 2)),
            box((0.0, depth, height), (0, depth / 2, height / 2)),
            box((0.0, depth, height), (width, depth / 2, height / 2))]


def _place(size: np.ndarray, at_wall: bool, room: np.ndarray, taken: list[np.ndarray],
           rng: np.random.Generator) -> Pose | None:
    """A free place for a piece, which is then taken; ``None`` if none was found."""
    for _ in range(_TRIES):
        angle = rng.uniform(-np.pi, np.pi)
        if at_wall:  # the back at the left, the right or the far wall, a little askew
            angle = (0.0, np.pi, -np.pi / 2)[rng.integers(3)] + rng.normal(0, 0.06)
        cos, sin = np.cos(angle), np.sin(angle)
        half = np.array([abs(cos) * size[0] + abs(sin) * size[1],
                         abs(sin) * size[0] + abs(cos) * size[1]]) / 2 + 0.03
        if np.any(2 * half > room):
            continue
        place = rng.uniform(half, room - half)
        if at_wall and abs(cos) > 0.7:
            place[0] = half[0] if cos > 0 else room[0] - half[0]
        elif at_wall:
            place[1] = room[1] - half[1]
        rect = np.concatenate([place - half, place + half])
        if not any((rect[:2] < other[2:]).all() and (other[:2] < rect[2:]).all()
                   for other in taken):
            taken.append(rect)
            return Pose(*place, angle)
    return None
