"""Features of a data set, as the linear SVM wants them."""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dcglr_mm.evaluation import extract_features

from ..case import Setup, Side, Sides
from ..inputs import make_clouds
from .networks import build_pair, give_statistics


def feature_extraction(setup: Setup, backbone: str, num_clouds: int, batch: int, num_points: int,
                       **settings) -> Sides:
    """A data set in memory through a loader and a network in eval mode, to a numpy array."""
    ours, plain = build_pair(backbone, **settings)
    for network in (ours, plain):
        network.to(setup.device, setup.dtype).eval()
        give_statistics(network)
    clouds = make_clouds(num_clouds, num_points, on_grid=setup.on_grid)
    dataset = [dict(points=cloud, gt_label=i % 10) for i, cloud in enumerate(clouds)]
    device = torch.device(setup.device).type

    def run_ours() -> tuple[np.ndarray, np.ndarray]:
        with torch.autocast(device, torch.bfloat16, enabled=setup.autocast):
            return extract_features(ours, dataset, batch_size=batch)

    def run_plain() -> tuple[np.ndarray, np.ndarray]:
        with torch.autocast(device, torch.bfloat16, enabled=setup.autocast):
            return _plain_extraction(plain, dataset, batch, setup.device)

    return Sides(Side(run_ours, _results), Side(run_plain, _results))


@torch.no_grad()
def _plain_extraction(network: nn.Module, dataset: list[dict], batch: int, device: str
                      ) -> tuple[np.ndarray, np.ndarray]:
    features, labels = [], []
    for samples in DataLoader(dataset, batch_size=batch, shuffle=False):
        features.append(network(samples['points'].to(device)).float().cpu().numpy())
        labels.append(samples['gt_label'].numpy())
    return np.concatenate(features), np.concatenate(labels)


def _results(found: tuple[np.ndarray, np.ndarray]) -> dict[str, Tensor]:
    return {'features': torch.from_numpy(found[0]), 'labels': torch.from_numpy(found[1])}
