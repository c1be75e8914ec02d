"""The exchange itself: whoever holds an op, in whatever order, and how to be rid of it."""
import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

pytest.importorskip('mmdet3d')

from mmcv import _ext, ops

from dcglr_mm.mmdet3d import cpu_ops
from dcglr_mm.mmdet3d.cpu_ops import dispatch
from dcglr_mm.mmdet3d.cpu_ops.dispatch import DeviceDispatch

POINTS = torch.arange(12.0).view(1, 4, 3)
BOXES = torch.tensor([[[0.0, 1, 2, 1, 1, 1, 0]]])


def _run(code: str) -> str:
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', textwrap.dedent(code)],
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.slow
@pytest.mark.parametrize('order', ['ops first', 'dispatch first'])
def test_whoever_holds_an_op_has_it_on_the_cpu_whatever_the_import_order(order):
    hold = 'from mmcv.ops import furthest_point_sample as fps, points_in_boxes_all as held, knn'
    ours = 'import dcglr_mm.mmdet3d.cpu_ops'
    lines = [hold, ours] if order == 'ops first' else [ours, hold]
    out = _run('\n'.join(['import torch', *lines, textwrap.dedent('''
        points = torch.arange(12.).view(1, 4, 3)
        print(fps(points, 2).tolist(), knn(1, points).tolist())
        print(held(points, torch.tensor([[[0., 1, 2, 1, 1, 1, 0]]])).flatten().tolist())
        from mmdet3d.structures import DepthInstance3DBoxes
        boxes = DepthInstance3DBoxes([[0., 1, 2, 1, 1, 1, 0]])
        print(boxes.points_in_boxes_part(points[0]).tolist())
    ''')]))
    assert out.splitlines()[-3:] == ['[[0, 3]] [[[0, 1, 2, 3]]]', '[1, 0, 0, 0]', '[0, -1, -1, -1]']


def test_stock_ops_are_back_inside_the_context_and_ours_after_it():
    with cpu_ops.stock_ops():
        assert not cpu_ops.is_installed()
        assert not isinstance(_ext.ball_query_forward, DeviceDispatch)
        with pytest.raises(RuntimeError, match='implementation for device cpu not found'):
            ops.ball_query(0, 1, 2, POINTS, POINTS)
        for call in (lambda: ops.furthest_point_sample(POINTS, 2), lambda: ops.knn(1, POINTS),
                     lambda: ops.points_in_boxes_part(POINTS, BOXES)):
            with pytest.raises((RuntimeError, TypeError, AssertionError)):
                call()
    assert cpu_ops.is_installed()
    assert ops.furthest_point_sample(POINTS, 2).tolist() == [[0, 3]]
    assert ops.points_in_boxes_part(POINTS, BOXES).tolist() == [[0, -1, -1, -1]]


def test_installing_twice_is_installing_once():
    entry = _ext.knn_forward
    cpu_ops.install()
    assert _ext.knn_forward is entry and not isinstance(entry.stock, DeviceDispatch)


def test_every_kernel_stands_for_an_entry_of_mmcv():
    from dcglr_mm.mmdet3d.cpu_ops.kernels import KERNELS
    assert [name for name in KERNELS if not isinstance(getattr(_ext, name), DeviceDispatch)] == []


def test_ops_can_still_be_pickled():
    for op in (ops.points_in_boxes_all, ops.furthest_point_sample, ops.knn):
        assert pickle.loads(pickle.dumps(op)) == op


def test_a_kernel_of_mmcv_for_the_cpu_wins():
    calls = []
    entry = DeviceDispatch('op', lambda x: calls.append('mmcv'), lambda x: calls.append('ours'))
    entry(torch.zeros(1))
    assert calls == ['mmcv']


def test_ours_steps_in_where_mmcv_has_none_and_mmcv_is_asked_only_once():
    calls = []

    def stock(x):
        calls.append('mmcv')
        raise RuntimeError('op_impl: implementation for device cpu not found.\n')

    entry = DeviceDispatch('op', stock, lambda x: calls.append('ours'))
    entry(torch.zeros(1))
    entry(torch.zeros(1))
    assert calls == ['mmcv', 'ours', 'ours']


def test_the_log_says_once_that_ours_compute(monkeypatch):
    lines = []
    monkeypatch.setattr(dispatch, 'print_log', lambda text, logger: lines.append(text))
    dispatch._announce.cache_clear()
    ops.knn(1, POINTS)
    ops.ball_query(0, 1, 2, POINTS, POINTS)
    assert len(lines) == 1 and 'dcglr_mm.mmdet3d.cpu_ops' in lines[0]


def test_threads_may_call_while_others_do():
    points = torch.randn(6, 1, 400, 3)
    alone = [ops.ball_query(0, 0.5, 8, cloud, cloud) for cloud in points]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda cloud: ops.ball_query(0, 0.5, 8, cloud, cloud), points))
    assert all(torch.equal(a, b) for a, b in zip(alone, together))


def test_forked_workers_have_the_ops():
    rows = DataLoader(_Sampled(), batch_size=2, num_workers=1, multiprocessing_context='fork')
    assert next(iter(rows)).tolist() == [[0, 3], [0, 3]]


class _Sampled(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, number: int) -> torch.Tensor:
        return ops.furthest_point_sample(POINTS, 2)[0]


def test_tensors_elsewhere_go_to_mmcv():
    calls = []
    entry = DeviceDispatch('op', lambda *x: calls.append('mmcv'), lambda *x: calls.append('ours'))
    entry(0.5, torch.zeros(1, device='meta'))
    assert calls == ['mmcv']


def test_an_error_of_mmcvs_own_is_not_covered_up():
    def stock(x):
        raise RuntimeError('expected scalar type Float but found Double')

    entry = DeviceDispatch('op', stock, lambda x: pytest.fail('must not be asked'))
    with pytest.raises(RuntimeError, match='expected scalar type'):
        entry(torch.zeros(1))
