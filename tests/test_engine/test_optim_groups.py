"""Parameter groups and the weight-decay schedule."""
import math

import pytest
import torch
from torch import nn

from dcglr_mm.engine import CosineWeightDecay, DecayGroupsConstructor
from dcglr_mm.models import DCGLR
from dcglr_mm.registry import PARAM_SCHEDULERS


def build(model, **optimizer):
    cfg = dict(type='dcglr_mm.PerTensorClipOptimWrapper',
               optimizer=dict(type='AdamW', lr=0.01, weight_decay=0.04, **optimizer))
    return DecayGroupsConstructor(cfg)(model)


def test_biases_and_one_dimensional_tensors_get_no_decay():
    model = nn.Sequential(nn.Conv1d(2, 3, 1), nn.BatchNorm1d(3), nn.Linear(3, 3))
    model[2].requires_grad_(False)
    decayed, plain = build(model).optimizer.param_groups
    assert [p is model[0].weight for p in decayed['params']] == [True]
    assert [id(p) for p in plain['params']] == [
        id(model[0].bias), id(model[1].weight), id(model[1].bias)]
    assert (decayed['weight_decay'], plain['weight_decay']) == (0.04, 0.0)


def test_the_teacher_is_not_optimised():
    model = DCGLR(backbone=dict(type='dcglr_mm.ViT3D', embed_dims=16, depth=1, num_heads=2),
                  projector=dict(type='dcglr_mm.Projector', hidden_channels=8,
                                 bottleneck_channels=4, out_channels=6))
    optimised = {id(p) for group in build(model).optimizer.param_groups for p in group['params']}
    assert optimised == {id(p) for p in model.student.parameters()}


def test_unusable_configs_are_refused():
    with pytest.raises(TypeError, match='holds an optimizer dict'):
        DecayGroupsConstructor(dict(type='OptimWrapper'))
    with pytest.raises(ValueError, match='takes no paramwise_cfg'):
        DecayGroupsConstructor(dict(optimizer=dict(type='SGD', lr=1)), dict(bias_lr_mult=2))
    with pytest.raises(ValueError, match='no trainable parameter'):
        build(nn.Linear(2, 2).requires_grad_(False))


def test_weight_decay_follows_the_cosine_and_leaves_groups_without_it_alone():
    wrapper = build(nn.Linear(2, 2))
    scheduler = PARAM_SCHEDULERS.build(
        dict(type='dcglr_mm.CosineWeightDecay', end_value=0.4, begin=0, end=3, by_epoch=True,
             convert_to_iter_based=True),
        default_args=dict(optimizer=wrapper, epoch_length=4))
    decayed, plain = wrapper.optimizer.param_groups
    for step in range(12):
        expected = 0.4 + 0.5 * (0.04 - 0.4) * (1 + math.cos(math.pi * step / 12))
        assert decayed['weight_decay'] == pytest.approx(expected, rel=1e-12)
        assert plain['weight_decay'] == 0.0
        wrapper.update_params(torch.zeros((), requires_grad=True))
        scheduler.step()
    assert decayed['weight_decay'] == pytest.approx(0.4, rel=0.05)


def test_schedule_resumes_from_its_state():
    values = []
    for resumed in (False, True):
        wrapper = build(nn.Linear(2, 2))
        scheduler = CosineWeightDecay(wrapper, end_value=0.4, end=10, by_epoch=False)
        for step in range(8):
            if resumed and step == 4:
                state, groups = scheduler.state_dict(), wrapper.state_dict()
                wrapper = build(nn.Linear(2, 2))
                scheduler = CosineWeightDecay(wrapper, end_value=0.4, end=10, by_epoch=False)
                wrapper.load_state_dict(groups)
                scheduler.load_state_dict(state)
            wrapper.update_params(torch.zeros((), requires_grad=True))
            scheduler.step()
        values.append(wrapper.optimizer.param_groups[0]['weight_decay'])
    assert values[0] == values[1] > 0.3


def test_schedule_without_an_end_is_refused():
    with pytest.raises(ValueError, match='needs `end`'):
        CosineWeightDecay(build(nn.Linear(2, 2)), end_value=0.4)
