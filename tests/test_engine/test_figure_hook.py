"""Figures during training go to the visualizer and leave the training as it is."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

from dcglr_mm.engine.hooks import FigureHook
from dcglr_mm.models.backbones import DGCNN, ViT3D

DATA = dict(type='SyntheticShapes', classes=['chair', 'mug'], num_per_class=5, num_points=48,
            pipeline=[dict(type='PackInputs')])


@pytest.fixture
def runner():
    torch.manual_seed(0)
    model = ViT3D(embed_dims=8, depth=1, num_heads=2, patch_size=8, patch_channels=(4, 4, 8))
    seen, warned = [], []
    made = SimpleNamespace(
        model=model.train(), iter=7, epoch=0, seen=seen, warned=warned, max_epochs=2,
        visualizer=SimpleNamespace(add_image=lambda *args: seen.append(args)),
        logger=SimpleNamespace(warning=warned.append))
    with DefaultScope.overwrite_default_scope('dcglr_mm'):
        yield made


def test_each_figure_is_an_image_of_this_step(runner):
    hook = FigureHook({'spectrum': {}, 'attention': dict(num=1)}, dataset=DATA, interval=1)
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    (first, image, step), (second, *_) = runner.seen
    assert (first, second, step) == ('figure_spectrum', 'figure_attention', 7)
    assert image.dtype == np.uint8 and image.shape[2] == 3 and image.std() > 0


def test_the_training_is_left_as_it_was(runner):
    hook = FigureHook(['spectrum', 'attention'], dataset=DATA)
    hook.before_train(runner)
    before = {key: value.clone() for key, value in runner.model.state_dict().items()}
    state = torch.get_rng_state(), np.random.get_state()[1].copy()
    hook.draw(runner, 'epoch 1', 1)
    assert all(module.training for module in runner.model.modules())
    assert torch.equal(torch.get_rng_state(), state[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state[1])
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, before[key])


def test_drawn_at_the_interval_and_at_the_end(runner, monkeypatch):
    steps = []
    monkeypatch.setattr(FigureHook, 'draw', lambda self, runner, when, step: steps.append(when))
    hook = FigureHook(interval=2)
    runner.max_epochs, runner.train_loop = 5, None
    for epoch in range(5):
        runner.epoch, runner._max_epochs = epoch, 5
        hook.after_train_epoch(runner)
    assert steps == ['epoch 2', 'epoch 4', 'epoch 5']


def test_a_figure_that_fails_later_is_a_warning(runner):
    hook = FigureHook(['spectrum'], dataset=DATA)
    hook.before_train(runner)
    with torch.no_grad():
        runner.model.head.bias.fill_(float('nan'))
    hook.draw(runner, 'epoch 1', 1)
    assert not runner.seen
    assert "no figure 'spectrum' of epoch 1: epoch 1: the features have NaN" in runner.warned[0]


def test_what_the_network_lacks_is_said_at_the_start(runner):
    runner.model = DGCNN()
    with pytest.raises(ValueError, match='a DGCNN has no class token'):
        FigureHook(['attention'], dataset=DATA).before_train(runner)


@pytest.mark.parametrize('options, message', [
    (dict(figures=['tsn']), "no figure 'tsn', only tsne, spectrum"),
    (dict(figures=dict(tsne=dict(neighbours=3))), "no option 'neighbours', only max_classes, k"),
    (dict(figures=[]), 'figures is empty'),
    (dict(interval=0), 'interval must be at least 1'),
])
def test_mistakes_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FigureHook(**options)
