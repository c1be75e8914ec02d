import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from dcglr_mm.models.heads import Projector


def test_projector_equals_dinos_head_built_from_torchs_weight_norm():
    projector = Projector(6, out_channels=7, hidden_channels=5, bottleneck_channels=4).double()
    linears = [m for m in projector.mlp if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linears] == [(6, 5), (5, 5), (5, 4)]
    last = weight_norm(nn.Linear(4, 7, bias=False).double())
    last.parametrizations.weight.original0.data.fill_(1.0)
    last.parametrizations.weight.original1.data.copy_(projector.last_layer.weight.data)
    features = torch.randn(3, 6, dtype=torch.float64)
    hidden = features
    for i, linear in enumerate(linears):
        hidden = hidden @ linear.weight.T + linear.bias
        if i < 2:
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    expected = last(hidden / hidden.pow(2).sum(-1, keepdim=True).sqrt())
    torch.testing.assert_close(projector(features), expected, rtol=1e-12, atol=1e-14)
    expected.square().sum().backward()
    F.linear(F.normalize(hidden.detach(), dim=-1),
             F.normalize(projector.last_layer.weight, dim=1)).square().sum().backward()
    torch.testing.assert_close(projector.last_layer.weight.grad,
                               last.parametrizations.weight.original1.grad)


def test_outputs_are_cosines():
    logits = Projector(6, out_channels=9, hidden_channels=5)(torch.randn(20, 6) * 100)
    assert logits.abs().max() <= 1 + 1e-6


def test_a_sample_does_not_depend_on_its_batch():
    projector = Projector(6, hidden_channels=5).train()
    features = torch.randn(4, 6)
    torch.testing.assert_close(projector(features)[:1], projector(features[:1]))


def test_projector_can_be_copied():
    projector = Projector(6, hidden_channels=5)
    features = torch.randn(2, 6)
    assert torch.equal(copy.deepcopy(projector)(features), projector(features))


def test_initial_weights_have_the_documented_deviation():
    torch.manual_seed(0)
    projector = Projector(256, hidden_channels=512)
    for weight in [projector.mlp[0].weight, projector.mlp[2].weight, projector.last_layer.weight]:
        assert weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert projector.mlp[0].bias.abs().max() == 0


def test_at_least_one_layer_is_needed():
    with pytest.raises(ValueError, match='num_layers >= 1, got 0'):
        Projector(4, num_layers=0)


@pytest.mark.parametrize('widths', [
    dict(out_channels=1), dict(out_channels=0), dict(hidden_channels=0),
    dict(bottleneck_channels=0)])
def test_widths_that_leave_nothing_to_compare_are_refused(widths):
    (name, value), = widths.items()
    with pytest.raises(ValueError, match=f'{name}={value}'):
        Projector(4, **widths)
