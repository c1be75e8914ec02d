import pytest
import torch

from dcglr_mm.benchmark import memory
from dcglr_mm.benchmark.case import Case, Setup


@pytest.mark.skipif(not memory.can_measure_cpu(), reason='needs Linux and its /proc')
def test_peak_of_a_gather_is_the_size_of_what_it_gathers():
    memory.start_server()
    settings = dict(batch=8, num_points=1024, channels=64, k=20)
    case = Case('ops', 'gather', 'gather', settings)
    expected = 8 * 1024 * 20 * 64 * 4
    for side in ('ours', 'plain'):
        found = memory.peak_on_cpu(case, side, Setup(), threads=1)
        assert expected <= found < 1.2 * expected


@pytest.mark.skipif(not memory.can_measure_cpu(), reason='needs Linux and its /proc')
def test_a_failure_in_the_measuring_process_is_told():
    case = Case('ops', 'knn', 'kNN of nothing', dict(batch=1, num_points=8, channels=3, k=0))
    with pytest.raises(RuntimeError, match='kNN of nothing, ours: ValueError: k must be a pos'):
        memory.peak_on_cpu(case, 'ours', Setup(), threads=1)


def test_a_system_without_proc_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, '_RESET', tmp_path / 'no' / 'such')
    assert not memory.can_measure_cpu()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_peak_on_a_gpu_is_the_size_of_what_is_made():
    from dcglr_mm.benchmark.case import Side
    side = Side(lambda: torch.empty(2**22, device='cuda'), lambda found: {})
    assert memory.peak_on_cuda(side) == 2**24


def test_times_are_kept_where_memory_cannot_be_measured(monkeypatch):
    from dcglr_mm.benchmark import runner

    def killed(*args):
        raise RuntimeError('the process ended with code -9')

    monkeypatch.setattr(runner, '_peaks', killed)
    case = Case('ops', 'gather', 'gather', dict(batch=1, num_points=16, channels=4, k=2))
    result = runner.measure_case(case, runner.Options(repeats=1))
    assert result['status'] == 'ok' and result['memory'] is None
    assert 'ended with code -9' in runner.describe_result(result)
