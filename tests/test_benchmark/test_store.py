import json

import pytest

from dcglr_mm.benchmark.store import ResultStore, read_results

RUN = dict(allocator='plain', torch_device='cpu', device='a processor', threads=2, torch='2.13',
           environment={})


def result(key, status='ok', **values):
    return dict(key=key, status=status, **values)


def test_a_file_is_whole_after_every_result(tmp_path):
    path = tmp_path / 'new' / 'results.json'
    store = ResultStore(path)
    store.begin(RUN)
    for key in 'ab':
        store.add(result(key))
        assert [found['key'] for found in read_results(path)['results']][-1] == key
    assert list(path.parent.iterdir()) == [path]  # nothing of the writing is left


def test_resuming_skips_what_was_measured_under_the_same_conditions_only(tmp_path):
    path = tmp_path / 'results.json'
    store = ResultStore(path)
    store.begin(RUN)
    store.add(result('good'))
    store.add(result('bad', 'failed'))

    again = ResultStore(path, resume=True)
    again.begin(dict(RUN))
    assert again.is_done('good')
    assert not again.is_done('bad') and not again.is_done('new')
    for change in (dict(allocator='tuned'), dict(threads=1), dict(torch='2.14'),
                   dict(device='another'), dict(kernels='Numba'),
                   dict(environment={'OMP_WAIT_POLICY': 'ACTIVE'})):
        again.begin({**RUN, **change})
        assert not again.is_done('good'), change


def test_a_case_measured_again_takes_the_old_one_s_place(tmp_path):
    path = tmp_path / 'results.json'
    store = ResultStore(path)
    store.begin(RUN)
    store.add(result('a', 'failed'))
    store.begin({**RUN, 'allocator': 'tuned'})
    store.add(result('a', value=1))
    store.begin(dict(RUN))
    store.add(result('a', value=2))
    content = read_results(path)
    assert [(found['run'], found.get('value')) for found in content['results']] == [(1, 1), (2, 2)]


def test_a_case_that_killed_its_process_is_not_tried_again_at_once(tmp_path):
    path = tmp_path / 'results.json'
    store = ResultStore(path)
    store.begin(RUN)
    store.announce(dict(key='big'))  # and the process is gone

    later = ResultStore(path, resume=True)  # after a power cut, say
    later.begin(dict(RUN))
    assert not later.is_done('big') and later.results == []

    again = ResultStore(path, resume=True, after_kill=True)
    again.begin(dict(RUN))
    assert again.is_done('big')
    killed, = again.results
    assert killed['status'] == 'killed' and 'memory' in killed['message']
    assert read_results(path)['running'] is None


def test_an_existing_file_is_not_overwritten(tmp_path):
    path = tmp_path / 'results.json'
    path.write_text('{}')
    with pytest.raises(FileExistsError, match='results.json exists: give --resume'):
        ResultStore(path)


@pytest.mark.parametrize('text, message', [
    ('nonsense', 'is not JSON'), ('[1]', 'is not a results file'),
    (json.dumps(dict(format=0)), 'is not a results file')])
def test_another_file_is_refused(tmp_path, text, message):
    path = tmp_path / 'results.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        ResultStore(path, resume=True)
