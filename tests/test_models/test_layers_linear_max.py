"""The maximum of a linear layer against a tensor of all its rows."""
import pytest
import torch
import torch.nn.functional as F

from dcglr_mm.models.layers import linear_max_gradient
from dcglr_mm.models.layers import linear_max_pieces as module
from dcglr_mm.models.layers.linear_max import linear_max
from dcglr_mm.models.ops.buffer import Buffer

pytestmark = pytest.mark.usefixtures('cpu_kernels')


def rand(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def plain(rows, weight, index, inner, offset, sign, slope, norm):
    """All rows, the layers, batch norm if there is one, ReLU, and torch's maximum."""
    x = rows if index is None else rows[index]
    if inner is not None:
        x = F.linear(x, inner)
    if offset is not None:
        x = x + offset[:, None]
    x = F.leaky_relu(x, slope)
    y = F.linear(x, weight)
    if norm is None:
        return y.max(dim=1).values
    y = F.batch_norm(y.flatten(0, 1), None, None, *norm, training=True).view_as(y)
    return torch.relu(y).max(dim=1).values


def ours(rows, weight, index, inner, offset, sign, slope, norm):
    best = linear_max(
        rows, weight, index, offset, sign, slope, statistics=norm is not None, inner=inner)
    if norm is None:
        return best.value
    scale = norm[0] * torch.rsqrt(best.var + 1e-5)
    return torch.relu((best.value - best.mean) * scale + norm[1])


@pytest.mark.parametrize('k', [1, 5, 20])
@pytest.mark.parametrize('normed', [False, True], ids=['bare', 'normed'])
@pytest.mark.parametrize('slope', [1., 0., 0.2])
@pytest.mark.parametrize('offset', [False, True])
@pytest.mark.parametrize('source', ['rows', 'table', 'layer'])
@pytest.mark.parametrize('pieces', ['one', 'many'])
def test_equals_all_rows(k, normed, slope, offset, source, pieces, monkeypatch):
    if pieces == 'many':  # two groups a piece, the last piece short
        monkeypatch.setitem(module._PIECE_BYTES, 'cpu', 2 * k * 6 * 8)
    weight, shift = rand(6, 4, seed=1), rand(7, 4, seed=2) if offset else None
    index = inner = None
    if source == 'table':
        rows = rand(11, 4, seed=3)
        index = torch.randint(0, 11, (7, k), generator=torch.Generator().manual_seed(4))
    elif source == 'layer':
        rows, inner = rand(7, k, 3, seed=3), rand(4, 3, seed=7)
    else:
        rows = rand(7, k, 4, seed=3)
    norm = sign = None
    if normed:
        scale = torch.tensor([1., -2., 0., 0.5, -0.1, 3.], dtype=torch.float64)
        norm, sign = (scale, rand(6, seed=5)), scale.sign()
    leaves = [t for t in (rows, weight, inner, shift, *(norm or ())) if t is not None]
    gradients = []
    for function in (ours, plain):
        for leaf in leaves:
            leaf.requires_grad_().grad = None
        out = function(rows, weight, index, inner, shift, sign, slope, norm)
        (out * rand(*out.shape, seed=6)).sum().backward()
        gradients.append([out.detach(), *(leaf.grad for leaf in leaves)])
    for mine, expected in zip(*gradients):
        torch.testing.assert_close(mine, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('most', [1, 14, 40])
def test_edges_of_a_table_in_lists_of_one_some_and_all_pieces(most, monkeypatch):
    monkeypatch.setattr(linear_max_gradient, '_MOST_LISTS', most)
    index = torch.randint(0, 6, (7, 5), generator=torch.Generator().manual_seed(4))
    index[3:] += 4
    pieces = [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]
    edges, values = linear_max_gradient.TableEdges(index, pieces), rand(35, 3)
    found = torch.ones(10, 3, dtype=torch.float64)
    for number, piece in enumerate(pieces):
        edges.add(found, number, values[5 * piece.start:5 * piece.stop])
    expected = torch.ones_like(found).index_add(0, index.flatten(), values)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('source', ['rows', 'layer'])
def test_rows_in_another_order_of_memory(source):
    weight, inner = rand(6, 4, seed=1), rand(4, 4, seed=2) if source == 'layer' else None
    gradients = []
    for function in (ours, plain):
        stored = rand(20, 7, 4, seed=3).requires_grad_()
        out = function(stored.transpose(0, 1), weight, None, inner, None, None, 0., None)
        (out * rand(*out.shape, seed=6)).sum().backward()
        gradients.append(stored.grad)
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-12)


def test_a_layer_before_a_table_is_refused():
    with pytest.raises(ValueError, match='inner is for rows of groups'):
        linear_max(rand(9, 4), rand(6, 4), torch.zeros(2, 3, dtype=torch.long), inner=rand(4, 4))


def test_of_equal_rows_the_first_has_the_gradient():
    for k in (4, 20):
        rows = torch.ones(2, k, 3, dtype=torch.float64, requires_grad=True)
        linear_max(rows, rand(5, 3)).value.sum().backward()
        assert (rows.grad[:, 1:] == 0).all()
        torch.testing.assert_close(rows.grad[:, 0], rand(5, 3).sum(0).expand(2, -1))


def test_statistics_survive_a_mean_of_many_deviations():
    rows = rand(40, 16, 8).float()
    weight = rand(5, 8, seed=1).float()
    y = F.linear(rows.double() + 1000, weight.double()).flatten(0, 1)
    best = linear_max(rows + 1000, weight, statistics=True)
    torch.testing.assert_close(best.var.double(), y.var(0, unbiased=False), rtol=2e-3, atol=0)
    torch.testing.assert_close(best.mean.double(), y.mean(0), rtol=1e-6, atol=1e-2)


def test_a_bad_row_spoils_its_own_group_only():
    rows = rand(3, 4, 2)
    rows[1, 2, 0] = float('nan')
    rows.requires_grad_()
    value = linear_max(rows, rand(5, 2)).value
    value.nan_to_num().sum().backward()
    assert value[1].isnan().all() and value[[0, 2]].isfinite().all()
    assert rows.grad[[0, 2]].isfinite().all()


def test_no_gradient_keeps_no_rows(monkeypatch):
    """Where no gradient is wanted the answer is the same, and nobody asks which row won."""
    rows, weight = rand(3, 4, 2), rand(5, 2)
    best = linear_max(rows, weight.requires_grad_(), statistics=True)
    monkeypatch.setattr(f'{linear_max.__module__}.first_winner', None)  # calling it would fail
    with torch.no_grad():
        again = linear_max(rows, weight, statistics=True)
    assert again.value.grad_fn is None
    for first, second in zip(best, again):
        assert torch.equal(first, second)


def test_autocast_keeps_statistics_in_float32():
    rows, weight = rand(30, 8, 16).float(), rand(12, 16, seed=1).float()
    expected = linear_max(rows, weight, negative_slope=0., statistics=True)
    weight.requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        best = linear_max(rows.bfloat16(), weight, negative_slope=0., statistics=True)
    assert best.value.dtype == best.var.dtype == torch.float32
    for mine, other in zip(best, expected):
        torch.testing.assert_close(mine, other, rtol=0.03, atol=0.05)
    best.value.sum().backward()
    assert weight.grad.dtype == torch.float32 and weight.grad.isfinite().all()


def test_gradients_under_autocast_are_those_of_the_rows_that_won(cpu_kernels):
    rows, weight = rand(40, 32, 16).float(), rand(24, 16, seed=1).float()
    grad = rand(40, 24, seed=2)
    y = (rows.bfloat16() @ weight.bfloat16().t()).double()
    one_hot = torch.nn.functional.one_hot(y.argmax(1), 32) * grad[..., None]  # (G, D, k)
    expected = (torch.einsum('gdk,dc->gkc', one_hot, weight.double()),
                torch.einsum('gdk,gkc->dc', one_hot, rows.double()))
    rows.requires_grad_()
    weight.requires_grad_()
    with torch.autocast('cpu', torch.bfloat16):
        value = linear_max(rows, weight).value
    value.backward(grad.float())
    tolerance = 1e-6 if cpu_kernels == 'numba' else 2e-2  # kernels add up in float32
    for found, other in zip((rows.grad, weight.grad), expected):
        torch.testing.assert_close(found.double(), other, rtol=0,
                                   atol=tolerance * other.abs().max().item())


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_first_of_equal_maxima_wins_and_what_is_not_finite_stays_inside(dtype):
    above = torch.nextafter(torch.tensor(1e-30, dtype=dtype), torch.tensor(1., dtype=dtype)).item()
    columns = torch.tensor([
        [1., 3., 3., -2.],                          # the first of two
        [-5., -5., -5., -5.],                       # all equal
        [1e-30, above, 1e-30, -1e30],               # apart by one step of the type
        [-0., 0., -1., -1.],                        # zeros are equal
        [-torch.inf, -torch.inf, 7., -torch.inf],
        [0., torch.inf, torch.inf, 1.],
        [torch.nan, 1., 2., 3.]], dtype=dtype)
    y = columns.t()[None]  # (1, 4, 7)
    winner = module.first_winner(y, y.amax(1), Buffer(y)).long()
    assert winner[0, :5].tolist() == [1, 0, 1, 0, 2]
    assert ((winner >= 0) & (winner < 4)).all()
