"""The losses of Eq. 8 and 10-12 against the equations written out as loops."""
import math

import pytest
import torch

from dcglr_mm.models.losses.distillation import (DistillationLoss, global_cross_entropy,
                                                 local_cross_entropy, teacher_distribution)


def softmax(row):
    top = max(row)
    exponentials = [math.exp(x - top) for x in row]
    return [x / sum(exponentials) for x in exponentials]


def cross_entropy(teacher_row, student_row, center, tau, student_tau):
    """H(softmax((o_t - c) / tau), softmax(o_s / tau_s)) for one sample, Eq. 8 and 10."""
    p = softmax([(o - c) / tau for o, c in zip(teacher_row, center)])
    q = softmax([o / student_tau for o in student_row])
    return -sum(a * math.log(b) for a, b in zip(p, q))


def loop_losses(teacher, student_global, student_local, center, tau, student_tau):
    num_global, batch, _ = teacher.shape
    num_local = student_local.shape[0]
    c = center.tolist()
    global_terms = [
        cross_entropy(teacher[i, b].tolist(), student_global[j, b].tolist(), c, tau, student_tau)
        for i in range(num_global) for j in range(num_global) if i != j for b in range(batch)]
    local_terms = [
        cross_entropy(teacher[i, b].tolist(), student_local[j, b].tolist(), c, tau, student_tau)
        for i in range(num_global) for j in range(num_local) for b in range(batch)]
    assert len(global_terms) == num_global * (num_global - 1) * batch
    assert len(local_terms) == num_global * num_local * batch
    return sum(global_terms) / len(global_terms), sum(local_terms) / len(local_terms)


@pytest.mark.parametrize('num_global', [2, 3])
@pytest.mark.parametrize('num_local', [1, 10])
@pytest.mark.parametrize('tau, student_tau', [(0.04, 0.1), (1.0, 0.5)])
def test_losses_equal_the_equations_written_as_loops(num_global, num_local, tau, student_tau):
    generator = torch.Generator().manual_seed(num_global * 100 + num_local)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    teacher, center = draw(num_global, 3, 7) * 0.2, draw(7) * 0.1
    student_global, student_local = draw(num_global, 3, 7) * 0.3, draw(num_local, 3, 7) * 0.3
    loss = DistillationLoss(tau, student_tau, global_weight=2.0, local_weight=0.5)
    found = loss(teacher, student_global, student_local, center)
    expected_global, expected_local = loop_losses(
        teacher, student_global, student_local, center, tau, student_tau)
    assert found['loss_global'].item() == pytest.approx(2.0 * expected_global, rel=1e-12)
    assert found['loss_local'].item() == pytest.approx(0.5 * expected_local, rel=1e-12)


def test_a_hand_computed_case():
    # Two prototypes, one sample. Teacher view 0 says (3/4, 1/4), view 1 says (1/2, 1/2); the
    # student says (1/2, 1/2) for both global views and (1/4, 3/4) for the local one.
    probs = torch.tensor([[[0.75, 0.25]], [[0.5, 0.5]]], dtype=torch.float64)
    student_global = torch.full((2, 1, 2), math.log(0.5), dtype=torch.float64)
    student_local = torch.tensor([[[0.25, 0.75]]], dtype=torch.float64).log()
    assert global_cross_entropy(probs, student_global).item() == pytest.approx(math.log(2))
    by_hand = (0.75 * math.log(4) + 0.25 * math.log(4 / 3)
               + 0.5 * math.log(4) + 0.5 * math.log(4 / 3)) / 2
    assert local_cross_entropy(probs, student_local).item() == pytest.approx(by_hand)


def test_centre_and_temperature_shape_the_teacher_distribution():
    # softmax((o - c) / tau) with (o - c) / tau = (log 3, 0) is (3/4, 1/4).
    tau = 0.04
    center = torch.tensor([0.3, -0.1], dtype=torch.float64)
    logits = torch.tensor([tau * math.log(3), 0.0], dtype=torch.float64) + center
    assert torch.allclose(teacher_distribution(logits, center, tau),
                          torch.tensor([0.75, 0.25], dtype=torch.float64))


def test_no_gradient_reaches_the_teacher_and_the_students_is_the_softmax_difference():
    teacher = torch.randn(2, 1, 5, dtype=torch.float64, requires_grad=True)
    student = torch.randn(2, 1, 5, dtype=torch.float64, requires_grad=True)
    center = torch.zeros(5, dtype=torch.float64)
    loss = DistillationLoss(teacher_temperature=0.5, student_temperature=0.25)
    loss(teacher, student, None, center)['loss_global'].backward()
    assert teacher.grad is None
    # d H(p, softmax(s / t)) / ds = (softmax(s / t) - p) / t, each view weighing 1/2.
    p = (teacher.detach() / 0.5).softmax(-1).flip(0)
    q = (student.detach() / 0.25).softmax(-1)
    assert torch.allclose(student.grad, (q - p) / 0.25 / 2, rtol=1e-12)


def test_half_precision_logits_are_compared_in_float32():
    teacher, student = torch.randn(2, 4, 16), torch.randn(2, 4, 16)
    center = torch.zeros(16)
    loss = DistillationLoss()
    exact = loss(teacher.bfloat16().float(), student.bfloat16().float(), None, center)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = loss(teacher.bfloat16(), student.bfloat16(), None, center)
    assert half['loss_global'].dtype == torch.float32
    assert torch.equal(half['loss_global'], exact['loss_global'])


def test_one_global_view_is_refused_by_name():
    logits = torch.zeros(1, 2, 3)
    with pytest.raises(ValueError, match='at least 2 of them, got 1.*num_global'):
        DistillationLoss()(logits, logits, None, torch.zeros(3))


@pytest.mark.parametrize('key', ['teacher_temperature', 'student_temperature'])
def test_temperatures_must_be_positive(key):
    with pytest.raises(ValueError, match=f'{key}=0'):
        DistillationLoss(**{key: 0})
