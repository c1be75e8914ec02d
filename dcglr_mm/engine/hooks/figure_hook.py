"""Draws figures of the network while it is trained."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmengine.hooks import Hook

from dcglr_mm.evaluation.collective import run_on_main
from dcglr_mm.evaluation.state import preserved_rng
from dcglr_mm.registry import HOOKS

#: Figures that read features of all shapes, which every rank extracts its share of.
_OF_FEATURES = ('tsne', 'spectrum', 'neighbors')


@HOOKS.register_module()
class FigureHook(Hook):
    """Figures of frozen features at an interval, given to the visualizer as images.

    They are named ``figure_tsne``, ..., at the step of iterations done, and go to all backends of
    the runner's visualizer that take images: ``LocalVisBackend`` writes
    ``vis_data/vis_image/figure_tsne_{step}.png``, TensorBoard and W&B show them. Random states,
    buffers and train/eval flags of the training are left as they were. On several ranks each
    extracts the features of its share and rank 0 draws. What this kind of network does not have is
    said before training starts; a figure that fails later, because features are not finite, say,
    is a warning in the log: no picture is worth a run.

    Args:
        figures (sequence): Names of :data:`dcglr_mm.apis.figures.FIGURES`, or a dict of names and
            options, such as ``dict(tsne=dict(k=20), attention=dict(num=3))``.
        dataset (dict | Dataset, optional): Whole clouds. Default: the test data set of the
            LinearSVMHook or, without one, the training data read whole, in their test split.
        interval (int): Epochs, or iterations, between two drawings.
        by_epoch (bool): Whether ``interval`` counts epochs.
        at_end (bool): Draw after the last epoch or iteration whatever the interval.
        max_shapes (int): A random subset, always the same, if there are more.
        network (str): ``'teacher'`` or ``'student'``.
        batch_size (int): Clouds a forward pass.
        seed (int): Of the choice of shapes and of t-SNE.

    Raises:
        ValueError: The interval is not positive, or there is no such figure.
    """

    # As LinearSVMHook: the weights of this step, before CheckpointHook.
    priority = 76

    def __init__(self,
                 figures: Sequence[str] | dict[str, dict] = ('tsne', 'spectrum'),
                 dataset=None,
                 interval: int = 10,
                 by_epoch: bool = True,
                 at_end: bool = True,
                 max_shapes: int = 500,
                 network: str = 'teacher',
                 batch_size: int = 32,
                 seed: int = 0) -> None:
        from dcglr_mm.apis.figures import check_options

        if interval < 1 or max_shapes < 2:
            raise ValueError('FigureHook: interval must be at least 1 and max_shapes at least 2, '
                             f'found {interval} and {max_shapes}')
        if isinstance(figures, str):
            figures = [figures]
        options = figures if isinstance(figures, dict) else dict.fromkeys(figures, {})
        if not options:
            raise ValueError('FigureHook: figures is empty')
        self.figures = {name: dict(given or {}) for name, given in options.items()}
        for name, given in self.figures.items():
            check_options(name, given)
        self.dataset = dataset
        self.interval = interval
        self.by_epoch = by_epoch
        self.at_end = at_end
        self.max_shapes = max_shapes
        self.network = network
        self.batch_size = batch_size
        self.seed = seed
        self._shapes = None

    def before_train(self, runner) -> None:
        """Build the data set, so that what is wrong with it shows now and not hours later."""
        from dcglr_mm.apis.figures import check_network
        from dcglr_mm.apis.frozen import FrozenNetwork, Shapes, shapes_config
        from dcglr_mm.evaluation.datasets import build_in_test_mode

        source = shapes_config(runner.cfg) if self.dataset is None else self.dataset
        self._shapes = Shapes(build_in_test_mode(source), self.max_shapes, self.seed)
        for name in self.figures:
            check_network(name, FrozenNetwork('FigureHook', runner.model, self.network))

    def after_train_epoch(self, runner) -> None:
        """Draw at the interval and at the end."""
        if self.by_epoch and (self.every_n_epochs(runner, self.interval)
                              or (self.at_end and self.is_last_train_epoch(runner))):
            self.draw(runner, f'epoch {runner.epoch + 1}', runner.iter)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        """Draw at the interval and at the end, where iterations are counted."""
        if not self.by_epoch and (self.every_n_train_iters(runner, self.interval)
                                  or (self.at_end and self.is_last_train_iter(runner))):
            self.draw(runner, f'iteration {runner.iter + 1}', runner.iter + 1)

    def draw(self, runner, when: str, step: int) -> None:
        """Draw all figures of the network as it is now. Collective on several ranks."""
        from dcglr_mm.apis.frozen import FrozenNetwork

        net = FrozenNetwork(when, runner.model, self.network, self.batch_size)
        if any(name in _OF_FEATURES for name in self.figures):
            net.features(self._shapes)  # on every rank; kept for the figures
        run_on_main(lambda: self._draw_all(runner, net, step))

    def _draw_all(self, runner, net, step: int) -> None:
        from dcglr_mm.apis.figures import FIGURES

        for name, options in self.figures.items():
            given = options if name == 'spectrum' else {'seed': self.seed, **options}
            try:
                with preserved_rng():
                    figure = FIGURES[name]([net], self._shapes, **given)
            except ValueError as error:
                runner.logger.warning(f'FigureHook: no figure {name!r} of {net.name}: {error}')
                continue
            runner.visualizer.add_image(f'figure_{name}', as_image(figure), step)


def as_image(figure) -> np.ndarray:
    """Return a figure as an RGB image (H, W, 3) uint8."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
