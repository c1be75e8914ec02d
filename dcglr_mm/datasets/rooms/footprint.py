"""The plan of a room: a rectilinear outline, its walls, and what of it is still free."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..shapes.families import chance, uniform
from .scene import Pose

Rect = tuple[float, float, float, float]  # x0, y0, x1, y1


@dataclass
class Wall:
    """One straight wall, seen from inside.

    Attributes:
        start: (2,) the end where a walk with the room at the left hand begins.
        along: (2,) unit vector of that walk.
        length: Metres.
        taken: Stretches (from, to, low, high) that doors, windows, boards and furniture use, along
            the wall and in height.
    """

    start: np.ndarray
    along: np.ndarray
    length: float
    taken: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def angle(self) -> float:
        """Direction of the inward normal, radians."""
        return float(np.arctan2(self.along[0], -self.along[1]))

    def pose(self, s: float, inward: float = 0.0, z: float = 0.0) -> Pose:
        """The pose of something whose back is to the wall, ``s`` metres along it."""
        normal = np.array([-self.along[1], self.along[0]])
        x, y = self.start + s * self.along + inward * normal
        return Pose(float(x), float(y), self.angle, z)

    def free(self, start: float, stop: float, low: float, high: float) -> bool:
        """Whether nothing else uses a stretch of the wall."""
        if start < 0 or stop > self.length:
            return False
        return not any(start < b and a < stop and low < d and c < high
                       for a, b, c, d in self.taken)

    def take(self, start: float, stop: float, low: float, high: float) -> None:
        """Note that a stretch is used."""
        self.taken.append((start, stop, low, high))


class Footprint:
    """A rectangle, or an L: a rectangle without one corner.

    Args:
        width: Along x, metres.
        depth: Along y.
        cut: Size (x, y) of the corner at (width, depth) that is missing, or None.
    """

    def __init__(self, width: float, depth: float, cut: tuple[float, float] | None = None) -> None:
        self.width, self.depth, self.cut = width, depth, cut
        if cut is None:
            corners = [(0, 0), (width, 0), (width, depth), (0, depth)]
            self.rects: list[Rect] = [(0, 0, width, depth)]
        else:
            x, y = width - cut[0], depth - cut[1]
            corners = [(0, 0), (width, 0), (width, y), (x, y), (x, depth), (0, depth)]
            self.rects = [(0, 0, width, y), (0, y, x, depth)]
        ring = np.array(corners, dtype=np.float64)
        self.walls = []
        for start, stop in zip(ring, np.roll(ring, -1, axis=0)):
            length = float(np.abs(stop - start).sum())
            self.walls.append(Wall(start, (stop - start) / length, length))
        self.blocked: list[Rect] = []

    @property
    def area(self) -> float:
        """Square metres."""
        return sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in self.rects)

    def inside(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Whether a point is in the room, ``margin`` away from its walls."""
        if not (margin <= x <= self.width - margin and margin <= y <= self.depth - margin):
            return False
        return self.cut is None or not (x > self.width - self.cut[0] - margin
                                        and y > self.depth - self.cut[1] - margin)

    def free(self, rect: Rect) -> bool:
        """Whether a rectangle is inside the room and touches nothing that stands there."""
        x0, y0, x1, y1 = rect
        eps = 1e-6
        corners = ((x0 + eps, y0 + eps), (x1 - eps, y0 + eps), (x0 + eps, y1 - eps),
                   (x1 - eps, y1 - eps))
        if not all(self.inside(x, y) for x, y in corners):
            return False
        return not any(x0 < d and a < x1 and y0 < e and b < y1 for a, b, d, e in self.blocked)

    def block(self, rect: Rect) -> None:
        """Note that a rectangle is used."""
        self.blocked.append(rect)


def rect_about(pose: Pose, depth: float, width: float, forward: float = 0.0) -> Rect:
    """The bounding rectangle of something ``depth`` x ``width`` in its own frame.

    Args:
        pose: Its pose.
        depth: Extent along its front.
        width: Extent across.
        forward: Where its middle is, along its front.
    """
    cos, sin = np.cos(pose.angle), np.sin(pose.angle)
    x, y = pose.x + forward * cos, pose.y + forward * sin
    half_x = (abs(cos) * depth + abs(sin) * width) / 2
    half_y = (abs(sin) * depth + abs(cos) * width) / 2
    return (x - half_x, y - half_y, x + half_x, y + half_y)


def draw_footprint(rng: np.random.Generator, width: float, depth: float,
                   bent: float = 0.0) -> Footprint:
    """A rectangle, or with the probability ``bent`` an L of that outer size."""
    if chance(rng, bent) and min(width, depth) > 3.5:
        return Footprint(width, depth, (uniform(rng, 0.25, 0.45) * width,
                                        uniform(rng, 0.25, 0.45) * depth))
    return Footprint(width, depth)


def wall_place(rng: np.random.Generator, plan: Footprint, width: float, depth: float,
               low: float, high: float, clear: float = 0.0, tries: int = 30,
               floor: bool = True) -> Pose | None:
    """Find and take a place for something with its back to a wall.

    Args:
        plan: The room.
        width: Along the wall.
        depth: From the wall.
        low: Lowest height at which it uses the wall.
        high: Highest.
        clear: Free floor in front of it.
        tries: Places tried.
        floor: Whether it stands on the floor.

    Returns:
        The pose of its back's middle, on the floor; None where there was no room.
    """
    lengths = np.array([max(0.0, wall.length - width) for wall in plan.walls])
    if not lengths.sum() > 0:
        return None
    ends = np.cumsum(lengths)
    for _ in range(tries):
        at = rng.random() * ends[-1]
        wall = plan.walls[int(np.searchsorted(ends, at, side='right'))]
        s = width / 2 + rng.random() * (wall.length - width)
        pose = wall.pose(s)
        if not wall.free(s - width / 2, s + width / 2, low, high):
            continue
        rect = rect_about(pose, depth + clear, width, (depth + clear) / 2)
        if floor and not plan.free(rect):
            continue
        wall.take(s - width / 2, s + width / 2, low, high)
        if floor:
            plan.block(rect_about(pose, depth, width, depth / 2))
        return pose
    return None


def floor_place(rng: np.random.Generator, plan: Footprint, depth: float, width: float,
                clear: float = 0.3, tries: int = 30) -> Pose | None:
    """Find and take a place for something that stands free, at a right angle to the walls."""
    for _ in range(tries):
        pose = Pose(uniform(rng, 0, plan.width), uniform(rng, 0, plan.depth),
                    np.pi / 2 * int(rng.random() * 4))
        if plan.free(rect_about(pose, depth + 2 * clear, width + 2 * clear)):
            plan.block(rect_about(pose, depth, width))
            return pose
    return None
