"""PackInputs, batching, and the whole pipeline in loader workers."""
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from dcglr_mm.datasets.transforms import MultiCrop, PackInputs, SamplePoints, collate_clouds
from dcglr_mm.registry import FUNCTIONS


def cloud(n=64, channels=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, channels)).astype(np.float32)


def test_points_and_labels_are_packed():
    points = cloud()
    packed = PackInputs()(dict(points=points, gt_label=np.int64(4), sample_idx=9, path='x.ply'))
    assert set(packed) == {'inputs', 'data_samples'} and set(packed['inputs']) == {'points'}
    assert torch.equal(packed['inputs']['points'], torch.from_numpy(points))
    assert packed['data_samples'] == {'gt_label': 4, 'sample_idx': 9}
    assert all(type(v) is int for v in packed['data_samples'].values())


def test_views_take_the_place_of_points():
    views = {'global': np.zeros((2, 8, 3), np.float32), 'local': np.ones((4, 3, 3), np.float32)}
    packed = PackInputs()(dict(points=cloud(), views=views, sample_idx=0))
    assert set(packed['inputs']) == {'global', 'local'}
    assert torch.equal(packed['inputs']['local'], torch.ones(4, 3, 3))
    assert packed['data_samples'] == {'sample_idx': 0}


def test_tensors_own_their_memory():
    points = cloud()
    packed = PackInputs()(dict(points=points))
    packed['inputs']['points'].zero_()
    assert points.any()


def test_further_keys_are_packed_or_missed_by_name():
    mask = np.arange(64)
    packed = PackInputs(keys=['mask', 'name'])(dict(points=cloud(), mask=mask, name='chair'))
    assert torch.equal(packed['data_samples']['mask'], torch.arange(64))
    assert packed['data_samples']['name'] == 'chair'
    with pytest.raises(KeyError, match="key 'mask' is not in the results.*'points'"):
        PackInputs(keys=['mask'])(dict(points=cloud()))


def sample(n, index, **settings):
    results = dict(points=cloud(n, seed=index), gt_label=index % 3, sample_idx=index,
                   rng=np.random.default_rng(index))
    return PackInputs()(MultiCrop(**settings)(results))


@pytest.mark.parametrize('collate', [default_collate, collate_clouds])
def test_a_batch_has_the_batch_axis_first_and_int64_labels(collate):
    samples = [sample(32, i) for i in range(3)]
    batch = collate(samples)
    assert {k: tuple(v.shape) for k, v in batch['inputs'].items()} == {
        'global': (3, 2, 32, 3), 'local': (3, 8, 16, 3), 'resolution': (3, 2, 16, 3)}
    assert torch.equal(batch['inputs']['local'][1], samples[1]['inputs']['local'])
    assert torch.equal(batch['data_samples']['gt_label'], torch.tensor([0, 1, 2]))
    assert batch['data_samples']['sample_idx'].dtype == torch.int64


def test_clouds_that_do_not_stack_are_named_with_their_counts():
    message = (r"inputs\['global'\] has shape \(2, 32, 3\) in sample 0 and \(2, 40, 3\) in sample 7"
               '.*SamplePoints')
    with pytest.raises(ValueError, match=message):
        collate_clouds([sample(32, 0), sample(40, 7)])
    fixed = dict(global_points=16, local_points=8, resolution_points=8)
    assert collate_clouds([sample(32, 0, **fixed), sample(40, 7, **fixed)])


def test_samples_with_other_keys_are_named():
    with pytest.raises(ValueError, match=r"of sample 5 holds \['gt_label', 'sample_idx'\]"):
        collate_clouds([PackInputs()(dict(points=cloud(), sample_idx=2)),
                        PackInputs()(dict(points=cloud(), sample_idx=5, gt_label=1))])


def test_collate_is_registered():
    assert FUNCTIONS.get('collate_clouds') is collate_clouds


@pytest.mark.slow
def test_a_fresh_process_finds_transforms_by_name_alone():
    code = ("from dcglr_mm.registry import FUNCTIONS, TRANSFORMS; "
            "assert TRANSFORMS.get('MultiCrop') and FUNCTIONS.get('collate_clouds')")
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, '-c', code], check=True, cwd=root)


class Clouds(Dataset):
    """Items whose generator follows from their index, as in the package's datasets."""

    def __init__(self):
        self.pipeline = [SamplePoints(48), MultiCrop(), PackInputs()]

    def __len__(self):
        return 6

    def __getitem__(self, index):
        results = dict(points=cloud(seed=index), sample_idx=index, rng=np.random.default_rng(index))
        for transform in self.pipeline:
            results = transform(results)
        return results


@pytest.mark.parametrize('context', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_workers_give_the_samples_of_the_main_process(context):
    here = list(DataLoader(Clouds(), batch_size=2, collate_fn=collate_clouds))
    there = list(DataLoader(Clouds(), batch_size=2, num_workers=2, collate_fn=collate_clouds,
                            multiprocessing_context=context))
    for a, b in zip(here, there, strict=True):
        for kind in ('global', 'local', 'resolution'):
            assert torch.equal(a['inputs'][kind], b['inputs'][kind])
