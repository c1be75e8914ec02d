"""Kernels compiled by Numba give what their definitions say."""
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger
from torch.utils.flop_counter import FlopCounterMode

import dcglr_mm
from dcglr_mm.models.layers import EdgeConv
from dcglr_mm.models.layers.point_linear import PointLinear
from dcglr_mm.models.ops import farthest_point_sample, kernel_checks, kernel_choice, knn
from dcglr_mm.models.ops.distance_tiles import ProductTiles

pytest.importorskip('numba', reason='Numba is not installed')

from dcglr_mm.models.ops import numba_kernels as kernels  # noqa: E402
from dcglr_mm.models.ops.numba_kernels import tasks  # noqa: E402

CPU = torch.device('cpu')


def lattice(*shape, levels=9):
    """Whole numbers: many are equal, and sums of their squares exact."""
    return torch.randint(levels, shape).float()


def smallest(matrix, least, k):
    """By a stable sort."""
    return torch.maximum(matrix, least[..., None]).sort(dim=2, stable=True).indices[..., :k]


@pytest.mark.parametrize('width, k', [
    (1, 1), (3, 2), (64, 64), (65, 20), (100, 7), (300, 300), (1000, 20), (1024, 40), (2500, 200)])
@pytest.mark.parametrize('levels', [2, 10**6])
def test_smallest_columns_by_a_sort(threads, width, k, levels):
    matrix = lattice(2, 70, width, levels=levels) - 1  # some below what counts least
    least = lattice(2, 70, levels=3)
    found = torch.full((2, 70, k), -1)
    kernels.smallest_columns(matrix, least, found, None)
    assert torch.equal(found, smallest(matrix, least, k))


def test_smallest_columns_without_one():
    matrix, least = lattice(2, 30, 90), torch.zeros(2, 30)
    found = torch.empty(2, 30, 12, dtype=torch.int64)
    expected = matrix.clone()
    expected[:, torch.arange(30), torch.arange(30) + 40] = float('inf')
    kernels.smallest_columns(matrix, least, found, 40)
    assert torch.equal(found, smallest(expected, least, 12))


def test_infinite_entries_are_found_and_what_is_no_number_comes_last():
    inf, nan = float('inf'), float('nan')
    matrix = torch.tensor([[[nan, inf, 2., nan, inf, 1.]]])
    found = torch.empty(1, 1, 6, dtype=torch.int64)
    kernels.smallest_columns(matrix, torch.zeros(1, 1), found, None)
    assert found.tolist() == [[[5, 2, 1, 4, 0, 3]]]
    found = torch.empty(1, 1, 5, dtype=torch.int64)
    kernels.smallest_columns(matrix, torch.zeros(1, 1), found, 1)  # the inf is left out
    assert found.tolist() == [[[5, 2, 4, 0, 3]]]


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('queries, points, k', [(1, 1, 1), (33, 70, 70), (200, 900, 20)])
def test_nearest_by_a_sort(threads, channels, queries, points, k):
    query, reference = lattice(3, queries, channels), lattice(3, points, channels)
    distance = (query[:, :, None] - reference[:, None]).square().sum(3)
    found = torch.empty(3, queries, k, dtype=torch.int64)
    kernels.nearest(query, reference.transpose(1, 2).contiguous(), found, False)
    assert torch.equal(found, smallest(distance, torch.zeros(3, queries), k))


@pytest.mark.parametrize('exclude_self', [False, True])
@pytest.mark.parametrize('channels', [3, 64])
def test_search_is_the_same_with_kernels_and_without(channels, exclude_self, monkeypatch):
    cloud = torch.randn(3, 700, channels)
    cloud[:, 300:400] = cloud[:, 100:200]
    found = knn(cloud, cloud, 20, exclude_self)  # enough for kernels
    monkeypatch.setenv(kernel_choice.SWITCHES['numba_kernels'], '0')
    assert torch.equal(found, knn(cloud, cloud, 20, exclude_self))


