"""Whole rooms are held out or drawn, the same for every wrapper of one data set."""
import numpy as np
import pytest

from dcglr_mm.datasets import PointCloudDataset, RoomSubset

ROOMS = ['Area_1_office_1'] * 3 + ['Area_1_hall_1'] * 2 + ['Area_2_office_1'] * 4 + [
    'Area_2_office_2', 'Area_3_hall_1', 'Area_1_office_1']


class Blocks(PointCloudDataset):
    """Twelve blocks of five rooms."""

    def load_data_list(self):
        return [dict(room=room) for room in ROOMS]

    def read_points(self, info):
        return np.full((2, 3), info['sample_idx'], np.float32)


def fold(part, index=0, num=2, **more):
    return RoomSubset(Blocks(), fold=dict(num=num, index=index, part=part, **more))


@pytest.mark.parametrize('num', [2, 3, 5])
def test_folds_cut_no_room_and_hold_each_room_out_once(num):
    held_out = []
    for index in range(num):
        train, val = fold('train', index, num), fold('val', index, num)
        assert not set(train.rooms) & set(val.rooms)
        assert sorted([*train.rows, *val.rows]) == list(range(12))
        for part in (train, val):
            assert {part.get_data_info(i)['room'] for i in range(len(part))} == set(part.rooms)
        held_out += val.rooms
    assert sorted(held_out) == sorted(set(ROOMS))


def test_another_seed_holds_out_other_rooms():
    assert len({fold('val', num=5, seed=seed).rooms for seed in range(6)}) > 1
    assert fold('val', seed=3).rooms == fold('val', seed=3).rooms


def test_fewer_rooms_are_a_part_of_more():
    chosen = [set(RoomSubset(Blocks(), num_rooms=n, seed=4).rooms) for n in range(1, 6)]
    assert [len(rooms) for rooms in chosen] == [1, 2, 3, 4, 5]
    assert all(few < more for few, more in zip(chosen, chosen[1:]))


def test_rooms_are_drawn_from_the_fold_only():
    held_out = set(fold('val').rooms)
    for seed in range(5):
        subset = RoomSubset(Blocks(), fold=dict(num=2, index=0, part='train'), num_rooms=1,
                            seed=seed)
        assert not set(subset.rooms) & held_out


def test_items_are_those_of_the_data_set_with_its_augmentations():
    subset = RoomSubset(Blocks(), num_rooms=2, seed=1)
    subset.set_epoch(3, 7)
    for i, row in enumerate(subset.rows):
        item = subset[i]
        assert item['sample_idx'] == row and (item['points'] == row).all()
        assert item['rng'].random() == np.random.default_rng([7, 3, row]).random()


@pytest.mark.parametrize('settings, error, message', [
    (dict(num_rooms=6), ValueError, 'num_rooms is 6, but there are only 5 rooms'),
    (dict(num_rooms=0), ValueError, 'num_rooms'),
    (dict(fold=dict(num=6, index=0, part='val')), ValueError, 'from 2 to the number of rooms, 5'),
    (dict(fold=dict(num=2, index=2, part='val')), ValueError, 'fold.index must be from 0 to'),
    (dict(fold=dict(num=2, index=0, part='test')), ValueError, "found 'test'"),
    (dict(fold=dict(num=2, part='val')), TypeError, 'needs index'),
    (dict(fold=dict(num=2, index=0, part='val', step=1)), TypeError, "no key 'step'"),
])
def test_settings_out_of_range_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        RoomSubset(Blocks(), **settings)


def test_a_data_set_without_rooms_is_refused():
    class Shapes(Blocks):
        def load_data_list(self):
            return [dict(file='a.npy')]

    with pytest.raises(ValueError, match='Shapes does not say which room item 0 is of'):
        RoomSubset(Shapes())
