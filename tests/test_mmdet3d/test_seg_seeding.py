"""EpochSeedHook beyond our own data sets: transforms are told the epoch, scores do not vary."""
import random
from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet3d')

import torch
from mmengine.dataset import Compose
from mmengine.runner import EpochBasedTrainLoop

from dcglr_mm.engine.hooks import EpochSeedHook
from dcglr_mm.mmdet3d import SeedItem


def fake_runner(transforms, epoch, seed=3):
    loop = object.__new__(EpochBasedTrainLoop)
    dataset = SimpleNamespace(pipeline=Compose(transforms))
    return SimpleNamespace(train_loop=loop, epoch=epoch, seed=seed,
                           train_dataloader=SimpleNamespace(dataset=dataset))


def test_transforms_of_foreign_data_sets_hear_of_seed_and_epoch():
    told, silent = SeedItem(), SeedItem()
    EpochSeedHook().before_train_epoch(fake_runner([lambda results: results, told], epoch=2))
    silent.set_epoch(2, 3)
    values = []
    for transform in (told, silent):
        transform(dict(sample_idx=9))
        values.append(random.random())
    assert values[0] == values[1]


def test_a_batch_is_scored_with_the_same_draws_in_validation_and_in_a_test():
    hook, runner = EpochSeedHook(), SimpleNamespace(seed=3)
    draws = []
    for before in (hook.before_val_iter, hook.before_test_iter):
        torch.rand(5)
        for batch in range(3):
            before(runner, batch)
            draws.append(torch.rand(()).item())
    assert draws[:3] == draws[3:] and len(set(draws)) == 3


def test_two_ranks_draw_for_the_batches_that_one_would(monkeypatch):
    from dcglr_mm.engine.hooks import epoch_seed_hook

    def draws(rank, world, batches):
        monkeypatch.setattr(epoch_seed_hook, 'get_rank', lambda: rank)
        monkeypatch.setattr(epoch_seed_hook, 'get_world_size', lambda: world)
        values = []
        for batch in range(batches):
            EpochSeedHook().before_val_iter(SimpleNamespace(seed=3), batch)
            values.append(torch.rand(()).item())
        return values

    alone = draws(0, 1, 6)
    assert (draws(0, 2, 3), draws(1, 2, 3)) == (alone[::2], alone[1::2])


def test_training_goes_on_after_a_validation_as_if_there_had_been_none():
    hook, runner = EpochSeedHook(), SimpleNamespace(seed=3)
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    first = torch.rand(2)
    hook.before_val(runner)
    hook.before_val_iter(runner, 0)
    torch.rand(3)
    hook.after_val(runner)
    assert torch.equal(torch.cat([first, torch.rand(2)]), expected)