def test_large_searches_are_made_by_kernels(monkeypatch):
    cloud, calls = torch.randn(1, 600, 8), []
    fake = SimpleNamespace(smallest_columns=lambda *args: calls.append(args))
    module = sys.modules['dcglr_mm.models.ops.knn']
    monkeypatch.setattr(module, 'numba_kernels', lambda device: fake)
    knn(cloud, cloud, 5)
    knn(cloud.double(), cloud.double(), 5)
    knn(cloud[:, :500], cloud[:, :500], 5)
    (tile, least, index, excluded), = calls
    assert tile.shape == (1, 600, 600) and least.shape == (600, 1) and index.shape == (1, 600, 5)
    torch.testing.assert_close(tile, ProductTiles(cloud, cloud, 1).distances(slice(1), slice(600)))
    assert excluded is None


def farthest_by_definition(cloud, num_samples, start, last):
    """One cloud, float64: the first of the farthest, those of ``last`` after all others."""
    order = [start]
    while len(order) < num_samples:
        left = [i for i in range(len(cloud)) if i not in order]
        first = [i for i in left if not last[i]]
        if not first:
            order.append(left[0])
            continue
        gap = torch.cdist(cloud[first].double(), cloud[order].double()).amin(1)
        order.append(first[int(gap.argmax())])
    return order


@pytest.mark.parametrize('points, samples, levels', [(1, 1, 9), (7, 7, 2), (70, 40, 4),
                                                     (300, 12, 90)])
