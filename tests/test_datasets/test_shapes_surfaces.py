"""Areas of the primitives against their formulas, and uniformity of the points drawn on them."""
import numpy as np
import pytest

from dcglr_mm.datasets.shapes import (cut_half_space, merge, move, random_patches, random_rotation,
                                      sample_surface, to_unit_sphere, triangle_areas)
from dcglr_mm.datasets.shapes.architecture import _stepped_block
from dcglr_mm.datasets.shapes.mesh import Mesh, about, around
from dcglr_mm.datasets.shapes.solids import beam, box, frustum, prism, rod, wedge
from dcglr_mm.datasets.shapes.surfaces import circle, ellipsoid, lathe, sweep, torus, tube

FINE = 2000
LINE = [(0.0, 0.0, 0.0), (0.0, 0.0, 3.0)]


def area(mesh: Mesh) -> float:
    return triangle_areas(mesh).sum()


@pytest.mark.parametrize('mesh, expected', [
    (box((1, 2, 3), (5, 5, 5)), 22),
    (beam((0, 0, 0), (3, 4, 0), 1, 2), 2 * (1 * 2 + 1 * 5 + 2 * 5)),
    (wedge((2, 2), (2, 2), 3), 2 * 4 + 4 * 6),
    (wedge((2, 2), (0, 0), 1), 4 + 4 * np.sqrt(2)),  # a pyramid
    (prism(circle(4), 1), 2 * 2 + 4 * np.sqrt(2)),  # a square of side sqrt(2)
    (prism(2 * circle(4), 1, hole=circle(4)), 2 * (8 - 2) + 4 * np.sqrt(2) * (2 + 1)),
    (_stepped_block(3, wide=2, rise=1, run=1), 2 * (1 + 2 + 3) + 2 * (3 + 3) + 2 * 3 + 2 * 3),
])
def test_area_of_flat_solids_is_exact(mesh, expected):
    assert area(mesh) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('mesh, expected', [
    (frustum(1, 1, 3, segments=FINE), 2 * np.pi * 3 + 2 * np.pi),
    (frustum(2, 1, 1, segments=FINE, caps=False), np.pi * 3 * np.sqrt(2)),
    (rod((1, 1, 1), (1, 5, 4), 0.5, segments=FINE), 2 * np.pi * 0.5 * 5 + 2 * np.pi * 0.25),
    (sweep(LINE, 1, (0, 1, 0), segments=FINE), 2 * np.pi * 3 + 2 * np.pi),
    (tube(LINE, (1, 0.5), (0, 1, 0), FINE), 2 * np.pi * 3 * 1.5 + 2 * np.pi * 0.75),
    (lathe([(0, 0), (3, 4)], FINE), np.pi * 3 * 5),
    (ellipsoid(2, segments=500), 16 * np.pi),
    (ellipsoid(1, start=0.5, segments=500), 2 * np.pi),
    (torus(3, 1, segments=400, sides=400), 12 * np.pi**2),
])
def test_area_of_round_surfaces_tends_to_the_formula(mesh, expected):
    assert area(mesh) == pytest.approx(expected, rel=1e-4)


def test_area_of_a_coarse_cylinder_is_that_of_its_prism():
    side, apothem = 2 * np.sin(np.pi / 6), np.cos(np.pi / 6)
    assert area(frustum(1, 1, 2, segments=6)) == pytest.approx(6 * side * 2 + 6 * side * apothem)


@pytest.mark.parametrize('start, stop', [((0, 0, 0), (0, 0, -2)), ((1, 2, 3), (2, 2, 2)),
                                         ((0, 1, 0), (0, 3, 0))])
def test_rod_and_beam_lie_about_their_axis(start, stop):
    axis = np.subtract(stop, start) / np.linalg.norm(np.subtract(stop, start))
    for mesh, reach in ((rod(start, stop, 0.5), 0.5), (beam(start, stop, 0.6, 0.8), 0.5)):
        along = (mesh.vertices - start) @ axis
        distance = np.linalg.norm(mesh.vertices - start - along[:, None] * axis, axis=1)
        assert np.sort(np.unique(along.round(9))) == pytest.approx(
            [0, np.linalg.norm(np.subtract(stop, start))])
        assert distance.max() == pytest.approx(reach)


def test_move_scales_then_rotates_then_shifts():
    point = Mesh(np.array([[1.0, 0.0, 0.0]]), np.zeros((0, 3), int))
    moved = move(point, offset=(0, 0, 5), rotation=about('z', np.pi / 2), scale=(2, 1, 1))
    np.testing.assert_allclose(moved.vertices, [[0, 2, 5]], atol=1e-12)


def test_around_repeats_evenly():
    point = Mesh(np.array([[1.0, 0.0, 0.0]]), np.zeros((0, 3), int))
    places = np.concatenate([part.vertices for part in around(point, 4)])
    np.testing.assert_allclose(places, [[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0]], atol=1e-12)


def test_merge_keeps_every_face():
    first, second = box((1, 1, 1)), box((2, 1, 1), (9, 0, 0))
    both = merge([first, second])
    np.testing.assert_array_equal(triangle_areas(both), np.concatenate(
        [triangle_areas(first), triangle_areas(second)]))
    with pytest.raises(ValueError, match='empty list'):
        merge([])


