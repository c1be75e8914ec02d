"""Procedural object families: triangle meshes from a random generator, and their sampling."""
# Each of these modules enters its builders into FAMILIES.
from . import (  # noqa: F401
    architecture, craft, household, mechanical, nature, seating, storage, vehicles, vessels)
from .families import FAMILIES, build_mesh
from .mesh import Mesh, merge, move, triangle_areas
from .sampling import (ROTATIONS, cut_half_space, random_direction, random_patches,
                       random_rotation, sample_surface, to_unit_sphere)

__all__ = [
    'FAMILIES', 'ROTATIONS', 'Mesh', 'build_mesh', 'cut_half_space', 'merge', 'move',
    'random_direction', 'random_patches', 'random_rotation', 'sample_surface', 'to_unit_sphere',
    'triangle_areas'
]
