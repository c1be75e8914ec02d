import itertools
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_evaluation'))
from evaluation_fakes import Clouds, run_on_two_ranks  # noqa: E402

from dcglr_mm.engine.hooks import CollapseMonitorHook, TrainingCollapsed  # noqa: E402
from dcglr_mm.engine.hooks.collapse_monitor_hook import feature_measures  # noqa: E402
from dcglr_mm.evaluation import effective_rank  # noqa: E402

RUNS = itertools.count()
K = 8
LIMITS = dict(warmup=4, patience=6)


class Projector(nn.Linear):
    out_channels = K


class Scripted(BaseModel):
    """Shows the measures that ``script(iteration)`` gives; its loss may be scripted too."""

    def __init__(self, script):
        super().__init__()
        self.student = nn.ModuleDict({'projector': Projector(3, K)})
        self.script = script
        self.calls = 0
        self.monitor = {}

    def forward(self, inputs, data_samples=None, mode='tensor'):
        self.calls += 1
        measures = self.script(self.calls)
        scale = measures.pop('loss_scale', 1.0)
        self.monitor = {key: torch.as_tensor(value) for key, value in measures.items()}
        return {'loss': scale * self.student['projector'](inputs['points'].mean(1)).square().mean()}


def features(seed, rows=16, dims=5):
    return torch.randn(rows, dims, generator=torch.Generator().manual_seed(seed))


def healthy(iteration):
    return dict(teacher_entropy=1.0 + 0.01 * iteration, teacher_student_kl=0.3, center_norm=0.5,
                teacher_marginal_entropy=1.9, features=features(iteration))


def make_runner(work_dir, hook, script, iterations=20, model=None, **kwargs):
    model = model or Scripted(script)
    return Runner(
        model=model, work_dir=str(work_dir), custom_hooks=[hook],
        train_dataloader=dict(batch_size=2, collate_fn=dict(type='default_collate'),
                              sampler=dict(type='DefaultSampler', shuffle=False),
                              dataset=Clouds([0] * (2 * iterations))),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3)),
        default_hooks=dict(logger=None, checkpoint=None), log_level='CRITICAL',
        experiment_name=f'collapse_{next(RUNS)}', **kwargs)


def logged(runner):
    file = Path(runner.visualizer.get_backend('LocalVisBackend')._scalar_save_file)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_measures_become_scalars_at_their_intervals(tmp_path):
    hook = CollapseMonitorHook(interval=5, feature_interval=8, num_features=32)
    assert hook.feature_interval == 10
    runner = make_runner(tmp_path, hook, healthy)
    runner.train()
    lines = {line['step']: line for line in logged(runner)}
    assert sorted(lines) == [5, 10, 15, 20]
    for step, line in lines.items():
        assert line['collapse/teacher_entropy'] == pytest.approx(1.0 + 0.01 * step)
        assert line['collapse/teacher_student_kl'] == pytest.approx(0.3)
        assert line['collapse/center_norm'] == 0.5
        assert line['collapse/teacher_information'] == pytest.approx(0.9 - 0.01 * step)
        assert ('collapse/effective_rank' in line) == (step % 10 == 0)
    # two checks of 16 rows fill the window of 32
    window = torch.cat([features(15), features(20)]).double().numpy()
    assert lines[20]['collapse/effective_rank'] == pytest.approx(effective_rank(window))
    assert lines[20]['collapse/feature_std'] == pytest.approx(window.std(0).mean(), rel=1e-6)
    history, _ = runner.message_hub.get_scalar('collapse/center_norm').data
    assert len(history) == 4


def test_scalars_of_any_method_are_logged_and_not_judged(tmp_path):
    hook = CollapseMonitorHook(interval=1, feature_interval=1, limits=LIMITS)
    runner = make_runner(tmp_path, hook, lambda i: dict(projection_std=0.0, features=features(i)))
    runner.train()
    assert runner.iter == 20
    line = logged(runner)[-1]
    assert line['collapse/projection_std'] == 0.0 and 'collapse/effective_rank' in line
    assert not any('teacher' in key for key in line)


def test_relative_deviation_does_not_depend_on_the_scale_of_the_features():
    x = features(0) + 3
    small, large = feature_measures(1e-3 * x), feature_measures(1e3 * x)
    assert small['feature_relative_std'] == pytest.approx(large['feature_relative_std'], rel=1e-4)
    expected = np.sqrt(x.double().numpy().var(0).mean() / (x.double().numpy()**2).mean())
    assert small['feature_relative_std'] == pytest.approx(expected, rel=1e-4)


def test_equal_features_have_neither_deviation_nor_rank():
    measures = feature_measures(features(0, rows=1).expand(32, -1))
    assert measures['feature_relative_std'] < 1e-12
    assert measures['effective_rank'] == 0


def dead_from(start, **changes):
    return lambda i: {**healthy(i), **(changes if i >= start else {})}


