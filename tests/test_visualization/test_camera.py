import numpy as np
import pytest

from dcglr_mm.visualization import Camera, estimate_normals
from dcglr_mm.visualization.camera import lambert, nearness


@pytest.mark.parametrize('up', ['x', 'y', 'z'])
@pytest.mark.parametrize('azimuth, elevation', [(0, 0), (30, 20), (200, -35)])
def test_camera_is_a_proper_rotation(up, azimuth, elevation):
    rotation = Camera(azimuth, elevation, up).rotation()
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)


@pytest.mark.parametrize('up', ['x', 'y', 'z'])
def test_up_axis_points_up_in_the_image_at_any_azimuth(up):
    axis = np.eye(3)['xyz'.index(up)]
    for azimuth in (0, 77, 180):
        x, y, depth = Camera(azimuth, 0, up).project(axis[None])[0]
        np.testing.assert_allclose([x, y, depth], [0, 1, 0], atol=1e-12)


def test_front_of_a_z_up_object_faces_the_viewer_at_azimuth_zero():
    # Front is +x, left is +y: the viewer sees +y on the right-hand side.
    camera = Camera(0, 0, 'z')
    np.testing.assert_allclose(camera.project(np.eye(3)), [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
                               atol=1e-12)


def test_from_above_the_top_is_nearest():
    np.testing.assert_allclose(Camera(0, 90, 'z').project(np.array([[0, 0, 2.]])), [[0, 0, 2]],
                               atol=1e-12)


def test_extra_channels_are_ignored():
    points = np.random.default_rng(0).normal(size=(5, 6))
    np.testing.assert_array_equal(Camera().project(points), Camera().project(points[:, :3]))


def test_unknown_up_axis_is_named():
    with pytest.raises(ValueError, match="up is 'w'"):
        Camera(up='w')


def test_normals_of_a_tilted_plane():
    rng = np.random.default_rng(0)
    normal = np.array([1, 2, 2]) / 3
    basis = np.linalg.svd(normal[None])[2][1:]  # two directions within the plane
    points = rng.uniform(-1, 1, (60, 2)) @ basis + 5
    np.testing.assert_allclose(np.abs(estimate_normals(points) @ normal), 1, atol=1e-9)


@pytest.mark.parametrize('count', [1, 2, 3])
def test_normals_of_tiny_clouds_are_unit_vectors(count):
    normals = estimate_normals(np.random.default_rng(0).normal(size=(count, 3)))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)


def test_surface_facing_the_light_is_brightest():
    grid = np.stack(np.meshgrid(np.arange(6.), np.arange(6.)), -1).reshape(-1, 2)
    facing = np.c_[grid, np.zeros(len(grid))]
    edge_on = np.c_[grid[:, 0], np.zeros(len(grid)), grid[:, 1]]
    np.testing.assert_allclose(lambert(facing, light=(0, 0, 1)), 1)
    np.testing.assert_allclose(lambert(edge_on, light=(0, 0, 1)), 0, atol=1e-9)


def test_nearness_runs_from_zero_to_one_and_a_flat_view_is_near():
    np.testing.assert_allclose(nearness(np.array([[0, 0, -1.], [0, 0, 3], [0, 0, 1]])), [0, 1, .5])
    np.testing.assert_allclose(nearness(np.zeros((4, 3))), 1)
