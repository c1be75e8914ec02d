"""A signal ends a run in good order, wherever it arrives."""
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from functools import partial

import pytest

from dcglr_mm.engine import interrupt
from dcglr_mm.engine.interrupt import InterruptHook, clean_interrupt, in_steps


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_one_line(number, capsys, request):
    before = signal.default_int_handler  # a shell's background jobs are started deaf to Ctrl-C
    request.addfinalizer(partial(signal.signal, number, signal.signal(number, before)))
    with pytest.raises(SystemExit) as stop, clean_interrupt('go on with --resume'):
        os.kill(os.getpid(), number)
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'interrupted: go on with --resume\n'
    assert signal.getsignal(number) is before


class Deleted:
    """A loader whose deletion a signal falls into; Python drops what its handler raises there."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


def lost_in_a_deletion():
    Deleted()


def lost_in_a_weak_references_callback():
    def callback(reference):
        os.kill(os.getpid(), signal.SIGTERM)

    class Loader:
        pass

    loader = Loader()
    reference = weakref.ref(loader, callback)
    del loader
    assert reference() is None


@pytest.mark.parametrize('lose', [lost_in_a_deletion, lost_in_a_weak_references_callback])
def test_a_signal_whose_exception_python_drops_ends_the_run_soon(lose, capsys):
    drop = sys.unraisablehook
    with pytest.raises(SystemExit) as stop, clean_interrupt('go on with --resume'):
        lose()
        time.sleep(60)  # work that the second exception ends
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'interrupted: go on with --resume\n'
    assert sys.unraisablehook is drop


FORKS = """
import os, signal, time
from dcglr_mm.engine.interrupt import clean_interrupt

def kill():
    if os.getpid() == parent:
        os.kill(parent, signal.SIGTERM)

parent = os.getpid()
os.register_at_fork(after_in_parent=kill)
with clean_interrupt('go on with --resume'):
    worker = os.fork()
    if not worker:
        os._exit(0)
    os.waitpid(worker, 0)
    time.sleep(600)
"""


def test_a_signal_that_falls_into_the_start_of_a_worker_ends_the_run_soon():
    done = subprocess.run([sys.executable, '-c', FORKS], capture_output=True, text=True,
                          timeout=300)
    assert (done.returncode, done.stderr) == (130, 'interrupted: go on with --resume\n')


def test_other_exceptions_that_python_drops_are_still_printed(monkeypatch):
    class Loader:
        def __del__(self):
            raise ValueError('a broken loader')

    printed = []
    monkeypatch.setattr(sys, 'unraisablehook', lambda dropped: printed.append(dropped.exc_value))
    with clean_interrupt(''):
        Loader()
    assert [str(error) for error in printed] == ['a broken loader']


def test_an_exception_that_follows_a_signal_counts_as_its_consequence(capsys):
    with pytest.raises(SystemExit) as stop, clean_interrupt('go on with --resume'):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            raise SyntaxError('the config is wrong') from None  # as MMEngine's formatting does
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'interrupted: go on with --resume\n'


def test_an_exception_without_a_signal_goes_its_way():
    with pytest.raises(SyntaxError, match='wrong'), clean_interrupt(''):
        raise SyntaxError('the config is wrong')


def test_what_an_interrupted_frame_holds_is_deleted_before_the_last_line(capsys):
    class Loader:
        def __del__(self):
            print('workers are ended', file=sys.stderr)
            raise AttributeError('half-made')  # a loader that was interrupted as it was made

    def work():
        loader = Loader()
        os.kill(os.getpid(), signal.SIGTERM)
        return loader

    with pytest.raises(SystemExit) as stop, clean_interrupt('go on'):
        work()
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'workers are ended\ninterrupted: go on\n'


def train(signals_in_step, steps=4, inner=lambda: None):
    """Call the hook as MMEngine's loop does; gives the points that were reached."""
    reached = []
    hook = InterruptHook()
    with pytest.raises(SystemExit) as stop, clean_interrupt(''):
        hook.before_train(None)
        hook.before_train_epoch(None)
        for step in range(steps):
            hook.before_train_iter(None, step)
            for _ in range(signals_in_step if step == 1 else 0):
                os.kill(os.getpid(), signal.SIGTERM)
            inner()
            reached.append(step)
            hook.after_train_iter(None, step)
        hook.after_train(None)
        reached.append('trained')
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.value.code == 130
    return reached


