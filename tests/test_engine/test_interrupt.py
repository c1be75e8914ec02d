"""A signal ends a run in good order, wherever it arrives."""
import os
import signal
from functools import partial

import pytest

from dcglr_mm.engine.interrupt import InterruptHook, clean_interrupt


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_run_with_one_line(number, capsys, request):
    before = signal.default_int_handler  # a shell's background jobs are started deaf to Ctrl-C
    request.addfinalizer(partial(signal.signal, number, signal.signal(number, before)))
    with pytest.raises(SystemExit) as stop, clean_interrupt('go on with --resume'):
        os.kill(os.getpid(), number)
    assert stop.value.code == 130
    assert capsys.readouterr().err == 'interrupted: go on with --resume\n'
    assert signal.getsignal(number) is before


@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_signal_whose_exception_python_drops_ends_the_run_after_the_iteration():
    class Loader:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)

    steps = []
    with pytest.raises(SystemExit) as stop, clean_interrupt(''):
        hook = InterruptHook()
        for step in range(4):
            loader = Loader() if step == 1 else None
            del loader  # the exception of the handler is lost here
            steps.append(step)
            hook.after_train_iter(None, step)
    assert stop.value.code == 130
    assert steps == [0, 1]


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
    with clean_interrupt(''):
        InterruptHook().after_val_iter(None, 0)
