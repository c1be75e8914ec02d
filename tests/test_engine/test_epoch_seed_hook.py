"""Randomness tied to seed and epoch: worker counts and resuming change nothing."""
import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.runner import Runner
from torch.utils.data import Subset

from dcglr_mm.datasets.base import PointCloudDataset
from dcglr_mm.engine.hooks.epoch_seed_hook import _leaf_datasets
from dcglr_mm.registry import DATASETS


@DATASETS.register_module(force=True)
class TinyClouds(PointCloudDataset):
    """Twelve fixed clouds of 64 points."""

    def load_data_list(self):
        return [dict(row=row) for row in range(12)]

    def read_points(self, info):
        return np.random.default_rng(info['row']).standard_normal((64, 3)).astype(np.float32)


def make_runner(work_dir, max_epochs=4, num_workers=0, seed=5, resume=False, stop_after=None):
    runner = Runner.from_cfg(dict(
        model=dict(
            type='dcglr_mm.DCGLR',
            backbone=dict(type='dcglr_mm.ViT3D', embed_dims=8, depth=2, num_heads=2, patch_size=8,
                          patch_channels=(8, 8, 8), drop_path=0.5),
            projector=dict(type='dcglr_mm.Projector', hidden_channels=8, bottleneck_channels=4,
                           out_channels=6)),
        train_dataloader=dict(
            batch_size=4, num_workers=num_workers, persistent_workers=num_workers > 0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
            dataset=dict(
                type='dcglr_mm.TinyClouds',
                pipeline=[dict(type='dcglr_mm.MultiCrop', num_local=2, num_resolution=1),
                          dict(type='dcglr_mm.PackInputs')])),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(
            type='dcglr_mm.PerTensorClipOptimWrapper',
            constructor='dcglr_mm.DecayGroupsConstructor', clip_grad=dict(max_norm=3.0),
            optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.04)),
        param_scheduler=[
            dict(type='CosineAnnealingLR', eta_min=1e-5, begin=0, end=4,
                 convert_to_iter_based=True),
            dict(type='dcglr_mm.CosineWeightDecay', end_value=0.4, begin=0, end=4,
                 convert_to_iter_based=True)],
        custom_hooks=[dict(type='dcglr_mm.EpochSeedHook'),
                      dict(type='dcglr_mm.TeacherUpdateHook')],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        randomness=dict(seed=seed),
        resume=resume,
        work_dir=str(work_dir),
        log_level='ERROR',
        experiment_name=f'{work_dir.name}_{resume}',
        default_scope='mmengine'))
    if stop_after is not None:
        original = runner.train_loop.run_epoch

        def run_epoch():
            original()
            if runner.epoch == stop_after:
                raise KeyboardInterrupt

        runner.train_loop.run_epoch = run_epoch
    return runner


def trained_state(runner):
    runner.train()
    return {name: value.clone() for name, value in runner.model.state_dict().items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.fixture(scope='module')
def whole_run(tmp_path_factory):
    return trained_state(make_runner(tmp_path_factory.mktemp('whole')))


def test_a_resumed_run_ends_with_the_same_bits(tmp_path, whole_run):
    with pytest.raises(KeyboardInterrupt):
        make_runner(tmp_path, stop_after=2).train()
    resumed = make_runner(tmp_path, resume=True)
    state = trained_state(resumed)
    assert resumed.epoch == 4
    assert_same(state, whole_run)


def test_the_number_of_workers_changes_nothing(tmp_path, whole_run):
    assert_same(trained_state(make_runner(tmp_path, num_workers=2)), whole_run)


def test_another_seed_gives_another_run(tmp_path, whole_run):
    state = trained_state(make_runner(tmp_path, seed=6))
    assert not torch.equal(state['student.backbone.head.weight'],
                           whole_run['student.backbone.head.weight'])


def test_epochs_differ_and_return(tmp_path):
    runner = make_runner(tmp_path)
    hook = next(h for h in runner.hooks if type(h).__name__ == 'EpochSeedHook')
    dataset = runner.train_loop.dataloader.dataset
    views = []
    for epoch in (0, 1, 0):
        runner.train_loop._epoch = epoch
        hook.before_train_epoch(runner)
        hook.before_train_iter(runner, 0)
        views.append((dataset[3]['inputs']['global'], torch.rand(1)))
    assert torch.equal(views[0][0], views[2][0]) and views[0][1] == views[2][1]
    assert not torch.equal(views[0][0], views[1][0]) and views[0][1] != views[1][1]


def test_wrapped_data_sets_are_all_found_and_told():
    parts = [TinyClouds(pipeline=[]) for _ in range(3)]
    wrapped = Subset(ConcatDataset(parts), [0, 20])
    assert _leaf_datasets(wrapped) == parts
    for part in _leaf_datasets(wrapped):
        part.set_epoch(3, 5)
    expected = np.random.default_rng([5, 3, 7]).integers(1 << 30)
    assert [part[7]['rng'].integers(1 << 30) for part in parts] == [expected] * 3


def test_a_repeated_data_set_keeps_fresh_randomness():
    repeated = RepeatDataset(TinyClouds(pipeline=[]), times=2)
    assert not any(hasattr(leaf, 'set_epoch') for leaf in _leaf_datasets(repeated))
