"""Nearest neighbours as mmcv's CUDA kernels find them."""
import warnings

import torch
from torch import Tensor

from dcglr_mm.models.ops import gather_points, knn
from dcglr_mm.models.ops.checks import full_precision

_FARTHEST_NEIGHBOR = 1e10


def knn_forward(xyz: Tensor, centers: Tensor, index: Tensor, squared: Tensor, *, b: int, n: int,
                m: int, nsample: int) -> None:
    """Writes rows and squared distances of the nearest points, ``(B, m, nsample)``, nearest first.

    Equally near points come in the order of their rows; in which order the CUDA kernel's heap has
    them depends on what else is in it. Places beyond the number of points hold row 0.

    Like the CUDA kernel this reads three numbers a point, whatever the width of ``xyz`` is: of
    wider features it takes a buffer of ``n`` wrong points (mmdet3d's ``DGCNNBackbone`` does that).
    """
    if xyz.shape[2] != 3:
        _check_width(xyz)
        xyz, centers = (full.flatten()[:b * rows * 3].view(b, rows, 3)
                        for full, rows in ((xyz, n), (centers, m)))
    found, distance = _nearest(centers, xyz, nsample)
    outside = ~(distance < _FARTHEST_NEIGHBOR)
    k = found.shape[2]
    index.zero_()[..., :k] = found.masked_fill(outside, 0)
    squared.fill_(_FARTHEST_NEIGHBOR)[..., :k] = distance.masked_fill(outside, _FARTHEST_NEIGHBOR)


def three_nn_forward(target: Tensor, source: Tensor, squared: Tensor, index: Tensor,
                     **_sizes: int) -> None:
    """Writes squared distances and rows of each target's three nearest sources, ``(B, N, 3)``.

    Equally near sources come in the order of their rows. Where there are fewer than three, row 0 is
    written with an infinite distance (1e40, the kernel's start, where the dtype holds it).
    """
    found, distance = _nearest(target, source, 3)
    absent = torch.tensor(1e40, dtype=torch.float64).to(squared.dtype)
    outside = ~(distance.double() < 1e40)
    k = found.shape[2]
    index.zero_()[..., :k] = found.masked_fill(outside, 0)
    squared.fill_(absent)[..., :k] = torch.where(outside, absent, distance.to(squared.dtype))


def _nearest(query: Tensor, reference: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Rows and squared distances of up to ``k`` nearest points, int64 and float ``(B, M, k)``."""
    query, reference = full_precision(query), full_precision(reference)
    if query.numel() == 0 or reference.numel() == 0:
        return torch.empty(*query.shape[:2], 0, dtype=torch.int64), query.new_empty(
            *query.shape[:2], 0)
    index = knn(query, reference, k)
    offset = query[:, :, None] - gather_points(reference, index)
    x, y, z = offset.square_().unbind(-1)
    return index, x + y + z


def _check_width(xyz: Tensor) -> None:
    if xyz.shape[2] < 3:
        raise ValueError(f'knn needs points (B, N, 3), got shape {tuple(xyz.shape)}')
    warnings.warn(
        f'mmcv\'s knn reads three numbers a point and was given {xyz.shape[2]}: its neighbours are '
        'wrong, on the GPU as here (dcglr_mm.DGCNN finds the right ones)', stacklevel=4)
