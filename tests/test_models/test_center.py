"""The centre of Eq. 9."""
import pytest
import torch

from dcglr_mm.models.selfsup import Center


def test_centre_equals_a_hand_computed_moving_average():
    center = Center(2, rate=0.75).double()
    center.observe(torch.tensor([[[1.0, 0.0]], [[3.0, 4.0]]]))  # (I=2, B=1, K=2), mean (2, 2)
    assert center.value.tolist() == [0.0, 0.0]
    center.update()
    assert center.value.tolist() == [0.5, 0.5]
    center.observe(torch.tensor([[4.0, -2.0]]))
    center.update()
    assert center.value.tolist() == [0.75 * 0.5 + 0.25 * 4, 0.75 * 0.5 + 0.25 * -2]


def test_centre_ignores_how_the_batch_is_divided():
    outputs = torch.randn(12, 5, dtype=torch.float64)
    whole, parts = Center(5).double(), Center(5).double()
    whole.observe(outputs)
    for part in outputs.split([1, 4, 7]):
        parts.observe(part)
    whole.update()
    parts.update()
    assert torch.allclose(parts.value, whole.value, rtol=1e-13)
    assert torch.allclose(whole.value, 0.1 * outputs.mean(0), rtol=1e-13)


def test_discarded_and_missing_outputs_leave_the_centre_alone():
    center = Center(3)
    center.observe(torch.ones(2, 3))
    center.update()
    before = center.value.clone()
    center.observe(torch.full((2, 3), float('nan')))
    center.discard()
    center.update()
    assert torch.equal(center.value, before)


def test_half_precision_outputs_are_averaged_in_float32():
    # 300 values of 1 + 1/128 sum to 302.34; bfloat16 would round such sums to multiples of 2.
    center = Center(1, rate=0.0)
    center.observe(torch.full((300, 1), 1 + 1 / 128, dtype=torch.bfloat16))
    center.update()
    assert center.value.item() == pytest.approx(1 + 1 / 128, rel=1e-6)


def test_only_the_centre_is_saved():
    assert list(Center(4).state_dict()) == ['value']


def test_rate_must_be_a_share():
    with pytest.raises(ValueError, match='q must be in .0, 1., got 1.5'):
        Center(4, rate=1.5)
