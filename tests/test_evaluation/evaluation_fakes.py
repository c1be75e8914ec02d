"""Tiny networks and data sets with the project's contracts, and a launcher of two gloo ranks."""
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.distributed as torch_dist
import torch.multiprocessing as mp
from torch import Tensor, nn


class Clouds(torch.utils.data.Dataset):
    """Packed items; cloud ``i`` is seeded by ``i`` and centred at ``centers[labels[i]]``."""

    def __init__(self, labels, num_points=8, spread=0.05, seed=0, centers=None):
        self.labels = np.asarray(labels, dtype=np.int64)
        self.num_points, self.spread, self.seed = num_points, spread, seed
        classes = int(self.labels.max()) + 1
        self.centers = (np.random.default_rng(99).normal(size=(classes, 3))
                        if centers is None else np.asarray(centers))

    def __len__(self):
        return len(self.labels)

    def cloud(self, index):
        noise = np.random.default_rng([self.seed, index]).normal(size=(self.num_points, 3))
        center = self.centers[self.labels[index]]
        return (center + self.spread * noise).astype(np.float32)

    def __getitem__(self, index):
        return dict(inputs=dict(points=torch.from_numpy(self.cloud(index))),
                    data_samples=dict(gt_label=int(self.labels[index]), sample_idx=index))


class MeanBackbone(nn.Module):
    """Features are the mean point, through a batch norm: checkable by hand in eval mode."""
    out_channels = 3

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3, eps=1e-12)

    def forward(self, points: Tensor) -> Tensor:
        return self.norm(points[..., :3].mean(dim=1))


class TeacherStudent(nn.Module):
    """The algorithm's public face: ``student``, ``teacher``, ``extract_feat(points, network)``."""

    def __init__(self):
        super().__init__()
        self.student = nn.ModuleDict({'backbone': MeanBackbone()})
        self.teacher = nn.ModuleDict({'backbone': MeanBackbone()})

    def extract_feat(self, points: Tensor, network: str = 'teacher') -> Tensor:
        return getattr(self, network)['backbone'](points)


def _rank_main(rank: int, world_size: int, store: str, function: Callable, args: tuple) -> None:
    torch.set_num_threads(1)
    torch_dist.init_process_group('gloo', init_method=f'file://{store}', rank=rank,
                                  world_size=world_size)
    try:
        function(rank, *args)
        torch_dist.barrier()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        torch_dist.destroy_process_group()


def run_on_two_ranks(tmp_path: Path, function: Callable, *args) -> None:
    """Run ``function(rank, *args)`` in two processes joined by gloo; fail if either fails."""
    mp.spawn(_rank_main, (2, str(tmp_path / 'store'), function, args), nprocs=2)
