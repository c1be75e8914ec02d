"""Triton kernels give what torch gives: run by Triton's interpreter, without a GPU.

With one, they are run there too. That they compile for GPUs is seen without any.
"""
import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MMLogger

from dcglr_mm.models.layers import EdgeConv
from dcglr_mm.models.ops import (farthest_point_sample, graph, kernel_checks, kernel_choice, knn,
                                 sampling)

triton = pytest.importorskip('triton', reason='Triton is not installed')
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
PLACES = [pytest.param('cpu', id='interpreter'),
          pytest.param('cuda', id='GPU', marks=needs_gpu)]
SOURCE = Path(kernel_choice.__file__).with_name('triton_kernels.py')


def load(name):
    """The kernels anew: how they run is settled when they are defined."""
    spec = importlib.util.spec_from_file_location(name, SOURCE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where Triton looks for a kernel's globals
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=PLACES)
def device(request):
    return torch.device(request.param)


@pytest.fixture
def kernels(device, monkeypatch):
    if device.type == 'cpu':
        monkeypatch.setenv('TRITON_INTERPRET', '1')
    return load('kernels_under_test')


def lattice(*shape, seed=0, span=40):
    """Coordinates whose distances are exact in float32, so that ties are ties."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-span, span + 1, shape, generator=generator).float() / 32


def farthest_by_definition(points, num_samples, start, last):
    """One cloud, float64: the first of the farthest, those of ``last`` after all others."""
    order = [start]
    while len(order) < num_samples:
        left = [i for i in range(len(points)) if i not in order]
        first = [i for i in left if not last[i]]
        if not first:
            order.append(left[0])
            continue
        gap = torch.cdist(points[first].double(), points[order].double()).amin(1)
        order.append(first[int(gap.argmax())])
    return order


@pytest.mark.parametrize('num_points,num_samples,span', [(1, 1, 4), (7, 7, 1), (70, 40, 3),
                                                         (150, 12, 40)])
@pytest.mark.parametrize('with_last', [False, True])
def test_farthest_points_by_definition(kernels, device, num_points, num_samples, span, with_last):
    points = lattice(3, num_points, 3, span=span)  # a small span: repeated points
    start = torch.tensor([0, num_points // 2, num_points - 1])
    last = torch.rand(3, num_points, generator=torch.Generator().manual_seed(1)) < 0.4
    found = kernels.farthest_points(
        points.transpose(1, 2).contiguous().to(device), num_samples, start.to(device),
        last.to(device) if with_last else None)
    none = torch.zeros(num_points, dtype=torch.bool)
    expected = [farthest_by_definition(cloud, num_samples, int(first), flags if with_last else none)
                for cloud, first, flags in zip(points, start, last)]
    assert found.dtype == torch.int64
    assert found.tolist() == expected


def test_farthest_points_of_no_clouds_and_of_no_numbers(kernels, device):
    start = torch.zeros(0, dtype=torch.int64, device=device)
    assert kernels.farthest_points(torch.empty(0, 3, 5, device=device), 2, start,
                                   None).shape == (0, 2)
    broken = torch.full((1, 3, 5), float('nan'), device=device)
    order = kernels.farthest_points(broken, 5, start.new_zeros(1), None)
    assert 0 <= int(order.min()) and int(order.max()) < 5  # in range, whatever they are


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('num_points,width,rows,k', [(50, 70, 33, 5), (9, 64, 16, 20), (5, 1, 1, 1),
                                                     (40, 130, 7, 3)])
def test_neighbor_max_is_the_first_maximum(kernels, device, num_points, width, rows, k, dtype):
    values = lattice(num_points, width, span=2).to(dtype)  # equal values abound
    values[0] = -float('inf')
    index = torch.randint(num_points, (rows, k), generator=torch.Generator().manual_seed(2))
    index[0] = 0
    best, place = kernels.neighbor_max(values.to(device), index.to(device), with_place=True)
    edges = values[index].tolist()
    for i in range(rows):
        for d in range(width):
            column = [edges[i][j][d] for j in range(k)]
            assert float(best[i, d]) == max(column)
            assert int(place[i, d]) == int(index[i, column.index(max(column))]) * width + d
    alone, none = kernels.neighbor_max(values.to(device), index.to(device), with_place=False)
    assert none is None and torch.equal(alone, best)


def test_what_is_no_number_wins_as_in_torch(kernels, device):
    values = torch.tensor([[1.0], [float('nan')], [2.0]], device=device)
    best, place = kernels.neighbor_max(values, torch.tensor([[0, 1, 2], [2, 0, 2]], device=device),
                                       with_place=True)
    assert best[0].isnan() and place.tolist() == [[1], [2]] and float(best[1]) == 2.0


def test_no_rows(kernels, device):
    best, place = kernels.neighbor_max(torch.ones(3, 4, device=device),
                                       torch.zeros(0, 2, dtype=torch.int64, device=device), True)
    assert best.shape == place.shape == (0, 4)


@pytest.fixture
def chosen(kernels, monkeypatch):
    """Operations take the kernels, on a CPU as on a GPU."""
    asked = []

    def choose(device):
        asked.append(device)
        return kernels

    monkeypatch.setattr(sampling, 'triton_kernels', choose)
    monkeypatch.setattr(graph, 'triton_kernels', choose)
    return asked


@pytest.mark.parametrize('shape', [(2, 60, 3), (2, 60, 2), (2, 20000, 3)])
def test_the_operator_samples_alike_with_kernels(shape, device, request):
    points = lattice(*shape)
    expected = farthest_point_sample(points, 9, start_index=4)
    asked = request.getfixturevalue('chosen')
    found = farthest_point_sample(points.to(device), 9, start_index=4)
    assert asked and torch.equal(found.cpu(), expected)  # other shapes go by torch


def test_edge_convolution_is_the_same_with_kernels(device, chosen, monkeypatch):
    points = lattice(2, 30, 3).double()
    index = knn(points, points, 5)
    layer = EdgeConv(3, 8).double()

    def run(place):
        x = points.to(place, copy=True).requires_grad_()
        moved = layer.to(place)
        moved.zero_grad()
        y = moved(x, index.to(place))
        y.square().sum().backward()
        return [t.cpu() for t in (y, x.grad, *(p.grad for p in moved.parameters()))]

    plain = run('cpu')
    assert not chosen
    if device.type == 'cpu':  # as if it were a GPU
        monkeypatch.setattr('dcglr_mm.models.layers.edge_passes_torch.neighbor_max_with_winner',
                            lambda values, graph_: graph._max_on_device(values, graph_, True))
    for found, expected in zip(run(device), plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert chosen


def test_kernels_that_agree_are_chosen(kernels, device):
    assert kernel_checks.triton_kernels(kernels, device) is None


@needs_gpu
def test_a_gpu_gets_the_kernels():
    assert kernel_choice.triton_kernels(torch.device('cuda', 0)).__name__.endswith('triton_kernels')


class Fails:
    """Kernels as a machine without a compiler has them."""

    def farthest_points(self, *args):
        raise RuntimeError('Failed to find C compiler')


@pytest.mark.parametrize('broken,words', [
    (Fails(), 'cannot be made (RuntimeError: Failed to find C compiler)'),
    (SimpleNamespace(farthest_points=lambda columns, count, start, last: columns.new_zeros(
        len(columns), count, dtype=torch.int64)), 'sample other points than torch'),
])
def test_kernels_that_do_not_work_are_left_out_with_a_warning(broken, words, monkeypatch):
    monkeypatch.setitem(sys.modules, 'dcglr_mm.models.ops.triton_kernels', broken)
    monkeypatch.setattr('dcglr_mm.models.ops.triton_kernels', broken, raising=False)
    said = []
    logger = MMLogger.get_current_instance()
    monkeypatch.setattr(logger, 'handle', said.append)
    kernel_choice._checked_kernels.cache_clear()
    try:
        for _ in range(2):
            assert kernel_choice._checked_kernels('triton_kernels', torch.device('cpu')) is None
    finally:
        kernel_choice._checked_kernels.cache_clear()
    record, = said  # once
    text = record.getMessage()
    assert words in text and 'DCGLR_MM_TRITON=0' in text and record.levelname == 'WARNING'


def test_kernels_that_find_other_maxima_are_named(kernels, device):
    wrong = SimpleNamespace(
        farthest_points=kernels.farthest_points,
        neighbor_max=lambda values, index, with_place: graph.gathered_max(values, index.flip(1)))
    assert kernel_checks.triton_kernels(wrong, device) == 'find other maxima than torch'


def test_cpus_and_the_switch_leave_triton_alone(monkeypatch):
    monkeypatch.setattr(kernel_choice, '_checked_kernels', lambda name, device: name)
    gpu = torch.device('cuda', 0)
    assert kernel_choice.triton_kernels(torch.device('cpu')) is None
    assert kernel_choice.triton_kernels(gpu) == 'triton_kernels'
    monkeypatch.setenv('DCGLR_MM_TRITON', '0')
    assert kernel_choice.triton_kernels(gpu) is None


@pytest.mark.slow
@pytest.mark.parametrize('capability', [80, 90])  # A100, H100
def test_kernels_compile_for_gpus(capability, monkeypatch, tmp_path):
    pytest.importorskip('triton', minversion='3.3', reason='compiles otherwise before 3.3')
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.delenv('TRITON_INTERPRET', raising=False)
    monkeypatch.setenv('TRITON_CACHE_DIR', str(tmp_path))
    kernels = load('kernels_to_compile')
    integers = dict.fromkeys(('num_points', 'num_samples', 'num_rows', 'k', 'width'), 'i32')
    pointers = {'points': '*fp32', 'start': '*i64', 'last': '*i8', 'order': '*i64', 'index': '*i64',
                'place': '*i64', 'values': '*fp32', 'best': '*fp32'}
    for kernel, constants in (
            (kernels._farthest_points, {'HAS_LAST': True, 'BLOCK': 2048}),
            (kernels._farthest_points, {'HAS_LAST': False, 'BLOCK': kernels.MOST_POINTS}),
            (kernels._neighbor_max, {'WITH_PLACE': True, 'ROWS': 16, 'COLUMNS': 64})):
        signature = {name: {**integers, **pointers}.get(name, 'constexpr')
                     for name in kernel.arg_names}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(source, target=GPUTarget('cuda', capability, 32))
        assert f'.target sm_{capability}' in compiled.asm['ptx'] and compiled.asm['cubin']
