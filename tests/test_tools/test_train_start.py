"""What tools/train.py decides before training starts."""
import importlib.util
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from .conftest import ROOT


@pytest.fixture(scope='module')
def train_tool():
    spec = importlib.util.spec_from_file_location('train_tool', ROOT / 'tools' / 'train.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(path) -> str:
    torch.save(dict(meta={}, state_dict={}, message_hub={}, optimizer={}), path)
    return str(path)


def test_resume_with_nothing_to_resume_keeps_the_weights_to_start_from(train_tool, tmp_path):
    weights = save(tmp_path / 'weights.pth')
    cfg = Config(dict(work_dir=str(tmp_path / 'run'), load_from=weights))
    train_tool.choose_start(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (False, weights)
    (tmp_path / 'run').mkdir()
    last = save(tmp_path / 'run' / 'epoch_1.pth')
    train_tool.choose_start(cfg, 'auto')
    assert (cfg.resume, cfg.load_from) == (True, last)


def test_weights_to_start_from_have_to_be_there(train_tool, tmp_path):
    cfg = Config(dict(work_dir=str(tmp_path), load_from=str(tmp_path / 'no.pth')))
    for resume in (None, 'auto'):
        with pytest.raises(FileNotFoundError, match='no.pth does not exist'):
            train_tool.choose_start(cfg, resume)


class Loader(list):
    dataset, batch_size = range(20), 32


@pytest.mark.parametrize('batches', [[], [1]])
def test_data_that_make_no_batch_are_refused(train_tool, batches):
    runner = SimpleNamespace(train_loop=True, train_dataloader=Loader(batches), world_size=1)
    if batches:
        return train_tool.check_batches(runner)
    with pytest.raises(ValueError, match='the 20 samples do not fill one batch of batch_size=32'):
        train_tool.check_batches(runner)
