import copy

import pytest
import torch
from torch import nn

from dcglr_mm.engine import PerTensorClipAmpOptimWrapper, PerTensorClipOptimWrapper


def two_parameters():
    model = nn.ParameterList([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))]).double()
    model[0].grad = torch.tensor([3.0, 4.0]).double()  # norm 5
    model[1].grad = torch.tensor([0.0, 0.6, 0.8]).double()  # norm 1
    return model


def test_each_tensor_is_clipped_by_its_own_norm():
    model = two_parameters()
    wrapper = PerTensorClipOptimWrapper(
        torch.optim.SGD(model.parameters(), lr=1.0), clip_grad=dict(max_norm=2.0))
    wrapper.step()
    # The first is scaled to norm 2, the second is short enough as it is.
    assert torch.allclose(model[0], -torch.tensor([1.2, 1.6]).double(), rtol=1e-6)
    assert torch.equal(model[1], -torch.tensor([0.0, 0.6, 0.8]).double())


def test_logged_norm_is_that_of_all_gradients_before_clipping():
    model = two_parameters()
    wrapper = PerTensorClipOptimWrapper(
        torch.optim.SGD(model.parameters(), lr=1.0), clip_grad=dict(max_norm=0.1))
    wrapper.step()
    logged = wrapper.message_hub.get_scalar('train/grad_norm').current()
    assert logged == pytest.approx(26**0.5)


def test_parameters_without_gradient_are_passed_over():
    model = two_parameters()
    model[0].grad = None
    wrapper = PerTensorClipOptimWrapper(
        torch.optim.SGD(model.parameters(), lr=1.0), clip_grad=dict(max_norm=0.5))
    wrapper.step()
    assert model[0].tolist() == [0.0, 0.0]
    assert model[1].norm().item() == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize('clip_grad', [
    dict(max_norm=0), dict(max_norm=-1.0), dict(), dict(type='value', clip_value=1.0),
    dict(max_norm=3.0, norm_type=1)])
def test_other_clipping_is_refused(clip_grad):
    with pytest.raises(ValueError, match='clip_grad=dict.max_norm='):
        PerTensorClipOptimWrapper(
            torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), clip_grad=clip_grad)


def amp_wrapper(model, **kwargs):
    wrapper = PerTensorClipAmpOptimWrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **kwargs)
    return wrapper


@pytest.mark.skipif(torch.cuda.is_available(), reason='this is about CPUs')
def test_amp_on_a_cpu_computes_in_bfloat16_and_steps():
    model = nn.Linear(8, 8)
    before = copy.deepcopy(model)
    wrapper = amp_wrapper(model, clip_grad=dict(max_norm=3.0))
    inputs = torch.randn(4, 8)
    with wrapper.optim_context(model):
        outputs = model(inputs)
    assert outputs.dtype == torch.bfloat16
    wrapper.update_params(outputs.float().pow(2).mean())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        expected = before(inputs).float().pow(2).mean()
    expected.backward()
    for found, old in zip(model.parameters(), before.parameters()):
        gradient = old.grad * min(1.0, 3.0 / (old.grad.norm().item() + 1e-6))
        torch.testing.assert_close(found, old - 0.1 * gradient)


@pytest.mark.skipif(torch.cuda.is_available(), reason='this is about CPUs')
def test_float16_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match="'float16' needs a GPU"):
        amp_wrapper(nn.Linear(1, 1), dtype='float16')


@pytest.mark.parametrize('kwargs, message', [
    (dict(dtype='float64'), "dtype must be .*got 'float64'"),
    (dict(loss_scale='fixed'), "loss_scale must be .*got 'fixed'")])
def test_unknown_amp_values_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        amp_wrapper(nn.Linear(1, 1), **kwargs)


def test_amp_state_round_trips_and_takes_a_state_without_a_scaler():
    model = nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    plain = PerTensorClipOptimWrapper(optimizer)
    plain.update_params(model(torch.ones(2, 3)).sum())
    twin = copy.deepcopy(model)
    amp = PerTensorClipAmpOptimWrapper(torch.optim.AdamW(twin.parameters(), lr=0.5))
    amp.load_state_dict(plain.state_dict())
    again = PerTensorClipAmpOptimWrapper(torch.optim.AdamW(twin.parameters(), lr=0.7))
    again.load_state_dict(amp.state_dict())
    assert again.optimizer.param_groups[0]['lr'] == 0.1
    moment = again.optimizer.state[twin.weight]['exp_avg']
    assert torch.equal(moment, optimizer.state[model.weight]['exp_avg'])
