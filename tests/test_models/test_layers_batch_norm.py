"""Batch norm as scale and shift, and the statistics of edges."""
import copy
import os

import pytest
import torch
import torch.multiprocessing as mp
from torch import distributed, nn

from dcglr_mm.engine.launch import end_rank
from dcglr_mm.models.layers.batch_norm import needs_statistics, scale_and_shift, scale_sign
from dcglr_mm.models.layers.edge_statistics import edge_statistics


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def apply_scale_and_shift(norm, x):
    if not needs_statistics(norm):
        scale, shift = scale_and_shift(norm)
    else:
        scale, shift = scale_and_shift(norm, x.mean(0), x.var(0, unbiased=False), len(x))
    return x * scale + shift


@pytest.mark.parametrize('train', [True, False], ids=['train', 'eval'])
@pytest.mark.parametrize('settings', [
    dict(), dict(momentum=None), dict(momentum=0.3, eps=0.1), dict(affine=False),
    dict(track_running_stats=False),
], ids=str)
def test_equals_torch(settings, train):
    theirs = nn.BatchNorm1d(4, **settings).double().train(train)
    if theirs.affine:
        nn.init.normal_(theirs.weight)
        nn.init.normal_(theirs.bias)
    mine = copy.deepcopy(theirs)
    for seed in range(3):
        x, other = rand(9, 4, seed=seed).requires_grad_(), rand(9, 4, seed=seed).requires_grad_()
        out, expected = apply_scale_and_shift(mine, x), theirs(other)
        torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
        for y in (out, expected):
            (y * rand(9, 4, seed=9)).sum().backward()
        torch.testing.assert_close(x.grad, other.grad, rtol=1e-10, atol=1e-12)
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(mine.state_dict()[name], value, rtol=1e-12, atol=1e-12)


def test_one_value_a_channel_is_refused():
    with pytest.raises(ValueError, match='more than 1 value per channel'):
        apply_scale_and_shift(nn.BatchNorm1d(4).double(), rand(1, 4))


def test_sign_of_the_scale():
    norm = nn.BatchNorm1d(3)
    norm.weight.data = torch.tensor([-2., 0., 0.1])
    assert scale_sign(norm).tolist() == [-1., 0., 1.]
    assert scale_sign(nn.BatchNorm1d(3, affine=False)) is None


def _train_on_rank(rank, folder):
    distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    norm = nn.SyncBatchNorm(4).double()
    x = rand(12, 4)[:5] if rank == 0 else rand(12, 4)[5:]  # parts of unequal size
    x.requires_grad_()
    out = apply_scale_and_shift(norm, x)
    (out * (rand(12, 4, seed=1)[:5] if rank == 0 else rand(12, 4, seed=1)[5:])).sum().backward()
    torch.save((out.detach(), x.grad, norm.running_mean, norm.running_var),
               os.path.join(folder, f'{rank}.pth'))
    end_rank()


@pytest.mark.slow
def test_two_ranks_normalise_as_one(tmp_path):
    mp.spawn(_train_on_rank, args=(str(tmp_path), ), nprocs=2)
    norm = nn.BatchNorm1d(4).double()
    x = rand(12, 4).requires_grad_()
    out = norm(x)
    (out * rand(12, 4, seed=1)).sum().backward()
    parts = [torch.load(tmp_path / f'{rank}.pth') for rank in range(2)]
    torch.testing.assert_close(torch.cat([p[0] for p in parts]), out, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(torch.cat([p[1] for p in parts]), x.grad, rtol=1e-10, atol=1e-12)
    for part in parts:
        torch.testing.assert_close(part[2], norm.running_mean, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(part[3], norm.running_var, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('num_ends, num_starts, k', [(9, 5, 4), (1, 3, 1), (20, 20, 7)])
def test_edge_statistics_equal_those_of_all_edges(num_ends, num_starts, k):
    index = torch.randint(0, num_ends, (num_starts, k), generator=torch.Generator().manual_seed(0))
    results = []
    for plain in (False, True):
        a, b = rand(num_ends, 3).requires_grad_(), rand(num_starts, 3, seed=1).requires_grad_()
        if plain:
            edges = (a[index] + b[:, None]).flatten(0, 1)
            mean, var = edges.mean(0), edges.var(0, unbiased=False)
        else:
            mean, var = edge_statistics(a, b, index)
        (mean * rand(3, seed=2) + var * rand(3, seed=3)).sum().backward()
        results.append((mean.detach(), var.detach(), a.grad, b.grad))
    for mine, expected in zip(*results):
        torch.testing.assert_close(mine, expected, rtol=1e-10, atol=1e-12)


def test_edge_statistics_do_not_cancel_far_from_zero():
    """A mean of a thousand deviations: E[x^2] - E[x]^2 would be noise in float32."""
    index = torch.randint(0, 50, (30, 8), generator=torch.Generator().manual_seed(0))
    a, b = rand(50, 4).float() + 1000, rand(30, 4, seed=1).float() + 1000
    edges = (a.double()[index] + b.double()[:, None]).flatten(0, 1)
    mean, var = edge_statistics(a, b, index)
    torch.testing.assert_close(var.double(), edges.var(0, unbiased=False), rtol=1e-4, atol=0)
    torch.testing.assert_close(mean.double(), edges.mean(0), rtol=1e-6, atol=0)
