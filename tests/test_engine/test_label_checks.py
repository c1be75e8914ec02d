"""Runs that are refused because of their labels."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import ConcatDataset, RepeatDataset
from torch import nn

from dcglr_mm.datasets import PointFolder, StratifiedSubset, SyntheticShapes
from dcglr_mm.engine.class_names import check_same_classes, classes_in_meta, read_class_names
from dcglr_mm.engine.hooks import LabelCheckHook

NAMES = ('bench', 'bottle')


def shapes(split='train', **keys):
    return SyntheticShapes(num_per_class=6, num_points=4, classes=list(NAMES), split=split, **keys)


def part(name, **keys):
    return StratifiedSubset(shapes(), fold=dict(num=3, index=0, part=name, **keys))


def runner(train=None, val=None, test=None, num_classes=2, resume=True):
    model = nn.Identity()
    model.num_classes = num_classes

    def loader(dataset):
        return None if dataset is None else SimpleNamespace(dataset=dataset)

    def loop(dataset):
        return None if dataset is None else SimpleNamespace(dataloader=loader(dataset))

    return SimpleNamespace(model=model, train_dataloader=loader(train), val_loop=loop(val),
                           test_loop=loop(test), _resume=resume)


@pytest.mark.parametrize('train, val', [
    (shapes(), None), (shapes(), shapes('test')), (part('train'), part('val')),
    (shapes(), shapes(shape_seed=1)),
    (shapes(indices=[0, 1]), shapes(indices=[2, 3])),
    (ConcatDataset([shapes(), shapes(shape_seed=1)]), ConcatDataset([shapes('test')])),
    (RepeatDataset(shapes(), 2), shapes('test')), ([1, 2], [1, 2])])
def test_what_fits_together_passes(train, val):
    LabelCheckHook().before_train(runner(train, val))


@pytest.mark.parametrize('train, val, shared', [
    (shapes(), part('val'), 4), (part('train'), part('val', seed=1), None),
    (StratifiedSubset(part('train', seed=1), label_fraction=0.5), shapes(), 4),
    (shapes(), shapes(), 12), (shapes(indices=[0, 1]), shapes(indices=[0, 1]), 2),
    (ConcatDataset([shapes(), shapes('test')]), ConcatDataset([shapes(), shapes('test')]), 24)])
def test_validating_on_what_is_trained_on_is_refused(train, val, shared):
    with pytest.raises(ValueError, match=f'{shared or "[1-4]"} of the .* validation clouds are '
                                         'trained on too'):
        LabelCheckHook().before_train(runner(train, val))


def test_a_folder_is_the_same_under_another_spelling(tmp_path):
    for name in NAMES:
        (tmp_path / name).mkdir()
        np.savetxt(tmp_path / name / 'one.xyz', np.eye(3))
    train, val = (PointFolder(str(root)) for root in (tmp_path, tmp_path / 'bench' / '..'))
    with pytest.raises(ValueError, match='2 of the 2 validation clouds'):
        LabelCheckHook().before_train(runner(train, val))


@pytest.mark.parametrize('check, data, where', [
    ('before_train', dict(train=shapes()), 'train_dataloader.dataset'),
    ('before_train', dict(train=nn.Identity(), val=shapes()), 'val_dataloader.dataset'),
    ('before_test', dict(test=shapes('test')), 'test_dataloader.dataset')])
def test_another_number_of_classes_than_the_heads_is_refused(check, data, where):
    with pytest.raises(ValueError, match=f'{where} has 2 classes, but model.head.num_classes is 40;'
                                         ' set model.head.num_classes=2'):
        getattr(LabelCheckHook(), check)(runner(num_classes=40, **data))


def test_validation_data_that_number_the_classes_otherwise_are_refused():
    val = SyntheticShapes(num_per_class=6, num_points=4, classes=list(NAMES[::-1]), split='test')
    with pytest.raises(ValueError, match='the network is trained on other classes than '
                       "val_dataloader.dataset has: label 0 is 'bench' there and 'bottle' here"):
        LabelCheckHook().before_train(runner(shapes(), val))


def checkpoint(*names):
    return dict(state_dict={}, meta=dict(dataset_meta=dict(classes=names)))


def test_a_checkpoint_of_other_classes_is_refused():
    hook = LabelCheckHook()
    hook.after_load_checkpoint(runner(shapes()), checkpoint(*NAMES))
    hook.after_load_checkpoint(runner(shapes()), dict(state_dict={}))  # says nothing of classes
    # Weights that a new training starts from may come from other classes.
    hook.after_load_checkpoint(runner(shapes(), resume=False), checkpoint(*NAMES[::-1]))
    with pytest.raises(ValueError, match="label 0 is 'bottle' there and 'bench' here"):
        hook.after_load_checkpoint(runner(shapes()), checkpoint(*NAMES[::-1]))
    with pytest.raises(ValueError, match='trained on 3 classes, the data has 2'):
        check_same_classes(('a', *NAMES), NAMES, 'the data')


@pytest.mark.parametrize('content, names', [
    (checkpoint('a', 'b'), ('a', 'b')), (dict(w=torch.zeros(1)), ()), (dict(meta=None), ()),
    (dict(meta=dict(dataset_meta=None)), ())])
def test_class_names_are_read_from_a_file(tmp_path, content, names):
    torch.save(content, tmp_path / 'x.pth')
    assert read_class_names(tmp_path / 'x.pth') == names == classes_in_meta(content)
