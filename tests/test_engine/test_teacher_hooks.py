"""When the teacher moves, and when the last layer does not."""
import copy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from torch import nn

from dcglr_mm.engine import LastLayerFreezeHook

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_models'))
from dcglr_reference import (LAMBDA, LR, assert_model_equals, build_model,  # noqa: E402
                             initial_weights, make_clouds, reference_training)
from test_dcglr_training import BATCH, make_runner  # noqa: E402


class SkippingWrapper(OptimWrapper):
    """Drops the step of one iteration, as a gradient scaler does on overflow."""

    skipped_step = 1

    def step(self, **kwargs):
        if self._inner_count - 1 != self.skipped_step:
            super().step(**kwargs)


class OverflowingSGD(torch.optim.SGD):
    """A fused optimiser is called on overflow too: it gets ``found_inf`` and skips by itself."""

    calls = 0

    def step(self, closure=None):
        self.calls += 1


def test_a_dropped_step_moves_neither_centre_nor_teacher(tmp_path):
    batches = make_clouds(3, BATCH)
    model = build_model()
    runner = make_runner(tmp_path, model, batches, BATCH)
    runner.optim_wrapper = SkippingWrapper(torch.optim.SGD(model.student.parameters(), lr=LR))
    runner.train()
    # As if the second batch had never been there, but for lambda's place on the cosine.
    expected = reference_training([batches[0], batches[2]], lambda_steps=[(0, 3), (2, 3)])
    assert_model_equals(model, expected)


def test_a_fused_optimiser_that_skips_moves_nothing(tmp_path):
    batches = make_clouds(1, BATCH)
    model = build_model()
    runner = make_runner(tmp_path, model, batches, BATCH)
    optimizer = OverflowingSGD(model.student.parameters(), lr=LR)
    optimizer.found_inf = torch.ones(())
    runner.optim_wrapper = OptimWrapper(optimizer)
    runner.train()
    assert optimizer.calls == 1
    assert_model_equals(model, reference_training([]))


def test_lambda_is_logged(tmp_path):
    runner = make_runner(tmp_path, build_model(), make_clouds(2, BATCH), BATCH)
    runner.train()
    logged, _ = runner.message_hub.get_scalar('train/teacher_lambda').data
    # Steps 0 and 1 of 2: the cosine starts at lambda and is half-way to 1 after half the steps.
    assert logged.tolist() == pytest.approx([LAMBDA, 1 - (1 - LAMBDA) / 2])


def test_the_hook_lets_go_after_training(tmp_path):
    model = build_model()
    make_runner(tmp_path, model, make_clouds(1, BATCH), BATCH).train()
    with pytest.raises(RuntimeError, match='TeacherUpdateHook'):
        model(make_clouds(1, 2)[0], mode='loss')


class NoTeacher(BaseModel):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1).double()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=self.layer(inputs['global']).mean())


def test_a_model_without_a_teacher_is_named(tmp_path):
    with pytest.raises(TypeError, match='NoTeacher has no after_optimizer_step'):
        make_runner(tmp_path, NoTeacher(), make_clouds(1, BATCH), BATCH).train()


def train_with_freeze(tmp_path, **freeze):
    model = build_model()
    weights = []

    class Recorder(LastLayerFreezeHook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            weights.append([copy.deepcopy(p.weight.data) for p in model.student.values()])

    runner = make_runner(tmp_path, model, make_clouds(2, BATCH), BATCH)
    runner.train_loop._max_epochs = 2
    runner.train_loop._max_iters = 4
    runner.register_hook(Recorder(module='student.projector', **freeze), 'LOWEST')
    runner.train()
    return weights


@pytest.mark.parametrize('freeze, frozen_iters', [
    (dict(num_epochs=1), 2), (dict(num_epochs=0), 0), (dict(num_iters=1), 1),
    (dict(num_epochs=2), 4)])
def test_the_frozen_layer_stands_still_exactly_that_long(tmp_path, freeze, frozen_iters):
    weights = train_with_freeze(tmp_path, **freeze)
    projectors = [initial_weights()[1], *[w[1] for w in weights]]
    backbones = [initial_weights()[0], *[w[0] for w in weights]]
    moved = [not torch.equal(a, b) for a, b in zip(projectors, projectors[1:])]
    assert moved == [False] * frozen_iters + [True] * (4 - frozen_iters)
    assert all(not torch.equal(a, b) for a, b in zip(backbones, backbones[1:]))


def test_a_module_that_is_not_there_is_named(tmp_path):
    runner = make_runner(tmp_path, build_model(), make_clouds(1, BATCH), BATCH,
                         hooks=[dict(type='dcglr_mm.LastLayerFreezeHook')])
    with pytest.raises(ValueError, match="DCGLR has no module 'student.projector.last_layer'"):
        runner.train()
