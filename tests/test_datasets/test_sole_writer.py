"""One writer at a time, however closely several start and end."""
import errno
import fcntl
import multiprocessing
import os
import time

import pytest

from dcglr_mm.datasets import sole_writer as module
from dcglr_mm.datasets.detection_scenes import write_detection_scenes
from dcglr_mm.datasets.rooms import SyntheticRooms
from dcglr_mm.datasets.s3dis import RawFormat, convert_rooms
from dcglr_mm.datasets.sole_writer import sole_writer

PROCESSES = 4


def turns(out, seconds, start, results):
    """Enter and leave as often as there is time; count entries, and those beside another's."""
    entered = overlaps = 0
    start.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with sole_writer(out):
                entered += 1
                try:
                    os.close(os.open(out / 'inside', os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    overlaps += 1
                else:
                    os.unlink(out / 'inside')
        except FileExistsError as refused:
            assert str(refused) == f'another process is writing {out}'
    results.put((entered, overlaps))


def test_several_processes_are_never_in_together(tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    context = multiprocessing.get_context('fork')
    start, results = context.Barrier(PROCESSES), context.Queue()
    children = [context.Process(target=turns, args=(out, 0.4, start, results))
                for _ in range(PROCESSES)]
    for child in children:
        child.start()
    counts = [results.get(timeout=60) for _ in children]
    for child in children:
        child.join()
    assert sum(overlaps for _, overlaps in counts) == 0
    assert sum(entered for entered, _ in counts) > PROCESSES
    assert list(tmp_path.iterdir()) == [out] and not any(out.iterdir())


def test_a_lock_on_a_file_that_was_just_removed_does_not_count(tmp_path, monkeypatch):
    out, lock, tries, really = tmp_path / 'out', tmp_path / '.out.lock', [], fcntl.flock

    def flock(handle, operation):
        really(handle, operation)
        tries.append(os.fstat(handle).st_ino)
        if len(tries) < 3:  # its holder removes it; once there is a new one by then
            lock.rename(tmp_path / f'removed-{len(tries)}')
            if len(tries) == 2:
                lock.touch()

    monkeypatch.setattr(fcntl, 'flock', flock)
    with sole_writer(out):
        assert len(set(tries)) == 3 and lock.stat().st_ino == tries[-1]
    assert not lock.exists()


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    out = tmp_path / 'deep' / 'out'
    child = os.fork()
    if child == 0:
        with sole_writer(out):
            os._exit(9)  # as SIGKILL: nothing is cleaned up
    os.waitpid(child, 0)
    assert (out.parent / '.out.lock').exists()
    with sole_writer(out):
        with pytest.raises(FileExistsError, match='another process is writing .*out$'):
            with sole_writer(out):
                raise AssertionError('two writers')
        with sole_writer(out.with_name('other')):  # the refused one did not harm the holder
            assert (out.parent / '.out.lock').exists()
    assert not any(out.parent.iterdir())


def test_where_nothing_can_be_locked_the_writer_is_warned_and_goes_on(tmp_path, monkeypatch):
    said = []

    def flock(handle, operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, 'flock', flock)
    monkeypatch.setattr(module, 'print_log', lambda line, **kwargs: said.append(line))
    with sole_writer(tmp_path / 'out'):
        assert said == [f'the file system of {tmp_path} has no file locks: see to it that nothing '
                        'else writes there']
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize('write', [
    lambda out: convert_rooms(SyntheticRooms(1, density=20., areas=[1]), RawFormat(), out),
    lambda out: write_detection_scenes(out, 1, 1, num_points=8)], ids=['rooms', 'scenes'])
def test_the_converters_refuse_a_folder_that_is_being_written(tmp_path, write):
    out = tmp_path / 'out'
    (tmp_path / 'link').symlink_to(out)
    with sole_writer(out):
        for name in (out, tmp_path / 'link'):
            with pytest.raises(FileExistsError, match='another process is writing .*out$'):
                write(name)
        assert not out.exists()
    write(tmp_path / 'link')
    assert any(out.iterdir()) and not list(tmp_path.glob('.*'))
