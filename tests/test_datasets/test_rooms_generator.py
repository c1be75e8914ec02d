"""SyntheticRooms: what a room depends on, what is in it, and what a scanner sees of it."""
import numpy as np
import pytest

from dcglr_mm.datasets.rooms import KINDS, SyntheticRooms
from dcglr_mm.datasets.rooms.footprint import Footprint, rect_about, wall_place
from dcglr_mm.datasets.rooms.scan import visible_from
from dcglr_mm.datasets.rooms.scene import Pose, fit
from dcglr_mm.datasets.s3dis import CLASSES
from dcglr_mm.datasets.shapes.solids import box

DENSITY = 60.0


def rooms(**kwargs) -> SyntheticRooms:
    return SyntheticRooms(**{'rooms': 3, 'density': DENSITY} | kwargs)


def same(first, second) -> bool:
    return all(np.array_equal(getattr(first, key), getattr(second, key))
               for key in ('xyz', 'rgb', 'labels', 'instances'))


def test_a_room_depends_on_seed_area_and_number_only():
    source = rooms()
    later = source.load('Area_2_office_1')
    source.load('Area_1_office_1')
    assert same(later, source.load('Area_2_office_1'))
    assert same(later, rooms(rooms=1, areas=[2]).load('Area_2_office_1'))
    assert not same(later, rooms(seed=1).load('Area_2_office_1'))


def test_a_smaller_set_is_the_beginning_of_a_larger_one():
    assert rooms(rooms=9, areas=[4]).names[:5] == rooms(rooms=5, areas=[4]).names


def test_areas_have_rooms_and_styles_of_their_own():
    source = rooms()
    extents = [source.load(f'Area_{area}_office_1').from_origin().max(axis=0) for area in (1, 2)]
    assert np.abs(extents[0] - extents[1]).max() > 0.1
    styles = [source.style(area) for area in range(1, 7)]
    assert len({style.wall for style in styles}) == 6
    assert len({style.ceiling for style in styles}) == 6


def test_names_count_each_kind_and_begin_with_an_office():
    names = rooms(rooms=12, areas=[3]).names
    assert names[0] == 'Area_3_office_1'
    for kind in KINDS:
        numbers = [int(name.rpartition('_')[2]) for name in names if f'_{kind}_' in name]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_first_room_of_every_area_shows_all_classes():
    source = rooms(rooms=1, density=150.0)
    for name in source.names:
        counts = np.bincount(source.load(name).labels, minlength=13)
        assert counts.min() >= 15, dict(zip(CLASSES, counts.tolist()))


def test_density_changes_how_densely_a_room_is_sampled_and_not_what_is_in_it():
    thin, dense = (rooms(density=d).load('Area_1_office_1') for d in (100.0, 400.0))
    assert len(dense.xyz) / len(thin.xyz) == pytest.approx(4.0, rel=0.05)
    np.testing.assert_allclose(dense.from_origin().max(axis=0), thin.from_origin().max(axis=0),
                               atol=0.05)
    shares = [np.bincount(r.labels, minlength=13) / len(r.labels) for r in (thin, dense)]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.02)


def test_a_room_is_metric_upright_and_numbered():
    for name in ('Area_1_office_1', 'Area_2_office_1'):
        room = rooms().load(name)
        extent = room.from_origin().max(axis=0)
        assert 2.4 < extent[2] < 3.8 and 2.5 < extent[:2].min() and extent[:2].max() < 12
        height = room.from_origin()[:, 2]
        floor, ceiling = (height[room.labels == CLASSES.index(c)] for c in ('floor', 'ceiling'))
        # Flat up to the noise of the scan.
        assert floor.std() < 0.01 and ceiling.std() < 0.01
        assert ceiling.mean() - floor.mean() > 2.4
        assert room.rgb.min() >= 0 and room.rgb.max() <= 255
        assert np.array_equal(room.rgb, np.rint(room.rgb))
        assert np.array_equal(np.unique(room.instances), np.arange(1, room.instances.max() + 1))
        for instance in range(1, room.instances.max() + 1):
            assert len(np.unique(room.labels[room.instances == instance])) == 1


