"""A supervised run that has diverged ends, on all ranks alike, and leaves no broken checkpoint."""
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_evaluation'))
from evaluation_fakes import Clouds, run_on_two_ranks  # noqa: E402

from dcglr_mm.engine.hooks import FiniteLossHook  # noqa: E402

BAD_RANK, BAD_ITERATION = 1, 3


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_run(value):
    run, hook = SimpleNamespace(iter=11, epoch=2), FiniteLossHook()
    hook.after_train_iter(run, 0, outputs=dict(loss=torch.tensor(1.0, requires_grad=True)))
    hook.after_train_iter(run, 0, outputs=None)
    with pytest.raises(ValueError, match=rf'the loss is {value} at iteration 12 \(epoch 3\); lower '
                                         'optim_wrapper.optimizer.lr'):
        hook.after_train_iter(run, 0, outputs=dict(loss=torch.tensor(value)))


class Diverging(BaseModel):
    """Its loss is infinite at one iteration of one rank."""

    def __init__(self, rank):
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.rank, self.calls = rank, 0

    def forward(self, inputs, data_samples=None, mode='tensor'):
        self.calls += 1
        bad = (self.rank, self.calls) == (BAD_RANK, BAD_ITERATION)
        return {'loss': self.layer(inputs['points']).square().mean() * (math.inf if bad else 1)}


def _diverge_on_one_rank(rank, work_dir):
    runner = Runner(
        model=Diverging(rank), work_dir=work_dir, custom_hooks=[FiniteLossHook()],
        train_dataloader=dict(batch_size=1, collate_fn=dict(type='default_collate'),
                              sampler=dict(type='DefaultSampler', shuffle=False),
                              dataset=Clouds([0] * 12)),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=1e-3)),
        default_hooks=dict(logger=None,
                           checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1)),
        launcher='pytorch', log_level='CRITICAL', experiment_name='finite_loss',
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None)))
    with pytest.raises(ValueError, match='^training has diverged: the loss is inf on rank 1 at '
                                         r'iteration 3 \(epoch 1\); lower '):
        runner.train()
    assert runner.iter == BAD_ITERATION - 1


@pytest.mark.slow
def test_all_ranks_end_at_the_loss_of_one_before_anything_is_saved(tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    run_on_two_ranks(tmp_path, _diverge_on_one_rank, str(tmp_path / 'run'))
    saved = sorted(path.name for path in (tmp_path / 'run').glob('*.pth'))
    assert saved == ['iter_1.pth', 'iter_2.pth']
