"""A regression task of a few numbers that tools/train.py trains in a second."""
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from dcglr_mm.registry import DATASETS, HOOKS, METRICS, MODELS


@DATASETS.register_module()
class ToyDataset(BaseDataset):
    """Rows of `points.npy`, (x1, x2, x3, y) each."""

    def __init__(self, data_root: str, ann_file: str = '', bad_row: int = -1) -> None:
        self.bad_row = bad_row
        super().__init__(ann_file=ann_file, data_root=data_root, data_prefix={})

    def load_data_list(self) -> list[dict]:
        path = Path(self.data_root) / 'points.npy'
        if not path.is_file():
            raise FileNotFoundError(f'ToyDataset: {path} does not exist')
        return [dict(row=row) for row in np.load(path)]

    def prepare_data(self, idx: int) -> dict:
        if idx == self.bad_row:
            raise ValueError(f'row {idx} of {self.data_root} is empty')
        row = torch.from_numpy(self.get_data_info(idx)['row'])
        return dict(inputs=row[:3], data_samples=row[3])


@MODELS.register_module()
class ToyModel(BaseModel):
    """One linear layer, behind a batch norm if `norm` names one."""

    def __init__(self, norm: str | None = None, slow_seconds: float = 0.0) -> None:
        super().__init__()
        self.slow_seconds = slow_seconds
        self.backbone = nn.Linear(3, 1)
        nn.init.zeros_(self.backbone.weight)
        nn.init.zeros_(self.backbone.bias)
        self.norm = getattr(nn, norm)(3) if norm else nn.Identity()

    def forward(self, inputs, data_samples=None, mode='tensor'):
        time.sleep(self.slow_seconds)
        output = self.backbone(self.norm(inputs))[:, 0]
        if mode == 'loss':
            self.autocast_dtype = output.dtype
            return dict(loss=((output.float() - data_samples)**2).mean())
        return list(output) if mode == 'predict' else output


@METRICS.register_module()
class ToyMetric(BaseMetric):
    """Mean of the predictions."""

    def process(self, data_batch, data_samples) -> None:
        self.results += [float(value) for value in data_samples]

    def compute_metrics(self, results) -> dict:
        return dict(mean=float(np.mean(results)))


@HOOKS.register_module()
class ToyScoreHook(Hook):
    """Stands for LinearSVMHook: something with `evaluate`."""

    def evaluate(self, runner) -> dict:
        return {'svm/test_accuracy': float(runner.model.backbone.weight.sum())}


@HOOKS.register_module()
class DumpHook(Hook):
    """Write what a test wants to see of a run: weights, counters, dtype, each rank its own file."""

    def after_train(self, runner) -> None:
        model = getattr(runner.model, 'module', runner.model)
        seen = dict(
            weight=model.backbone.weight.flatten().tolist(), bias=model.backbone.bias.tolist(),
            epoch=runner.epoch, iter=runner.iter, dtype=str(model.autocast_dtype),
            wrapper=type(runner.optim_wrapper).__name__, norm=type(model.norm).__name__,
            model=type(runner.model).__name__, lr=runner.optim_wrapper.get_lr()['lr'])
        path = Path(runner.work_dir) / f'seen_rank{os.environ.get("RANK", "0")}.json'
        path.write_text(json.dumps(seen))