def test_points_fall_on_faces_in_proportion_to_area():
    size, number = np.array([1.0, 2.0, 4.0]), 40_000
    points = sample_surface(box(size), number, np.random.default_rng(0))
    on_face = np.abs(np.abs(points) - size / 2) < 1e-12  # (P, 3)
    assert (on_face.sum(axis=1) == 1).all()
    counts = np.array([((points[:, i] * sign > 0) & on_face[:, i]).sum()
                       for i in range(3) for sign in (-1, 1)])
    expected = number * np.repeat([8, 4, 2], 2) / 28
    assert ((counts - expected)**2 / expected).sum() < 20.5  # chi-square, 5 degrees, p = 0.001


def test_points_are_uniform_within_a_triangle():
    corners = np.array([[0.0, 0, 0], [3, 0, 0], [1, 2, 0]])
    points = sample_surface(Mesh(corners, np.array([[0, 1, 2]])), 40_000, np.random.default_rng(1))
    weights = np.linalg.solve(np.vstack([corners[:, :2].T, np.ones(3)]),
                              np.vstack([points[:, :2].T, np.ones(len(points))]))
    assert weights.min() > -1e-12
    # Halving the sides cuts a triangle into four equal ones: three at the corners, one inside.
    counts = np.append((weights > 0.5).sum(axis=1), (weights <= 0.5).all(axis=0).sum())
    assert ((counts - 10_000)**2 / 10_000).sum() < 16.3  # chi-square, 3 degrees, p = 0.001


def test_heights_on_a_sphere_are_uniform():
    # Archimedes: equal slices of a sphere have equal area.
    points = sample_surface(ellipsoid(1, segments=200), 20_000, np.random.default_rng(2))
    heights = np.sort(points[:, 2])
    gap = np.abs(heights - np.linspace(-1, 1, len(heights))).max() / 2
    assert gap < 1.95 / np.sqrt(len(heights))  # Kolmogorov-Smirnov, p = 0.001


def test_sampling_is_reproducible_and_refuses_a_mesh_without_area():
    mesh = torus(1, 0.2)
    first, second = (sample_surface(mesh, 50, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    flat = Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match='without area'):
        sample_surface(flat, 10, np.random.default_rng(0))


def test_so3_rotations_are_proper_and_haar_distributed():
    rng = np.random.default_rng(4)
    matrices = np.stack([random_rotation('so3', rng) for _ in range(4000)])
    np.testing.assert_allclose(matrices @ matrices.transpose(0, 2, 1),
                               np.broadcast_to(np.eye(3), matrices.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-12)
    # Of a uniform rotation every entry has mean 0 and variance 1/3, and trace has mean square 1.
    assert np.abs(matrices.mean(axis=0)).max() < 4 * np.sqrt(1 / 3 / 4000)
    np.testing.assert_allclose((matrices**2).mean(axis=0), 1 / 3, atol=0.02)
    traces = matrices.trace(axis1=1, axis2=2)
    assert (traces**2).mean() == pytest.approx(1, abs=0.1)


def test_z_rotations_keep_the_up_axis_and_take_all_angles():
    rng = np.random.default_rng(5)
    matrices = np.stack([random_rotation('z', rng) for _ in range(1000)])
    np.testing.assert_array_equal(matrices[:, 2], np.tile([0, 0, 1], (1000, 1)))
    np.testing.assert_allclose(np.linalg.det(matrices), 1, atol=1e-12)
    angles = np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
    counts = np.histogram(angles, 10, (-np.pi, np.pi))[0]
    assert ((counts - 100)**2 / 100).sum() < 27.9  # chi-square, 9 degrees, p = 0.001


def test_no_rotation_is_the_identity_and_an_unknown_one_is_refused():
    np.testing.assert_array_equal(random_rotation('none', np.random.default_rng(0)), np.eye(3))
    with pytest.raises(ValueError, match="rotation must be one of .*'so3'.* found 'y'"):
        random_rotation('y', np.random.default_rng(0))


def test_cut_half_space_keeps_the_lowest_in_order():
    points = np.array([[3.0, 0, 0], [1, 9, 0], [2, 0, 0], [0, 0, 5]])
    np.testing.assert_array_equal(cut_half_space(points, np.array([1.0, 0, 0]), 2), points[[1, 3]])
    np.testing.assert_array_equal(cut_half_space(points, np.array([-1.0, 0, 0]), 2), points[[0, 2]])


def test_to_unit_sphere_by_hand():
    points = np.array([[0.0, 0, 0], [4, 0, 0], [2, 6, 0]])  # centroid (2, 2, 0), farthest (2, 6, 0)
    np.testing.assert_allclose(to_unit_sphere(points), [[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 1, 0]])
    np.testing.assert_array_equal(to_unit_sphere(np.full((5, 3), 7.0)), np.zeros((5, 3)))


def test_patches_are_flat_discs_near_the_sphere():
    for seed in range(20):
        points = random_patches(90, np.random.default_rng(seed))
        radius = np.linalg.norm(points, axis=1)
        assert radius.min() > 0.05 and radius.max() < 1.6
        flat = []
        for number in (1, 2, 3):
            discs = [points[i::number] for i in range(number)]
            flat.append(max(np.linalg.svd(d - d.mean(axis=0))[1][2] for d in discs) < 1e-9)
        assert any(flat)