def test_height_alone_does_not_solve_the_task():
    source = rooms(rooms=2, density=100.0, areas=[1, 2, 3, 6])
    counts, confusion = np.zeros((80, 13)), np.zeros((13, 13))
    for name in source.names:
        room = source.load(name)
        level = np.clip((room.from_origin()[:, 2] / 0.05).astype(int), 0, 79)
        if name.startswith('Area_6'):
            np.add.at(confusion, (room.labels, counts.argmax(axis=1)[level]), 1)
        else:
            np.add.at(counts, (level, room.labels), 1)
    hits = np.diag(confusion)
    iou = hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)
    assert iou[CLASSES.index('floor')] > 0.6  # height tells something
    assert iou.mean() < 0.25


def test_what_lies_behind_another_thing_is_not_seen():
    rng = np.random.default_rng(0)
    front, behind = rng.uniform(-0.5, 0.5, (2, 4000, 2))
    points = np.concatenate([np.insert(front, 0, 2.0, axis=1), np.insert(2 * behind, 0, 4.0, 1)])
    seen = visible_from(np.zeros(3), points, points, np.tile([1.0, 0.0, 0.0], (8000, 1)))
    assert seen[:4000].all()
    # The far square is twice as large and twice as far away: it is hidden but for its rim.
    inner = np.abs(behind).max(axis=1) < 0.45
    assert not seen[4000:][inner].any()


def test_a_floor_seen_at_a_low_angle_does_not_hide_itself():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.uniform((0.5, -4), (8, 4), (20000, 2)), np.zeros((20000, 1))], 1)
    up = np.tile([0.0, 0.0, 1.0], (20000, 1))
    assert visible_from(np.array([0.0, 0.0, 1.4]), points, points, up).all()


def test_the_back_of_a_thin_board_is_hidden_by_its_front():
    rng = np.random.default_rng(1)
    face = rng.uniform((-0.5, 0.5), (0.5, 1.5), (6000, 2))
    points = np.concatenate([np.insert(face, 0, x, axis=1) for x in (2.0, 2.04)])
    ahead = np.tile([1.0, 0.0, 0.0], (12000, 1))
    seen = visible_from(np.array([0.0, 0.0, 1.5]), points, points, ahead)
    assert seen[:6000].all() and seen[6000:].mean() < 0.03


def test_furniture_at_a_wall_has_its_back_to_it_and_its_front_to_the_room():
    plan = Footprint(4.0, 3.0)
    for wall in plan.walls:
        pose = wall.pose(wall.length / 2, inward=1.0)
        assert plan.inside(pose.x, pose.y, 0.5)
        ahead, back = pose.shifted(0.4), pose.shifted(-1.4)
        assert plan.inside(ahead.x, ahead.y) and not plan.inside(back.x, back.y)


def test_placed_things_do_not_overlap_and_stay_in_an_l_shaped_room():
    plan, rng = Footprint(6.0, 5.0, cut=(2.0, 1.5)), np.random.default_rng(3)
    assert plan.area == pytest.approx(27.0)
    taken = []
    for _ in range(12):
        pose = wall_place(rng, plan, 1.0, 0.5, 0.0, 1.0)
        if pose is not None:
            taken.append(rect_about(pose, 0.5, 1.0, 0.25))
    assert len(taken) >= 8
    for i, (x0, y0, x1, y1) in enumerate(taken):
        assert plan.inside((x0 + x1) / 2, (y0 + y1) / 2, 0.2)
        for a, b, c, d in taken[:i]:
            assert min(x1, c) - max(x0, a) < 1e-9 or min(y1, d) - max(y0, b) < 1e-9


def test_fit_scales_stands_and_centres():
    mesh = fit(box((2.0, 4.0, 1.0), (5.0, 5.0, 5.0)), (1.0, 1.0, None))
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    # The free direction gets the mean of the factors 1/2 and 1/4.
    np.testing.assert_allclose([low, high], [[-0.5, -0.5, 0.0], [0.5, 0.5, 0.375]])


def test_poses_nest():
    pose = Pose(1.0, 2.0, np.pi / 2).shifted(1.0, 0.5, 0.7, np.pi / 2)
    np.testing.assert_allclose([pose.x, pose.y, pose.z, pose.angle], [0.5, 3.0, 0.7, np.pi])


@pytest.mark.parametrize('key, value', [('rooms', 0), ('seed', -1), ('density', 0.0),
                                        ('areas', [7]), ('areas', []), ('areas', [1, 1])])
def test_wrong_settings_are_named(key, value):
    with pytest.raises(ValueError, match=f'SyntheticRooms: {key} must be'):
        SyntheticRooms(**{key: value})
