"""What a room consists of before it is scanned: labelled meshes with a paint each."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..s3dis.classes import CLASSES
from ..shapes.mesh import Mesh, about, merge, move


@dataclass(frozen=True)
class Paint:
    """How a surface looks to the scanner.

    Attributes:
        color: RGB, 0 to 255.
        pattern: One of the patterns of :mod:`.paint`.
        echo: Share of the points that come back: little from glass, less from black screens.
    """

    color: tuple[float, float, float]
    pattern: str = 'plain'
    echo: float = 1.0


@dataclass(frozen=True)
class Item:
    """One surface of one object."""

    label: int
    instance: int
    mesh: Mesh
    paint: Paint


@dataclass
class Scene:
    """A room's surfaces, in metres, with the floor at z = 0.

    Attributes:
        items: The surfaces.
        objects: Number of annotated objects so far.
    """

    items: list[Item] = field(default_factory=list)
    objects: int = 0

    def add(self, name: str, *parts: tuple[Mesh | Sequence[Mesh], Paint]) -> None:
        """Add one object of the class ``name`` that consists of painted parts."""
        self.objects += 1
        for mesh, paint in parts:
            whole = mesh if isinstance(mesh, Mesh) else merge(mesh)
            self.items.append(Item(CLASSES.index(name), self.objects, whole, paint))


@dataclass(frozen=True)
class Pose:
    """Where an object stands: its origin, and the direction that its front (+x) looks to.

    Attributes:
        x, y: Place on the floor.
        angle: Of the front, radians.
        z: Height of the object's own floor.
    """

    x: float
    y: float
    angle: float
    z: float = 0.0

    def place(self, mesh: Mesh | Sequence[Mesh]) -> Mesh:
        """Bring a mesh, or parts of one, from the object's frame into the room's."""
        whole = mesh if isinstance(mesh, Mesh) else merge(mesh)
        return move(whole, (self.x, self.y, self.z), about('z', self.angle))

    def shifted(self, forward: float, left: float = 0.0, z: float = 0.0,
                turn: float = 0.0) -> Pose:
        """A pose given in this one's frame."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        return Pose(self.x + forward * cos - left * sin, self.y + forward * sin + left * cos,
                    self.angle + turn, self.z + z)


def fit(mesh: Mesh, size: Sequence[float | None]) -> Mesh:
    """Scale a mesh to a size along x, y, z and stand it on z = 0, centred in x and y.

    Args:
        mesh: Anything with extent in the given directions.
        size: Metres; None keeps the proportion to the mean factor of the given directions.
    """
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    given = [wanted / length for wanted, length in zip(size, high - low) if wanted is not None]
    factor = [wanted / length if wanted is not None else float(np.mean(given))
              for wanted, length in zip(size, high - low)]
    foot = np.array([*(low[:2] + high[:2]) / 2, low[2]])
    return Mesh((mesh.vertices - foot) * factor, mesh.faces)
