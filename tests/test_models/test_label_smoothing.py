"""The smoothed cross-entropy against DGCNN's formula."""
import pytest
import torch

from dcglr_mm.models.losses import LabelSmoothingLoss
from dcglr_mm.registry import MODELS


def released_formula(logits, labels, smoothing):
    """1 - s on the true class and s / (K - 1) on each other, as DGCNN's `cal_loss` says it."""
    num_classes = logits.shape[1]
    target = torch.full_like(logits, smoothing / (num_classes - 1))
    target[torch.arange(len(labels)), labels] = 1 - smoothing
    log_probabilities = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    return -(target * log_probabilities).sum(dim=1).mean()


@pytest.mark.parametrize('num_classes', [2, 5, 40])
@pytest.mark.parametrize('smoothing', [0.0, 0.2, 0.5])
def test_value_and_gradient_are_those_of_the_formula(num_classes, smoothing):
    logits = torch.randn(6, num_classes, requires_grad=True)
    exact = logits.detach().double().requires_grad_()
    labels = torch.randint(num_classes, (6, ))
    loss = LabelSmoothingLoss(smoothing)(logits, labels)
    expected = released_formula(exact, labels, smoothing)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(logits.grad.double(), exact.grad, rtol=1e-5, atol=1e-8)


def test_by_hand_for_two_classes():
    # p = (0.8, 0.2), target (0.8, 0.2): the entropy of (0.8, 0.2).
    loss = LabelSmoothingLoss(0.2)(torch.tensor([[4.0, 1.0]]).log(), torch.tensor([0]))
    assert loss.item() == pytest.approx(0.5004024235)


def test_it_is_computed_in_float32_whatever_the_logits():
    logits = torch.tensor([[3.0, -2.0, 0.5]], dtype=torch.bfloat16)
    loss = LabelSmoothingLoss(0.2)(logits, torch.tensor([1]))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(
        released_formula(logits.double(), torch.tensor([1]), 0.2).item(), rel=1e-6)


@pytest.mark.parametrize('smoothing', [-0.1, 1.0])
def test_a_share_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=r'smoothing must be in \[0, 1\)'):
        MODELS.build(dict(type='LabelSmoothingLoss', smoothing=smoothing))


def test_more_for_the_others_than_for_the_true_class_is_refused():
    with pytest.raises(ValueError, match='of 2 classes .* at most 0.500'):
        LabelSmoothingLoss(0.6)(torch.zeros(1, 2), torch.tensor([0]))