@pytest.mark.parametrize('share_last', [0, 0.4])
def test_farthest_points_by_definition(threads, points, samples, levels, share_last):
    cloud = lattice(3, points, 3, levels=levels)  # few levels: repeated points
    start = torch.tensor([0, points // 2, points - 1])
    last = torch.rand(3, points) < share_last
    found = kernels.farthest_points(cloud.transpose(1, 2).contiguous(), samples, start,
                                    last if share_last else None)
    assert found.tolist() == [farthest_by_definition(*args) for args in zip(
        cloud, [samples] * 3, start.tolist(), last)]


def test_farthest_points_among_what_is_no_number():
    cloud = torch.randn(1, 3, 40)
    cloud[0, 1, 7] = float('nan')
    cloud[0, 0, 9] = float('inf')
    found = kernels.farthest_points(cloud, 40, torch.tensor([3]), None)
    assert found[0].sort().values.tolist() == list(range(40))


@pytest.mark.parametrize('clouds, points, channels, k', [(1, 1, 1, 1), (3, 40, 5, 7),
                                                         (2, 300, 130, 4), (1, 4500, 40, 3)])
def test_edges_by_definition(threads, clouds, points, channels, k):
    index = torch.randint(points, (clouds, points, k))
    if k > 1:
        index[:, :, 1] = index[:, :, 0]  # a neighbour may be listed twice
    terms = kernels.new_terms(index, 2 * channels).copy_(
        lattice(clouds, points, 2 * channels) - 4)
    a, b = terms.chunk(2, 2)
    picked = a[torch.arange(clouds)[:, None, None], index]  # (B, N, k, D)
    edges = picked + b[:, :, None]

    best, tails = torch.empty(2, clouds, points, channels)
    winner = torch.empty_like(best, dtype=torch.int32)
    sums = torch.empty(clouds, 2, channels, dtype=torch.float64)
    degree = torch.empty(clouds, points)
    heads = kernels.new_padded(index, channels)
    kernels.edge_maxima(terms, index, best, winner, sums, degree, heads, tails)
    heads = heads[..., :channels]
    assert torch.equal(best, edges.amax(2))
    slot = (picked == picked.amax(2, keepdim=True)).byte().argmax(2)  # the first
    assert torch.equal(winner, index.gather(2, slot).int())
    assert torch.equal(tails, edges.sum(2))
    assert torch.equal(sums, torch.stack((edges, edges.square()), 1).double().sum((2, 3)))
    counted, added = torch.zeros_like(degree), torch.zeros_like(best)
    for cloud in range(clouds):
        counted[cloud].index_add_(0, index[cloud].flatten(), torch.ones(points * k))
        added[cloud].index_add_(0, index[cloud].flatten(), edges[cloud].flatten(0, 1))
    assert torch.equal(degree, counted) and torch.equal(heads, added)

    alone, other = torch.empty_like(best), torch.empty_like(best)
    kernels.edge_maxima(terms, index, alone)
    kernels.edge_maxima(terms, index, other, torch.empty_like(winner))
    assert torch.equal(alone, best) and torch.equal(other, best)


@pytest.mark.parametrize('clouds, points, channels, k', [(1, 1, 1, 1), (3, 40, 5, 7),
                                                         (2, 300, 130, 4), (1, 4500, 40, 3)])
def test_gradients_of_edges_by_definition(threads, clouds, points, channels, k):
    index = torch.randint(points, (clouds, points, k))
    winner = index.gather(2, torch.randint(k, (clouds, points, channels))).int()
    grad, heads, tails = lattice(3, clouds, points, channels) - 4
    factor, slope, level = lattice(3, channels) - 4
    degree = lattice(clouds, points)
    found = kernels.edge_gradients(grad, winner, index, factor)
    at_heads = torch.zeros_like(grad).scatter_add_(1, winner.long(), grad * factor)
    assert torch.equal(found, torch.cat((at_heads, grad * factor), 2))
    padded = kernels.new_padded(index, channels)
    padded[..., :channels] = heads
    found = kernels.edge_gradients(grad, winner, index, factor, degree, padded, tails, slope, level)
    everywhere = (degree[..., None] * level - slope * heads, k * level - slope * tails)
    assert torch.equal(found, torch.cat((at_heads, grad * factor), 2) + torch.cat(everywhere, 2))


@pytest.mark.parametrize('rows, channels', [(1, 1), (129, 140), (1000, 8)])
def test_gradient_of_the_activation(threads, rows, channels):
    grad_out, out, best = lattice(3, 2, rows, channels) - 4
    center = lattice(channels)
    grad, sums = kernels.activation_gradient(grad_out, out, best, center, 0.5)
    expected = torch.where(out > 0, grad_out, grad_out * 0.5)
    assert torch.equal(grad, expected)
    products = expected * (best - center)
    assert torch.equal(sums, torch.stack((expected, products)).double().sum((1, 2)))


@pytest.mark.parametrize('num_rows, size, channels', [(1, 1, 1), (90, 32, 140), (1000, 64, 130),
                                                     (64, 1, 5), (600, 3, 33)])
def test_maxima_of_groups_by_definition(threads, num_rows, size, channels):
    rows = lattice(num_rows, channels) - 4
    groups = rows.split(size)
    best = torch.empty(len(groups), channels)
    winner = torch.empty_like(best, dtype=torch.int32)
    sums = kernels.group_maxima(rows, size, best, winner, True)
    assert torch.equal(best, torch.stack([group.amax(0) for group in groups]))
    first = torch.stack([(group == group.amax(0)).byte().argmax(0) for group in groups])
    assert torch.equal(winner, first.int())
    assert torch.equal(sums, torch.stack((rows, rows.square())).double().sum(1))
    alone = torch.empty_like(best)
    assert kernels.group_maxima(rows, size, alone) is None and torch.equal(alone, best)


def test_a_maximum_that_is_no_number():
    rows = lattice(4, 3)
    rows[1, 2] = float('nan')
    best, winner = torch.empty(1, 3), torch.empty(1, 3, dtype=torch.int32)
    kernels.group_maxima(rows, 4, best, winner)
    assert best.isnan().tolist() == [[False, False, True]] and winner[0, 2] == 1


@pytest.mark.parametrize('clouds, points, channels', [(1, 1, 1), (3, 65, 140), (2, 300, 20)])
def test_passes_over_pooled_rows_by_definition(threads, clouds, points, channels):
    y = lattice(clouds, points, channels) - 4
    factor, offset, grad, slope = lattice(4, channels) - 4
    d = torch.where(factor * y + offset > 0, 1., 0.5)
    found = kernels.activation_moments(y, factor, offset, 0.5)
    assert torch.equal(found[0], d.sum(1)) and torch.equal(found[1], (d * y).sum(1))
    for some in (slope, None):
        out = torch.empty(points, channels)
        kernels.pooled_gradient(y[-1], factor, offset, 0.5, grad, some, out)
        assert torch.equal(out, grad * d[-1] - (0 if some is None else some) * y[-1])


@pytest.mark.parametrize('groups, k, inputs, channels', [(1, 1, 1, 1), (6, 32, 70, 19),
                                                         (9, 5, 300, 8)])
def test_sums_over_winners_by_definition(threads, groups, k, inputs, channels):
    rows, weight = lattice(groups, k, inputs) - 4, lattice(channels, inputs) - 4
    grad, winner = lattice(groups, channels) - 4, torch.randint(k, (groups, channels)).int()
    won = torch.nn.functional.one_hot(winner.long(), k) * grad[..., None]  # (G, D, k)
    total, out = lattice(channels, inputs), torch.full_like(rows, 7)
    expected = total + torch.einsum('gdk,gkc->dc', won, rows)
    kernels.add_won_rows(grad, winner, rows, total)
    assert torch.equal(total, expected)
    kernels.sum_won_channels(grad, winner, weight, out)
    assert torch.equal(out, torch.einsum('gdk,dc->gkc', won, weight))


def everything():
    """Results of all that kernels serve, on a small case."""
    torch.manual_seed(0)
    cloud = torch.randn(2, 60, 3, dtype=torch.float32, device='cpu')
    layers = [EdgeConv(3, 20, 5), PointLinear(20, 30)]
    layers = [layer.to('cpu', torch.float32) for layer in layers]
    for layer in layers:  # drawn anew: a default type draws others
        for parameter in layer.parameters():
            torch.nn.init.normal_(
                parameter, generator=torch.Generator(device='cpu').manual_seed(1))
    features = cloud.clone().requires_grad_()
    out = layers[1].max_and_mean_over_points(layers[0](features))
    out.sum().backward()
    return [knn(cloud, cloud, 5), farthest_point_sample(cloud, 9), out.detach(), features.grad,
            *(p.grad for layer in layers for p in layer.parameters())]


@pytest.mark.parametrize('cpu_kernels', ['numba'], indirect=True)
@pytest.mark.parametrize('default', ['dtype', 'device'])
def test_defaults_of_torch_do_not_matter(cpu_kernels, default, monkeypatch):
    expected = everything()
    kernel_choice._checked_kernels.cache_clear()  # so that they are checked under the default, too
    if default == 'dtype':
        torch.set_default_dtype(torch.float64)
        try:
            found = everything()
        finally:
            torch.set_default_dtype(torch.float32)
    else:
        cloud = torch.randn(2, 60, 3)
        expected = [knn(cloud, cloud, 5), farthest_point_sample(cloud, 9)]
        kernel_choice._checked_kernels.cache_clear()
        with torch.device('meta'):
            found = [knn(cloud, cloud, 5), farthest_point_sample(cloud, 9)]
    assert kernel_choice.numba_kernels(CPU) is kernels
    for ours, other in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, other)


def test_tensors_without_memory_here_are_refused():
    rows = torch.empty(4, 4, device='meta')
    with pytest.raises(TypeError, match='given a Tensor on meta without memory'):
        kernels.group_maxima(rows, 2, torch.empty(2, 4))


def test_a_machine_without_a_folder_for_compiled_code(monkeypatch):
    calls = []

    def cfunc(signature, cache=False):
        calls.append(cache)
        if cache:
            raise RuntimeError('cannot cache function: no locator available')
        return lambda function: 'compiled'

    monkeypatch.setattr(tasks, 'cfunc', cfunc)
    assert tasks.kernel(lambda a: None)() == 'compiled' and calls == [True, False]


def test_compiled_code_is_kept_until_any_source_changes(tmp_path):
    """Of a file that kernels take functions from, too: Numba itself would not notice."""
    folder = tmp_path / 'copied' / 'numba_kernels'
    shutil.copytree(Path(tasks.__file__).parent, folder,
                    ignore=shutil.ignore_patterns('__pycache__'))
    (folder.parent / 'kernel_choice.py').write_text(
        f'import sys; sys.path.append({str(Path(dcglr_mm.__file__).parents[1])!r})\n'
        'from dcglr_mm.models.ops.kernel_choice import threads_can_be_called\n')
    script = ('import torch; from copied.numba_kernels import group_maxima\n'
              'best = torch.empty(1, 1)\n'
              'group_maxima(torch.tensor([[1.], [3.], [2.]]), 3, best, None, with_sums=False)\n'
              'print(int(best))')
    env = dict(os.environ, PYTHONPATH=str(tmp_path), NUMBA_CACHE_DIR=str(tmp_path / 'cache'))

    def run() -> tuple[int, list[Path]]:
        done = subprocess.run([sys.executable, '-c', script], check=True, capture_output=True,
                              text=True, env=env)
        return int(done.stdout), sorted((tmp_path / 'cache').rglob('*.nb*'))

    first = run()
    assert first[0] == 3 and first[1]
    assert run() == first
    for damaged in first[1]:  # is made again, once
        damaged.write_bytes(damaged.read_bytes()[:100])
        mended = run()
        assert mended[0] == 3 and len(mended[1]) == 2 * len(first[1])
        assert run() == mended
    first = mended
    source = folder / 'maxima.py'
    source.write_text(source.read_text().replace('value > maximum[c]', 'value < 3'))
    value, files = run()
    assert value == 2 and len(files) == 3 * len(first[1]) // 2


@pytest.mark.parametrize('cpu_kernels', ['numba'], indirect=True)
def test_what_notes_operations_sees_torch_s_own(cpu_kernels):
    cloud = torch.rand(8, 400, 3)
    layer = PointLinear(3, 64).eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        farthest_point_sample(cloud, 4)
        layer.max_over_points(cloud)
    assert counter.get_total_flops() == 2 * 8 * 400 * 3 * 64
    for function in (lambda x: farthest_point_sample(x, 4), lambda x: knn(x, x, 5, True),
                     lambda x: layer.max_over_points(x)):
        traced = torch.jit.trace(function, torch.rand(8, 400, 3), check_trace=False)
        torch.testing.assert_close(traced(cloud), function(cloud))
    assert torch.equal(torch.func.vmap(lambda x: x.sum())(cloud), cloud.sum((1, 2)))
    assert kernel_choice.numba_kernels(CPU) is kernels


@pytest.mark.parametrize('cpu_kernels', ['numba'], indirect=True)
def test_a_query_that_is_left_out_stays_out_of_what_is_no_number(cpu_kernels):
    cloud = torch.rand(1, 700, 3)
    cloud[0, 5] = float('nan')
    own = torch.arange(700)[:, None]
    for features in (cloud, cloud.repeat(1, 1, 3)):
        assert not (knn(features, features, 20, exclude_self=True)[0] == own).any()


@pytest.mark.parametrize('cpu_kernels', ['numba'], indirect=True)
def test_lazily_negated_values_are_negated(cpu_kernels):
    cloud = lattice(2, 600, 3)
    assert torch.equal(knn(torch._neg_view(-cloud), cloud, 5), knn(cloud, cloud, 5))


def _search_in_a_fork(cloud, results):
    torch.set_num_threads(2)
    results.put(farthest_point_sample(cloud, 20).tolist())


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork')
@pytest.mark.parametrize('cpu_kernels', ['numba'], indirect=True)
def test_a_fork_does_without_the_threads_of_its_parent(cpu_kernels):
    torch.set_num_threads(2)
    cloud = torch.rand(8, 700, 3)
    expected = farthest_point_sample(cloud, 20).tolist()  # starts threads here
    context = torch.multiprocessing.get_context('fork')
    results = context.Queue()
    child = context.Process(target=_search_in_a_fork, args=(cloud, results), daemon=True)
    child.start()
    assert results.get(timeout=60) == expected
    child.join(60)


def test_numba_that_must_not_compile_is_left_alone():
    script = ('import torch; from dcglr_mm.models.ops import kernel_choice\n'
              'print(kernel_choice.numba_kernels(torch.device("cpu")))')
    done = subprocess.run([sys.executable, '-c', script], check=True, capture_output=True,
                          text=True, env=dict(os.environ, NUMBA_DISABLE_JIT='1'))
    assert done.stdout == 'None\n' and 'Warning' not in done.stderr


def test_another_openmp_means_one_thread(monkeypatch):
    monkeypatch.setattr(tasks, '_parallel', lambda: None)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    rows, best = lattice(90, 40), torch.empty(3, 40)
    kernels.group_maxima(rows, 30, best)
    assert torch.equal(best, rows.view(3, 30, 40).amax(1))


def test_other_threads_are_torch_s_own(monkeypatch):
    calls = []
    parallel = tasks._parallel()
    if parallel is None:
        pytest.skip('this torch has another OpenMP than GNU\'s')
    monkeypatch.setattr(tasks, '_parallel', lambda: lambda *args: (calls.append(args[2]),
                                                                   parallel(*args)))
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    rows, best = lattice(90, 40), torch.empty(3, 40)
    kernels.group_maxima(rows, 30, best)
    assert calls == [2] and torch.equal(best, rows.view(3, 30, 40).amax(1))


def test_kernels_that_agree_are_chosen():
    assert kernel_checks.numba_kernels(kernels, CPU) is None
    assert kernel_choice.numba_kernels(CPU) is kernels


def test_gpus_and_the_switch_leave_numba_alone(monkeypatch):
    assert kernel_choice.numba_kernels(torch.device('cuda', 0)) is None
    monkeypatch.setenv('DCGLR_MM_NUMBA', '0')
    assert kernel_choice.numba_kernels(CPU) is None


def wrong(**functions):
    return SimpleNamespace(**{name: getattr(kernels, name) for name in kernels.__all__}
                           | functions)


def no_neighbours(query, reference, out, exclude_self):
    out.zero_()


def no_maxima(terms, index, best, *rest):
    kernels.edge_maxima(terms, index, best, *rest)
    best += 1


def fails(*args):
    raise OSError('no such library')


@pytest.mark.parametrize('broken, words', [
    (wrong(farthest_points=lambda columns, count, start, last: columns.new_zeros(
        len(columns), count, dtype=torch.int64)),
     "Numba's kernels sample other points than torch on cpu"),
    (wrong(nearest=no_neighbours), "Numba's kernels find other neighbours than torch on cpu"),
    (wrong(edge_maxima=no_maxima), "Numba's kernels find other maxima than torch on cpu"),
    (wrong(edge_gradients=lambda *args: kernels.edge_gradients(*args) + 1),
     "Numba's kernels give other gradients than torch on cpu"),
    (wrong(pooled_gradient=lambda *args: None),
     "Numba's kernels pool other values than torch on cpu"),
    (wrong(nearest=fails), "Numba's kernels cannot be made (OSError: no such library) on cpu"),
])
def test_kernels_that_do_not_work_are_left_out_with_a_warning(broken, words, monkeypatch):
    monkeypatch.setitem(sys.modules, 'dcglr_mm.models.ops.numba_kernels', broken)
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handle', said.append)
    kernel_choice._checked_kernels.cache_clear()
    try:
        for _ in range(2):
            assert kernel_choice.numba_kernels(CPU) is None
    finally:
        kernel_choice._checked_kernels.cache_clear()
    record, = said  # once
    text = record.getMessage()
    assert words in text and 'DCGLR_MM_NUMBA=0' in text and record.levelno == logging.WARNING


@pytest.mark.parametrize('patience, said', [(0, ['Numba compiles']), (60, [])])
def test_what_takes_long_is_said(patience, said, monkeypatch):
    records = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handle', records.append)
    monkeypatch.setattr(kernel_choice, '_PATIENCE', patience)
    with kernel_choice._said_if_it_takes_long('Numba compiles'):
        deadline = time.monotonic() + 30
        while patience == 0 and not records and time.monotonic() < deadline:
            time.sleep(0.01)
    assert [record.getMessage() for record in records] == said


def test_without_numba_nothing_is_said(monkeypatch):
    for name in list(sys.modules):
        if name.startswith('dcglr_mm.models.ops.numba_kernels'):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'numba', None)  # importing it fails
    said = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'handle', said.append)
    kernel_choice._checked_kernels.cache_clear()
    try:
        assert kernel_choice.numba_kernels(CPU) is None
    finally:
        kernel_choice._checked_kernels.cache_clear()
    assert said == []