@pytest.mark.parametrize('name, changes', [
    ('uniform teacher', dict(teacher_entropy=math.log(K), teacher_student_kl=1e-7)),
    ('uninformative teacher', dict(teacher_entropy=1.2, teacher_marginal_entropy=1.2001)),
    ('one prototype', dict(teacher_entropy=0.0, teacher_marginal_entropy=0.0)),
    ('constant features', dict(features=torch.ones(16, 5))),
    ('features on a line', dict(features=torch.outer(torch.arange(16.), torch.ones(5)))),
])
def test_death_stops_training_with_an_explanation(tmp_path, name, changes):
    hook = CollapseMonitorHook(interval=1, feature_interval=1, num_features=16, limits=LIMITS)
    runner = make_runner(tmp_path, hook, dead_from(7, **changes))
    with pytest.raises(TrainingCollapsed, match=rf'collapsed \({name}\) at iteration 13: ') as info:
        runner.train()
    assert 'since iteration 7' in str(info.value)
    assert 'stop=False' in str(info.value)
    assert logged(runner)[-1]['step'] == 13  # what led to it is in the scalars
    assert not list(tmp_path.glob('*.pth'))


def test_batches_of_fewer_than_four_shapes_are_not_judged_by_their_variety(tmp_path):
    hook = CollapseMonitorHook(interval=1, limits=LIMITS)
    script = dead_from(1, teacher_entropy=0.0, teacher_marginal_entropy=0.0,
                       features=features(0, rows=6))
    runner = make_runner(tmp_path, hook, script)
    runner.train()
    assert runner.iter == 20


def test_broken_weights_stop_training_at_once(tmp_path):
    hook = CollapseMonitorHook(interval=1)
    runner = make_runner(tmp_path, hook, dead_from(3, loss_scale=math.nan))
    with pytest.raises(TrainingCollapsed, match='non-finite loss.* at iteration 3: '):
        runner.train()


def test_switch_leaves_a_dead_run_alone(tmp_path):
    hook = CollapseMonitorHook(interval=1, feature_interval=1, stop=False, limits=LIMITS)
    runner = make_runner(tmp_path, hook, dead_from(1, features=torch.ones(16, 5)))
    runner.train()
    assert runner.iter == 20
    assert logged(runner)[-1]['collapse/effective_rank'] == 0


def test_short_run_is_never_stopped_by_default_limits(tmp_path):
    hook = CollapseMonitorHook(interval=1, feature_interval=1)
    script = dead_from(1, teacher_entropy=math.log(K), teacher_student_kl=0.0,
                       features=torch.ones(16, 5))
    runner = make_runner(tmp_path, hook, script)
    runner.train()
    assert runner.iter == 20


def test_model_without_monitor_is_judged_by_its_loss(tmp_path):

    class Plain(Scripted):

        def __setattr__(self, name, value):
            if name != 'monitor':
                super().__setattr__(name, value)

    hook = CollapseMonitorHook(interval=1)
    model = Plain(dead_from(5, loss_scale=math.nan))
    with pytest.raises(TrainingCollapsed, match='at iteration 5'):
        make_runner(tmp_path, hook, None, model=model).train()


@pytest.mark.parametrize('arguments, error, message', [
    (dict(interval=0), ValueError, 'found 0, 100 and 1024'),
    (dict(num_features=1), ValueError, 'num_features at least 2'),
    (dict(limits=dict(patiense=3)), TypeError, 'patiense'),
    (dict(limits=dict(patience=-1)), ValueError, 'found 200 and -1'),
])
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        CollapseMonitorHook(**arguments)


def _train_on_two_ranks(rank, work_dir):
    # Only rank 0 has a NaN loss and only the mean of both entropies is logged.
    def script(iteration):
        measures = healthy(iteration)
        measures['center_norm'] = float(rank)
        if iteration >= 4 and rank == 0:
            measures['loss_scale'] = math.nan
        return measures

    hook = CollapseMonitorHook(interval=1)
    runner = make_runner(
        work_dir, hook, script, launcher='pytorch',
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None)))
    with pytest.raises(TrainingCollapsed, match='at iteration 4'):
        runner.train()
    history, _ = runner.message_hub.get_scalar('collapse/center_norm').data
    assert history.tolist() == [0.5] * 4

    # Dead by the variety of the batch, of which rank 1 has too little to be judged by.
    script = dead_from(1, teacher_entropy=0.0, teacher_marginal_entropy=0.0,
                       features=features(0, rows=16 if rank == 0 else 6))
    runner = make_runner(work_dir, CollapseMonitorHook(interval=1, limits=LIMITS), script,
                         iterations=28, launcher='pytorch',
                         cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel',
                                                         device_ids=None)))
    runner.train()
    assert runner.iter == 14


@pytest.mark.slow
def test_ranks_measure_and_decide_together(tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    run_on_two_ranks(tmp_path, _train_on_two_ranks, str(tmp_path / 'run'))
