"""Files from elsewhere: nothing in them runs, and what is wrong with them is one sentence."""
import argparse
import os
import zipfile
from pathlib import Path

import layouts
import pytest
import torch

from dcglr_mm.converters.reading import read_checkpoint
from dcglr_mm.state_dicts import read_state_dict

OLD = pytest.mark.parametrize('old', [False, True], ids=['zip', 'legacy'])


def save(path, content, old=False):
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    return path


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@OLD
def test_objects_of_foreign_classes_become_dicts(tmp_path, old):
    Settings = type('Settings', (dict, ), {})
    Logger = type('Logger', (), {})
    logger = Logger()
    logger.folder = 'runs'
    with layouts.package('some_trainer.parts', Settings=Settings, Logger=Logger):
        path = save(tmp_path / 'weights.pth', {
            'weight': torch.arange(3.), 'settings': Settings(k=40), 'logger': logger,
            'callbacks': {Logger: {'best': 1}}, 'args': argparse.Namespace(arch='pct_base')}, old)
    file = read_checkpoint(path)
    assert torch.equal(file.content['weight'], torch.arange(3.))
    assert file.content['settings'] == {'k': 40}
    assert vars(file.content['logger']) == {'folder': 'runs'}
    assert list(file.content['callbacks'].values()) == [{'best': 1}]
    assert vars(file.content['args']) == {'arch': 'pct_base'}
    assert file.foreign == ('some_trainer.parts.Settings', 'some_trainer.parts.Logger',
                            'argparse.Namespace')
    # The rule is for this file only.
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(path, weights_only=True)


@OLD
def test_code_in_a_checkpoint_does_not_run(tmp_path, old):
    trace = tmp_path / 'trace'
    for number, call in enumerate((Call(exec, f'open({str(trace)!r}, "w")'),
                                   Call(open, str(trace), 'w'))):
        path = save(tmp_path / f'{number}.pth', {'weight': torch.ones(1), 'evil': call}, old)
        assert read_checkpoint(path).content['evil'] == {}
    for call, message in ((Call(os.system, f'touch {trace}'), 'module (posix|nt) is blocked$'),
                          (Call(Path.touch, trace), "asked for attribute 'touch'")):
        path = save(tmp_path / 'refused.pth', {'evil': call}, old)
        with pytest.raises(ValueError, match=f'refused.pth cannot be read, .*{message}'):
            read_checkpoint(path)
    assert not trace.exists()


@OLD
def test_half_a_file(tmp_path, old):
    whole = save(tmp_path / 'whole.pth', {'weight': torch.ones(1000)}, old).read_bytes()
    for part in (len(whole) // 2, 40, 1):
        path = tmp_path / 'half.pth'
        path.write_bytes(whole[:part])
        with pytest.raises(ValueError, match=r'^the checkpoint .*half.pth cannot be read, it may '
                                             r'be incomplete or not a file of torch.save: \S'):
            read_checkpoint(path)


@pytest.mark.parametrize('content, message', [
    (b'', 'is empty'),
    (b'version https://git-lfs.github.com/spec/v1\noid sha256:0\n', 'a Git LFS pointer'),
    (b'<!DOCTYPE html><html>Google Drive', 'a web page'),
    (b'\n<html>', 'a web page'),
    (b'\x89HDF\r\n\x1a\n' + bytes(100), 'cannot be read'),
    (b'PK\x03\x04' + bytes(30), 'cannot be read')])
def test_foreign_files(tmp_path, content, message):
    path = tmp_path / 'weights.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_checkpoint(path)
    assert '\n' not in str(raised.value) and str(path) in str(raised.value)


def test_flipped_bytes_of_a_weight_are_found(tmp_path):
    path = save(tmp_path / 'weights.pth', {'weight': torch.arange(1000.)})
    data = bytearray(path.read_bytes())
    data[data.index(torch.arange(1000.).numpy().tobytes()) + 99] ^= 1
    path.write_bytes(data)
    torch.load(path, weights_only=True)  # torch itself does not notice
    for read in (read_checkpoint, read_state_dict):
        with pytest.raises(ValueError, match="weights.pth is damaged: the checksum of its part "
                                             "'weights/data/0' is wrong"):
            read(path)


@pytest.mark.skipif(not hasattr(torch.serialization, 'set_crc32_options'),
                    reason='this torch always writes checksums')
def test_a_file_without_checksums_is_read(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = save(tmp_path / 'weights.pth', {'weight': torch.arange(9.)})
    finally:
        torch.serialization.set_crc32_options(True)
    for content in (read_checkpoint(path).content, read_state_dict(path)):
        assert torch.equal(content['weight'], torch.arange(9.))


def test_no_file_and_no_dict(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'{tmp_path} is a folder, expected a file in it'):
        read_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match='nowhere.pth does not exist'):
        read_checkpoint(tmp_path / 'nowhere.pth')
    with pytest.raises(ValueError, match='holds a list, expected a dict with weights'):
        read_checkpoint(save(tmp_path / 'list.pth', [torch.ones(1)]))
    with zipfile.ZipFile(tmp_path / 'archive.zip', 'w') as archive:
        archive.writestr('readme.txt', 'hello')
    with pytest.raises(ValueError, match='archive.zip cannot be read'):
        read_checkpoint(tmp_path / 'archive.zip')