def test_a_step_is_ended_first():
    assert train(signals_in_step=1) == [0, 1]


def test_a_second_signal_does_not_wait_for_the_step():
    assert train(signals_in_step=2) == [0]


def test_after_training_a_signal_does_not_wait_for_a_step():
    assert train(signals_in_step=0) == [0, 1, 2, 3, 'trained']


def test_a_step_that_takes_too_long_is_left(monkeypatch):
    monkeypatch.setattr('dcglr_mm.engine.interrupt._GRACE', 0.1)

    def slow_once_asked():
        if interrupt._current.received:
            time.sleep(60)

    assert train(signals_in_step=1, inner=slow_once_asked) == [0]


def test_work_in_steps_ends_between_two_and_has_time_to_tidy_up(monkeypatch):
    monkeypatch.setattr('dcglr_mm.engine.interrupt._GRACE', 0.1)
    done = []
    with pytest.raises(SystemExit), clean_interrupt(''), in_steps() as stop_if_asked:
        try:
            for step in range(3):
                if step == 1:
                    os.kill(os.getpid(), signal.SIGTERM)
                done.append(step)
                stop_if_asked()
        finally:
            time.sleep(0.3)
            done.append('tidy')
    assert done == [0, 1, 'tidy']


def test_after_the_steps_a_signal_is_heard_at_once():
    with pytest.raises(SystemExit), clean_interrupt(''):
        with in_steps():
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail('went on')


def test_a_signal_during_a_checkpoint_stops_before_the_next_epoch():
    hook = InterruptHook()
    with pytest.raises(SystemExit), clean_interrupt(''):
        hook.before_train(None)
        hook.after_train_iter(None, 0)
        os.kill(os.getpid(), signal.SIGTERM)
        hook.after_train_epoch(None)  # a checkpoint is written about here
        hook.before_train_epoch(None)
        pytest.fail('the next epoch has begun')


def test_a_signal_in_the_last_step_leaves_a_finished_training_alone(capsys):
    hook, saved = InterruptHook(), []
    with clean_interrupt('go on with --resume'):
        hook.before_train(None)
        os.kill(os.getpid(), signal.SIGTERM)
        hook.after_train(None)
        saved.append('weights')
    assert saved == ['weights'] and capsys.readouterr().err == ''
    assert not interrupt._current.received  # what this process does next is not stopped either
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


WORKER = """
import os, select, signal
from dcglr_mm.engine.interrupt import clean_interrupt

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are deaf to it
(heard, ready), (ended, end) = os.pipe(), os.pipe()
with clean_interrupt('go on with --resume'):
    worker = os.fork()
    if not worker:
        os.close(end)
        os.write(ready, b'.')
        select.select([ended], [], [], 600)  # until the parent closes its end
        os._exit(7)
    os.read(heard, 1)
    try:
        {send}
    finally:
        os.close(end)
        print(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
"""


@pytest.mark.parametrize('send,of_worker,of_parent', [
    ('os.killpg(0, signal.SIGINT)', 7, 130),  # a terminal's Ctrl-C, which workers get as well
    ('os.kill(worker, signal.SIGTERM)', -signal.SIGTERM, 0),  # Process.terminate()
])
def test_a_worker_leaves_ctrl_c_to_its_parent_and_can_be_terminated(send, of_worker, of_parent):
    done = subprocess.run([sys.executable, '-c', WORKER.format(send=send)], capture_output=True,
                          text=True, timeout=300, start_new_session=True)
    assert done.stdout == f'{of_worker}\n'
    assert done.returncode == of_parent
    assert done.stderr == ('interrupted: go on with --resume\n' if of_parent else '')


def test_a_signal_that_the_starter_switched_off_stays_off():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with clean_interrupt(''):
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_earlier_signal_does_not_stop_a_later_run():
    with pytest.raises(SystemExit), clean_interrupt(''):
        os.kill(os.getpid(), signal.SIGTERM)
    InterruptHook().after_val_iter(None, 0)  # of a runner that no clean_interrupt watches
    with clean_interrupt(''):
        InterruptHook().after_val_iter(None, 0)
