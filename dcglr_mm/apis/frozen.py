"""Networks and shapes that figures are drawn from, named by configs and checkpoints."""
from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor, nn

from dcglr_mm.evaluation.bn_calibration import calibrate_batch_norm, tracked_batch_norms
from dcglr_mm.evaluation.checkpoint import find_backbone, load_for_scoring
from dcglr_mm.evaluation.comparison import build_network
from dcglr_mm.evaluation.datasets import build_in_test_mode
from dcglr_mm.evaluation.features import CloudReader, device_of, extract_features
from dcglr_mm.evaluation.probing import labelled_splits
from dcglr_mm.evaluation.state import preserved_modes, preserved_rng, unwrap


class Shapes:
    """Whole clouds with their labels and class names.

    Args:
        dataset: See :class:`~dcglr_mm.evaluation.features.CloudReader`.
        most: Take a random subset if there are more.
        seed: Of that subset.
    """

    def __init__(self, dataset: Sequence, most: int | None = None, seed: int = 0) -> None:
        count = len(dataset)
        if count == 0:
            raise ValueError('the data set is empty, there is nothing to draw')
        self.index = np.arange(count)
        if most is not None and most < count:
            self.index = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
        self._dataset = dataset
        self.classes = tuple((getattr(dataset, 'metainfo', None) or {}).get('classes') or ())

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, position: int):
        return self._dataset[int(self.index[position])]

    def read(self, position: int) -> tuple[Tensor, int]:
        """Return points (N, C) and label, -1 where there is none."""
        points, label, _ = CloudReader(self)[position]
        return points, label

    def name(self, label: int, position: int) -> str:
        """Return the class of a label or, where there is none, the number in the data set."""
        if 0 <= label < len(self.classes):
            return str(self.classes[label]).replace('_', ' ')
        return f'shape {self.index[position]}'

    def choose(self, num: int, seed: int = 0, classes: Sequence[str] = ()) -> list[int]:
        """Positions of ``num`` random shapes, of different classes as far as they go.

        Raises:
            ValueError: ``num`` is not positive, or a class is unknown or has no shape.
        """
        if num < 1:
            raise ValueError(f'the number of shapes has to be at least 1, found {num}')
        unknown = [name for name in classes if name not in self.classes]
        if unknown:
            raise ValueError(f'the data set has no class {unknown[0]!r}, only '
                             f'{", ".join(self.classes) or "none at all"}')
        order = np.random.default_rng(seed).permutation(len(self))
        if classes:
            wanted = {self.classes.index(name) for name in classes}
        ranked, met, enough = [], {}, {}
        for position in order.tolist():
            label = self.read(position)[1]
            if classes and label not in wanted:
                continue
            met[label] = met.get(label, 0) + 1
            ranked.append((met[label], len(ranked), position))
            enough[met[label]] = enough.get(met[label], 0) + 1
            if enough.get(1, 0) >= (min(num, len(wanted)) if classes else num) and (
                    len(ranked) >= num):
                break
        if not ranked:
            raise ValueError(f'no shape of the classes {", ".join(classes)} is there')
        return [position for *_, position in sorted(ranked)[:num]]


@dataclass
class FrozenNetwork:
    """A network whose features are looked at; nothing here changes it.

    Attributes:
        name: What figures call it.
        model: A pre-training model, a classifier or a plain backbone.
        network: ``'teacher'`` or ``'student'``, where there are both.
        batch_size: Clouds a forward pass.
    """
    name: str
    model: nn.Module
    network: str = 'teacher'
    batch_size: int = 32
    _features: dict = field(default_factory=dict, repr=False)

    @property
    def backbone(self) -> nn.Module:
        """The network itself."""
        return find_backbone(unwrap(self.model), self.network)[1]

    def features(self, shapes: Shapes) -> tuple[np.ndarray, np.ndarray]:
        """Return features (M, D) and labels (M,); computed once. Collective on several ranks."""
        if id(shapes) not in self._features:
            # The shapes are kept with the features, so that their id is not given to others.
            self._features[id(shapes)] = shapes, extract_features(
                self.model, shapes, network=self.network, batch_size=self.batch_size)
        return self._features[id(shapes)][1]

    def look(self, points: Tensor, function: Callable):
        """Return ``function(backbone, points (1, N, C))`` in eval mode, without gradients."""
        model = unwrap(self.model)
        with preserved_rng(), preserved_modes(model), torch.no_grad():
            model.eval()
            return function(self.backbone, points[None].to(device_of(model)))


def shapes_config(cfg: Config, split: str = 'test') -> dict:
    """Return the config of the data set of whole clouds that a config implies.

    Its labelled data (see :func:`~dcglr_mm.evaluation.probing.labelled_splits`) or, where it names
    none, the data set that it trains on, read whole, in ``split`` if it has splits.

    Raises:
        ValueError: The config has no training data either, or ``split`` is unknown.
    """
    if split not in ('train', 'test'):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    try:
        return labelled_splits(cfg)[('train', 'test').index(split)]
    except ValueError:
        dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if dataset is None:
        raise ValueError(f'{cfg.filename} names no data: neither labelled data (a LinearSVMHook, a '
                         'test_dataloader) nor a train_dataloader')
    dataset = copy.deepcopy(dataset)
    innermost = dataset
    while isinstance(innermost.get('dataset'), dict):
        innermost = innermost['dataset']
    innermost['pipeline'] = [dict(type='dcglr_mm.PackInputs')]
    if 'split' in innermost:
        innermost['split'] = split
    return dataset


def load_network(cfg: Config, checkpoint: str | None, name: str, *, network: str = 'teacher',
                 seed: int = 0, batch_size: int = 32, device: str | None = None,
                 log: Callable[[str], None] = lambda line: None) -> FrozenNetwork:
    """Build the network of a config with the weights of a checkpoint, every one accounted for.

    Args:
        cfg: The config.
        checkpoint: Path, or ``None`` for the untrained network: initialised with ``seed`` and,
            where it has batch norm, with statistics of the train split.
        device: Default: a GPU if there is one.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: It does not fit, see
            :func:`~dcglr_mm.evaluation.checkpoint.load_for_scoring`.
    """
    model = build_network(cfg, seed)
    model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    if checkpoint is not None:
        for line in load_for_scoring(model, checkpoint, network).lines():
            log(f'{name}: {line}')
    elif tracked_batch_norms(find_backbone(model, network)[1]):
        log(f'{name}: calibrating batch norm on the train split')
        calibrate_batch_norm(model, build_in_test_mode(shapes_config(cfg, 'train')),
                             network=network, batch_size=max(2, batch_size))
    return FrozenNetwork(name, model, network, batch_size)
