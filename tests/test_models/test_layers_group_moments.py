"""Moments of groups of rows against numpy and autograd."""
import numpy as np
import pytest
import torch

from dcglr_mm.models.layers import linear_max_pieces
from dcglr_mm.models.layers.group_moments import group_moments


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize('pieces', ['one', 'many'])
@pytest.mark.parametrize('k', [1, 4])
def test_values_and_gradient(pieces, k, monkeypatch):
    if pieces == 'many':  # two groups a piece, the last piece short
        monkeypatch.setitem(linear_max_pieces._PIECE_BYTES, 'cpu', 2 * k * 3 * 8)
    rows = (rand(k, 5, 3) + 2).transpose(0, 1).detach().requires_grad_()
    means, covariance = group_moments(rows)
    flat = rows.detach().numpy().reshape(-1, 3)
    np.testing.assert_allclose(means.detach(), rows.detach().numpy().mean(1), rtol=1e-13)
    np.testing.assert_allclose(
        covariance.detach(), np.cov(flat.T, bias=True), rtol=1e-12, atol=1e-15)
    of_means, of_covariance = rand(5, 3, seed=1), rand(3, 3, seed=2)
    torch.autograd.backward((means, covariance), (of_means, of_covariance))
    mine, rows.grad = rows.grad, None
    centered = (rows - rows.mean((0, 1))).flatten(0, 1)
    torch.autograd.backward(
        (rows.mean(1), centered.t() @ centered / len(centered)), (of_means, of_covariance))
    torch.testing.assert_close(mine, rows.grad, rtol=1e-12, atol=1e-14)


def test_far_from_the_origin_nothing_cancels():
    rows = rand(200, 16, 4)
    expected = torch.cov(rows.flatten(0, 1).t(), correction=0)
    near = group_moments(rows.float() + 512)[1].double()  # spacing of float32 there: 6e-5
    torch.testing.assert_close(near, expected, rtol=1e-4, atol=1e-4)


def test_the_backward_pass_keeps_its_precision_under_autocast():
    rows = rand(6, 4, 3).float().requires_grad_()
    group_moments(rows)[1].square().sum().backward()
    expected, rows.grad = rows.grad, None
    with torch.autocast('cpu', torch.bfloat16):
        with torch.autocast('cpu', enabled=False):
            loss = group_moments(rows)[1].square().sum()
        loss.backward()
    assert torch.equal(rows.grad, expected)
