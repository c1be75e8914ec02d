"""Writes that a crash cannot leave half done."""
import errno
import os
import stat
from collections import deque
from types import SimpleNamespace

import pytest
import torch
from mmengine.fileio import backends as fileio_backends
from mmengine.logging import MessageHub
from mmengine.runner import save_checkpoint

from dcglr_mm.engine import atomic_backend
from dcglr_mm.engine.hooks.checkpoint_hook import SafeCheckpointHook


@pytest.fixture
def atomic():
    """Atomic writes for one test."""
    registry = fileio_backends.registry_utils
    stock, prefix = registry.backends['local'], registry.prefix_to_backends['']
    atomic_backend.use_atomic_writes()
    yield
    registry.backends['local'], registry.prefix_to_backends[''] = stock, prefix


def crash(*args, **kwargs):
    raise OSError('No space left on device')


def test_content_and_permissions_are_those_of_a_plain_write(tmp_path):
    atomic_backend.write_atomically(b'abc', tmp_path / 'sub' / 'new')
    (tmp_path / 'plain').write_bytes(b'abc')
    assert (tmp_path / 'sub' / 'new').read_bytes() == b'abc'
    modes = [stat.S_IMODE(os.stat(path).st_mode)
             for path in (tmp_path / 'sub' / 'new', tmp_path / 'plain')]
    assert modes[0] == modes[1]


@pytest.mark.parametrize('failing', ['fsync', 'replace'])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    monkeypatch.setattr(atomic_backend.os, failing, crash)
    with pytest.raises(OSError, match='No space left'):
        atomic_backend.write_atomically(b'new', path)
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['file']


def test_mmengine_saves_checkpoints_through_it(tmp_path, monkeypatch, atomic):
    path = str(tmp_path / 'a.pth')
    save_checkpoint(dict(state_dict=dict(w=torch.tensor([1.0]))), path)
    monkeypatch.setattr(atomic_backend.os, 'replace', crash)
    with pytest.raises(OSError, match='No space left'):
        save_checkpoint(dict(state_dict=dict(w=torch.tensor([2.0]))), path)
    assert torch.load(path)['state_dict']['w'].tolist() == [1.0]


class FakeRunner:
    """Saves a number as its checkpoint, or fails to."""

    def __init__(self, folder) -> None:
        self.work_dir = str(folder)
        self.message_hub = MessageHub.get_instance(f'fake {folder}')
        self.logger = SimpleNamespace(info=lambda text: None)
        self.epoch = self.iter = 0
        self.full = False

    def save_checkpoint(self, out_dir, filename, *args, **kwargs) -> None:
        if self.full:
            crash()
        with open(os.path.join(out_dir, filename), 'w') as file:
            file.write(str(self.epoch))


def test_the_outdated_checkpoint_goes_only_after_the_new_one_is_there(tmp_path, atomic):
    runner = FakeRunner(tmp_path)
    hook = SafeCheckpointHook(interval=1, max_keep_ckpts=2)
    hook.before_train(runner)
    for runner.epoch in range(4):
        hook._save_checkpoint(runner)
    assert sorted(os.listdir(tmp_path)) == ['epoch_3.pth', 'epoch_4.pth', 'last_checkpoint']
    assert hook.keep_ckpt_ids == deque([3, 4])
    assert runner.message_hub.get_info('keep_ckpt_ids') == [3, 4]
    runner.epoch, runner.full = 4, True
    with pytest.raises(OSError, match='No space left'):
        hook._save_checkpoint(runner)
    assert sorted(os.listdir(tmp_path)) == ['epoch_3.pth', 'epoch_4.pth', 'last_checkpoint']
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_4.pth')


def test_a_full_disk_names_the_file_that_did_not_fit(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(atomic_backend.os, 'fsync', full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.pth'"):
        atomic_backend.write_atomically(b'new', tmp_path / 'a.pth')


def test_what_a_kill_left_half_written_is_removed_when_training_goes_on(tmp_path, atomic):
    for name in ('.epoch_3.pth.x1.tmp', 'epoch_2.pth', '.notes.tmp'):
        (tmp_path / name).write_text('half')
    SafeCheckpointHook(interval=1).before_train(FakeRunner(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ['.notes.tmp', 'epoch_2.pth']
