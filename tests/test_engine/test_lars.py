"""LARS against the formula, written for one number at a time."""
import copy
import math
import pickle

import pytest
import torch
from mmengine.optim import CosineAnnealingLR
from torch import nn

from dcglr_mm.engine import LARS, DecayGroupsConstructor

SHAPES = [(3, 4), (5, ), (2, ), (4, 1), (6, )]
ZERO_WEIGHT, ZERO_GRADIENT, NO_GRADIENT = 2, 3, 4


def make_parameters():
    generator = torch.Generator().manual_seed(1)
    parameters = [nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
                  for shape in SHAPES]
    parameters[ZERO_WEIGHT].data.zero_()
    return parameters


def set_gradients(parameters, step, scale=1.0):
    generator = torch.Generator().manual_seed(100 + step)
    for i, parameter in enumerate(parameters):
        parameter.grad = scale * 10.0**(i - 3) * torch.randn(
            parameter.shape, generator=generator, dtype=torch.float64)
    parameters[ZERO_GRADIENT].grad.zero_()
    parameters[NO_GRADIENT].grad = None


def scaled(weights, gradients, lr, decay, trust=0.02, eps=1e-8):
    """The gradient of one tensor that the inner optimiser gets; all lists of floats."""
    weight_norm = math.sqrt(sum(w * w for w in weights))
    gradient_norm = math.sqrt(sum(g * g for g in gradients))
    if weight_norm == 0 or gradient_norm == 0:
        return gradients
    factor = min(trust * weight_norm / (gradient_norm + decay * weight_norm + eps) / lr, 1)
    return [(g + decay * w) * factor for w, g in zip(weights, gradients)]


def reference(optimizer, lrs, decay):
    """Weights after ``len(lrs)`` steps, tensor by tensor."""
    parameters = make_parameters()
    flat = [p.flatten().tolist() for p in parameters]
    first, second = ([[0.0] * len(w) for w in flat] for _ in range(2))
    for step, lr in enumerate(lrs):
        set_gradients(parameters, step)
        for i, parameter in enumerate(parameters):
            if parameter.grad is None:
                continue
            gradients = scaled(flat[i], parameter.grad.flatten().tolist(), lr, decay)
            for j, g in enumerate(gradients):
                if optimizer == 'SGD':
                    flat[i][j] -= lr * g
                    continue
                first[i][j] = 0.9 * first[i][j] + 0.1 * g
                second[i][j] = 0.999 * second[i][j] + 0.001 * g * g
                mean = first[i][j] / (1 - 0.9**(step + 1))
                variance = second[i][j] / (1 - 0.999**(step + 1))
                flat[i][j] -= lr * mean / (math.sqrt(variance) + 1e-8)
    return flat


@pytest.mark.parametrize('decay', [0.0, 0.3])
@pytest.mark.parametrize('inner', ['Adam', 'SGD'])
def test_steps_equal_the_formula(inner, decay):
    parameters, lrs = make_parameters(), [0.1, 0.5, 0.01, 0.2]
    optimizer = LARS(parameters, lr=lrs[0], weight_decay=decay, optimizer=dict(type=inner))
    for step, lr in enumerate(lrs):
        set_gradients(parameters, step)
        optimizer.param_groups[0]['lr'] = lr
        optimizer.step()
        assert optimizer.param_groups[0]['weight_decay'] == decay
    for parameter, expected in zip(parameters, reference(inner, lrs, decay)):
        torch.testing.assert_close(parameter.flatten(),
                                   torch.tensor(expected, dtype=torch.float64),
                                   rtol=1e-10, atol=1e-12)


def test_around_sgd_no_tensor_moves_by_more_than_its_trust():
    parameters = make_parameters()
    before = [p.detach().clone() for p in parameters]
    set_gradients(parameters, 0, scale=1e6)
    LARS(parameters, lr=0.1, optimizer=dict(type='SGD'), trust=0.02).step()
    for i in (0, 1):
        moved = (parameters[i] - before[i]).norm().item()
        assert moved == pytest.approx(0.02 * before[i].norm().item(), rel=1e-6)


