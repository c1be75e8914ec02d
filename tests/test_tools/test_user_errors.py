"""Exceptions become one sentence where the user is to blame."""
import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from dcglr_mm.engine.user_errors import describe_error, one_sentence_errors
from dcglr_mm.registry import LOOPS, OPTIM_WRAPPERS

LAYERS = Registry('layer', scope='toy')


@LAYERS.register_module()
class Dense:

    def __init__(self, width: int, depth: int = 1) -> None:
        if width < 1:
            raise ValueError(f'Dense: width is {width}, expected at least 1')


class Broken(Dataset):

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int):
        raise ValueError(f'cloud {index} of shapes.h5 holds NaN:\n  first at point 7')


def described(action) -> str | None:
    try:
        action()
    except Exception as error:
        return describe_error(error)
    raise AssertionError('nothing was raised')


def test_an_unknown_type_is_named_with_its_likely_spelling():
    assert described(lambda: LAYERS.build(dict(type='Dens', width=3))) == (
        "unknown type 'Dens' among the layers of scope 'toy'; did you mean 'Dense'?")
    assert described(lambda: LAYERS.build(dict(type='Zzz'))).endswith('; known: Dense')


def test_an_unknown_argument_names_the_class_and_its_arguments():
    assert described(lambda: LAYERS.build(dict(type='Dense', widht=3))) == (
        "Dense has no argument 'widht'; did you mean 'width'?")


def test_arguments_that_a_class_passes_on_are_known_too():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1)
    assert described(lambda: OPTIM_WRAPPERS.build(dict(
        type='PerTensorClipOptimWrapper', optimizer=optimizer, accumulative_count=2))) == (
            "PerTensorClipOptimWrapper has no argument 'accumulative_count'; did you mean "
            "'accumulative_counts'?")


def test_an_argument_of_an_inner_call_is_not_blamed_on_the_class_being_built():
    runner = SimpleNamespace(_randomness_cfg={}, seed=0, build_dataloader=Runner.build_dataloader)
    loader = dict(dataset=Broken(), sampler=dict(type='mmengine.DefaultSampler'), batchsize=3)
    assert described(lambda: LOOPS.build(dict(
        type='EpochBasedTrainLoop', runner=runner, max_epochs=1, dataloader=loader))) == (
            "DataLoader.__init__() got an unexpected keyword argument 'batchsize'")


def test_a_schedule_that_begins_after_the_end_says_what_to_change():
    sentence = describe_error(ValueError('end should be larger than begin, but got begin=9, end=3'))
    assert 'begin=9, end=3: a schedule in param_scheduler begins when training is over' in sentence


def test_a_constructors_own_message_is_kept():
    assert described(lambda: LAYERS.build(dict(type='Dense', width=0))) == (
        'Dense: width is 0, expected at least 1')


def test_the_message_of_a_data_loader_worker_comes_without_its_traceback():
    assert described(lambda: list(DataLoader(Broken(), num_workers=1))) == (
        'cloud 0 of shapes.h5 holds NaN: first at point 7')


def test_a_batch_too_small_for_batch_norm_is_the_users_to_change():
    sentence = described(lambda: torch.nn.BatchNorm1d(3)(torch.zeros(1, 3)))
    assert sentence.startswith('Expected more than 1 value per channel when training')
    assert 'raise train_dataloader.batch_size' in sentence


@pytest.mark.parametrize('action', [
    lambda: torch.zeros(2) @ torch.zeros(3),  # RuntimeError from torch
    lambda: torch.nn.Linear(2, 2)([1.0]),  # TypeError from torch
    lambda: {}['key'],  # KeyError of this test
    lambda: 1 / 0,
])
def test_bugs_keep_their_traceback(action):
    assert described(action) is None


def test_the_process_ends_with_the_sentence_and_keeps_the_traceback_in_a_file(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, one_sentence_errors(str(tmp_path)):
        raise FileNotFoundError('points.h5 does not exist')
    assert caught.value.code == 1
    log = tmp_path / 'error.log'
    assert capsys.readouterr().err == f'error: points.h5 does not exist [traceback: {log}]\n'
    assert log.read_text().splitlines()[-1] == 'FileNotFoundError: points.h5 does not exist'


def test_tracebacks_are_shown_on_request_and_for_bugs():
    with pytest.raises(ValueError, match='wrong'), one_sentence_errors(show_traceback=True):
        raise ValueError('wrong')
    with pytest.raises(ZeroDivisionError), one_sentence_errors():
        1 / 0  # noqa: B018


def test_a_full_disk_does_not_hide_what_happened(tmp_path, monkeypatch, capsys):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Path, 'write_text', full)
    with pytest.raises(SystemExit), one_sentence_errors(str(tmp_path)):
        raise OSError(errno.ENOSPC, 'No space left on device', 'epoch_1.pth')
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device: 'epoch_1.pth'\n"
