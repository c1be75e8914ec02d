"""Every family builds sound objects, and many different ones."""
import numpy as np
import pytest

from dcglr_mm.datasets.shapes import (FAMILIES, build_mesh, merge, sample_surface, to_unit_sphere,
                                      triangle_areas)
from dcglr_mm.datasets.shapes.families import chance, count, family, pick, uniform

SEEDS = range(40)


@pytest.fixture(scope='module')
def objects() -> dict[str, list]:
    return {name: [FAMILIES[name](np.random.default_rng([1, seed])) for seed in SEEDS]
            for name in FAMILIES}


def test_there_are_enough_families():
    assert len(FAMILIES) >= 20
    assert {'table', 'chair', 'lamp', 'mug', 'car', 'plane', 'bottle', 'stairs', 'shelf', 'gear',
            'pipe'} <= set(FAMILIES)


@pytest.mark.parametrize('name', sorted(FAMILIES))
def test_meshes_are_finite_with_valid_faces_and_three_extents(objects, name):
    for parts in objects[name]:
        mesh = merge(parts)
        assert np.isfinite(mesh.vertices).all()
        assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
        areas = [triangle_areas(part).sum() for part in parts]
        assert min(areas) > 1e-6 * sum(areas), 'a part without surface'
        points = to_unit_sphere(sample_surface(mesh, 256, np.random.default_rng(0)))
        spread = np.linalg.svd(points - points.mean(axis=0))[1] / np.sqrt(len(points))
        assert spread[2] > 0.01, 'the object is flat'


@pytest.mark.parametrize('name', sorted(FAMILIES))
def test_objects_differ_in_topology_and_proportions(objects, name):
    topologies = {tuple(sorted(len(part.vertices) for part in parts)) for parts in objects[name]}
    assert len(topologies) >= 8, 'few distinct lists of parts'
    extents = np.stack([np.ptp(merge(parts).vertices, axis=0) for parts in objects[name]])
    ratios = extents / extents.max(axis=1, keepdims=True)
    assert len(np.unique(ratios.round(6), axis=0)) >= 30
    assert (ratios[:, 0] / ratios[:, 2]).std() > 0.02 * (ratios[:, 0] / ratios[:, 2]).mean()


@pytest.mark.parametrize('name', sorted(FAMILIES))
def test_the_generator_is_the_object(name):
    first, again, other = (build_mesh(name, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    np.testing.assert_array_equal(first.faces, again.faces)
    assert first.vertices.shape != other.vertices.shape or (first.vertices != other.vertices).any()


def test_building_does_not_touch_shared_arrays():
    before = build_mesh('umbrella', np.random.default_rng(0)).vertices.copy()
    for name in FAMILIES:
        build_mesh(name, np.random.default_rng(3))
    np.testing.assert_array_equal(before, build_mesh('umbrella', np.random.default_rng(0)).vertices)


def test_objects_stand_upright():
    # z is up and +x the front: a chair's back rises at the rear, a rocket tapers upwards.
    for seed in SEEDS:
        vertices = build_mesh('chair', np.random.default_rng([2, seed])).vertices
        assert vertices[vertices[:, 2].argmax(), 0] < -0.15
        vertices = build_mesh('rocket', np.random.default_rng([2, seed])).vertices
        radius, share = np.hypot(*vertices.T[:2]), vertices[:, 2] / vertices[:, 2].max()
        assert radius[share > 0.95].max() < radius[share < 0.3].max()


def test_unknown_family_is_refused_by_name():
    with pytest.raises(ValueError, match="no shape family 'chiar', expected one of .*'chair'"):
        build_mesh('chiar', np.random.default_rng(0))


def test_a_family_cannot_be_defined_twice():
    def chair(rng):
        return []
    with pytest.raises(KeyError, match="'chair' is defined twice"):
        family(chair)


def test_random_helpers_keep_their_ranges():
    rng = np.random.default_rng(0)
    numbers = [uniform(rng, 2, 3) for _ in range(500)]
    assert 2 <= min(numbers) < 2.02 and 2.98 < max(numbers) < 3
    assert {count(rng, 3, 5) for _ in range(200)} == {3, 4, 5}
    assert {pick(rng, 'abc') for _ in range(200)} == set('abc')
    assert sum(chance(rng, 0.25) for _ in range(4000)) == pytest.approx(1000, abs=100)
