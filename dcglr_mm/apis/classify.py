"""From own files to class names, by a trained classifier."""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from dcglr_mm.datasets.checks import check_cloud
from dcglr_mm.datasets.cloud_files import SUFFIXES, read_cloud_file
from dcglr_mm.datasets.transforms import NormalizeUnitSphere
from dcglr_mm.engine.class_names import read_class_names
from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.engine.strict_loading import load_strictly
from dcglr_mm.registry import MODELS, TRANSFORMS

Cloud = str | Path | np.ndarray


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one cloud.

    Attributes:
        source (str): The file, or ``cloud i`` of an array.
        label (int): The class that is most probable.
        name (str): Its name, or the label as text where the checkpoint holds no names.
        probability (float): Its probability.
        probabilities (dict[str, float]): Of every class, most probable first.
    """
    source: str
    label: int
    name: str
    probability: float
    probabilities: dict[str, float]


class ShapeClassifier:
    """A classification config and a checkpoint, ready to name clouds.

    >>> classify = ShapeClassifier('configs/classification/...py', 'work_dirs/.../epoch_250.pth')
    >>> for found in classify(['a.ply', 'b.off']):
    ...     print(found.source, found.name, found.probability)

    A cloud goes through the config's test pipeline, its number of points included; columns beyond
    those that the network takes are left out. Classes are named as in the data that the checkpoint
    was trained on.

    Args:
        config: A classification config, or its path.
        checkpoint: A checkpoint that a training by it has left.
        cfg_options: Overrides, as ``--cfg-options`` of the tools, such as
            ``['model.head.num_classes=43']``.
        normalize: Bring each cloud to the unit sphere first, as the data sets of the shipped
            configs are; False takes coordinates as they are.
        device: Default: a GPU if there is one.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The checkpoint does not fit the config's network.
    """

    def __init__(self, config: str | Path | Config, checkpoint: str | Path,
                 cfg_options: Sequence[str] = (), normalize: bool = True,
                 device: str | None = None) -> None:
        cfg = config if isinstance(config, Config) else load_config_with_overrides(
            str(config), cfg_options)
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'dcglr_mm')):
            steps = [TRANSFORMS.build(step) for step in _test_pipeline(cfg)]
            model = MODELS.build(cfg.model)
        self.num_columns = getattr(getattr(model, 'backbone', None), 'in_channels', None)
        self.pipeline = Compose([*([NormalizeUnitSphere()] if normalize else []), *steps])
        load_strictly(model, str(checkpoint))
        self.model = model.to(self.device).eval()
        self.classes = read_class_names(checkpoint) or tuple(
            str(label) for label in range(model.num_classes))

    def __call__(self, clouds: Cloud | Iterable[Cloud], batch_size: int = 32,
                 num_samples: int = 2048) -> list[Prediction]:
        """Classify clouds.

        Args:
            clouds: A file or an array (N, C), several of them, or a folder, whose files are taken
                in the order of their names.
            batch_size: Clouds a forward pass.
            num_samples: Points that a mesh is sampled at.

        Raises:
            FileNotFoundError: There is no such file, or none in the folder.
            TypeError: Something is neither a file nor an array.
            ValueError: A file or an array holds no cloud, or one of too few points or columns.
        """
        results: list[Prediction] = []
        sources = _list(clouds)
        for start in range(0, len(sources), batch_size):
            items = [self._prepare(cloud, start + i, num_samples)
                     for i, cloud in enumerate(sources[start:start + batch_size])]
            points = torch.stack([points for _, points in items]).to(self.device)
            index = torch.arange(start, start + len(items))
            with torch.no_grad():
                outputs = self.model.predict(points, dict(sample_idx=index))
            results += [self._describe(name, output)
                        for (name, _), output in zip(items, outputs)]
        return results

    def _prepare(self, cloud: Cloud, index: int, num_samples: int) -> tuple[str, torch.Tensor]:
        rng = np.random.default_rng(0)  # the same for each: its place does not change the answer
        if isinstance(cloud, (str, Path)):
            name, points = str(cloud), read_cloud_file(Path(cloud), num_samples, rng)
        elif isinstance(cloud, np.ndarray):
            name, points = f'cloud {index}', cloud
        else:
            raise TypeError(f'cloud {index} is a {type(cloud).__name__}, expected a file or a '
                            'NumPy array')
        try:
            points = check_cloud(points, name)[:, :self.num_columns]
            if self.num_columns is not None and points.shape[1] < self.num_columns:
                raise ValueError(f'the network takes {self.num_columns} columns, found '
                                 f'{points.shape[1]}')
            packed = self.pipeline(dict(points=points, sample_idx=index, rng=rng))
        except ValueError as error:  # a transform knows the number of a sample, not its file
            raise ValueError(f'{name}: {str(error).removeprefix(f"{name}: ")}') from error
        return name, packed['inputs']['points']

    def _describe(self, source: str, output: dict) -> Prediction:
        scores = output['pred_scores'].tolist()
        order = sorted(range(len(scores)), key=lambda label: -scores[label])
        best = order[0]
        return Prediction(source, best, self.classes[best], scores[best],
                          {self.classes[label]: scores[label] for label in order})


def _test_pipeline(cfg: Config) -> list[dict]:
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    if 'pipeline' not in dataset:
        raise ValueError(f'{cfg.filename} has no test_dataloader.dataset.pipeline, which says how '
                         'a cloud is prepared; is it a classification config?')
    return dataset['pipeline']


def _list(clouds: Cloud | Iterable[Cloud]) -> list[Cloud]:
    if isinstance(clouds, np.ndarray):
        return [clouds]
    if not isinstance(clouds, (str, Path)):
        return list(clouds)
    path = Path(clouds)
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir()
                   if file.suffix.lower() in SUFFIXES and not file.name.startswith('.'))
    if not files:
        raise FileNotFoundError(f'{path} has no file that ends with one of {", ".join(SUFFIXES)}')
    return files
