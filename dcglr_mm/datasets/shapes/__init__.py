"""Procedural object families: triangle meshes from a random generator, and their sampling."""
from . import seating, vessels  # noqa: F401  (each module enters its builders into FAMILIES)
from .families import FAMILIES, build_mesh
from .mesh import Mesh, merge, move, triangle_areas
from .sampling import (ROTATIONS, cut_half_space, random_direction, random_patches,
                       random_rotation, sample_surface, to_unit_sphere)

__all__ = [
    'FAMILIES', 'ROTATIONS', 'Mesh', 'build_mesh', 'cut_half_space', 'merge', 'move',
    'random_direction', 'random_patches', 'random_rotation', 'sample_surface', 'to_unit_sphere',
    'triangle_areas'
]