def test_a_learning_rate_of_zero_is_no_division_by_zero():
    parameters = make_parameters()
    set_gradients(parameters, 0)
    LARS(parameters, lr=0.0).step()
    for parameter, old in zip(parameters, make_parameters()):
        assert torch.equal(parameter, old)


def step_on(optimizer, parameters, steps):
    for step in steps:
        set_gradients(parameters, step)
        optimizer.step()


@pytest.mark.parametrize('how', ['state_dict', 'deepcopy', 'pickle'])
def test_a_restored_optimiser_goes_on_as_the_first(how):
    parameters = make_parameters()
    optimizer = LARS(parameters, lr=0.1)
    step_on(optimizer, parameters, range(2))
    if how == 'state_dict':
        other = [nn.Parameter(p.detach().clone()) for p in parameters]
        restored = LARS(other, lr=0.7)
        restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    else:
        both = copy.deepcopy if how == 'deepcopy' else lambda x: pickle.loads(pickle.dumps(x))
        restored = both(optimizer)
        other = restored.param_groups[0]['params']
    assert restored.state is restored.inner.state
    assert restored.param_groups is restored.inner.param_groups
    step_on(optimizer, parameters, range(2, 4))
    step_on(restored, other, range(2, 4))
    for ours, theirs in zip(other, parameters):
        assert torch.equal(ours, theirs)


def test_schedules_and_added_groups_reach_the_inner_optimiser():
    parameters = make_parameters()
    optimizer = LARS(parameters[:2], lr=0.2)
    optimizer.add_param_group(dict(params=parameters[2:]))
    schedule = CosineAnnealingLR(optimizer, T_max=2, eta_min=0.0)
    set_gradients(parameters, 0)
    optimizer.step()
    schedule.step()
    assert [g['lr'] for g in optimizer.inner.param_groups] == pytest.approx([0.1, 0.1])
    set_gradients(parameters, 1)
    optimizer.step()
    expected = reference('Adam', [0.2, 0.1], 0.0)
    for parameter, values in zip(parameters, expected):
        torch.testing.assert_close(parameter.flatten(), torch.tensor(values).double(), rtol=1e-6,
                                   atol=1e-7)


def test_hooks_see_each_step_once_and_the_closure_runs_first():
    parameter = nn.Parameter(torch.ones(2))
    optimizer = LARS([parameter], lr=0.1)
    seen = []
    optimizer.register_step_pre_hook(lambda *_: seen.append('before'))
    optimizer.register_step_post_hook(lambda *_: seen.append('after'))

    def closure():
        seen.append('closure')
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 2.0
    assert seen == ['before', 'closure', 'after']
    assert parameter.tolist() == pytest.approx([0.9, 0.9])


def test_it_is_built_from_a_config_in_groups():
    model = nn.Linear(3, 2)
    wrapper = DecayGroupsConstructor(dict(optimizer=dict(
        type='dcglr_mm.LARS', lr=2e-4, weight_decay=0.1,
        optimizer=dict(type='AdamW', betas=(0.8, 0.9)))))(model)
    assert isinstance(wrapper.optimizer, LARS)
    assert isinstance(wrapper.optimizer.inner, torch.optim.AdamW)
    assert [(g['lr'], g['weight_decay'], g['betas']) for g in wrapper.optimizer.param_groups] == [
        (2e-4, 0.1, (0.8, 0.9)), (2e-4, 0.0, (0.8, 0.9))]


@pytest.mark.parametrize('kwargs, message', [
    (dict(trust=0), 'positive trust and eps, got 0'), (dict(eps=-1.), 'positive trust and eps'),
    (dict(optimizer=dict(fused=True)), 'cannot wrap a fused optimiser'),
])
def test_mistakes_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        LARS([nn.Parameter(torch.zeros(2))], lr=0.1, **kwargs)
