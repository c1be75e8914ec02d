"""PAConv's weighted assembly of neighbours as mmcv's CUDA kernel does it, with its gradients.

Symbols: ``M`` weight matrices, ``O`` output channels, ``K`` neighbours; the first neighbour of a
row is its centre. Neighbours out of range count as absent. ``aggregate`` is not looked at by the
CUDA kernel either: neighbours are not reduced.
"""
import torch
from torch import Tensor

# Numbers gathered at one time.
_CHUNK_ENTRIES = 2**22


def assign_score_withk_forward(points: Tensor, centers: Tensor, scores: Tensor, index: Tensor,
                               output: Tensor, **_sizes: int) -> None:
    """``output[b,o,n,k] += sum_m scores[b,n,k,m] (points[b,j,m,o] - centers[b,i,m,o])``.

    ``j = index[b,n,k]``, ``i = index[b,n,0]``; points and centers ``(B, N, M, O)``, scores
    ``(B, n, K, M)``, index ``(B, n, K)``, output ``(B, O, n, K)``.
    """
    for b, rows in _chunks(index, points):
        near, own, valid = _neighbors(index[b, rows], len(points[b]))
        score = scores[b, rows] * valid[..., None]  # (n, K, M)
        mixed = torch.matmul(score[:, :, None], points[b][near])[:, :, 0]  # (n, K, O)
        mixed.baddbmm_(score, centers[b][own], alpha=-1)
        output[b, :, rows] += mixed.permute(2, 0, 1)


def assign_score_withk_backward(grad_output: Tensor, points: Tensor, centers: Tensor,
                                scores: Tensor, index: Tensor, grad_points: Tensor,
                                grad_centers: Tensor, grad_scores: Tensor, **_sizes: int) -> None:
    """Adds the gradient of the output to those of points, centres and scores."""
    for b, rows in _chunks(index, points):
        near, own, valid = _neighbors(index[b, rows], len(points[b]))
        grad = grad_output[b, :, rows].permute(1, 2, 0) * valid[..., None]  # (n, K, O)
        score = scores[b, rows]  # (n, K, M)
        outer = score[..., None] * grad[:, :, None]  # (n, K, M, O)
        grad_points[b].index_add_(0, near.flatten(), outer.flatten(0, 1))
        grad_centers[b].index_add_(0, own, outer.sum(1), alpha=-1)
        # (n, K, M, O) x (n, K, O) and (n, M, O) x (n, K, O)
        to_near = torch.matmul(points[b][near], grad[..., None])[..., 0]
        to_own = torch.matmul(grad, centers[b][own].transpose(1, 2))
        grad_scores[b, rows] += to_near - to_own


def _chunks(index: Tensor, points: Tensor) -> list[tuple[int, slice]]:
    """Clouds and slices of their rows, of bounded size once gathered."""
    batch, num_rows, num_neighbors = index.shape
    size = max(_CHUNK_ENTRIES // max(num_neighbors * points.shape[2] * points.shape[3], 1), 1)
    return [(b, slice(start, start + size))
            for b in range(batch) for start in range(0, num_rows, size)]


def _neighbors(index: Tensor, num_points: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of the neighbours ``(n, K)`` and centres ``(n,)``, and which neighbours there are."""
    valid = (index >= 0) & (index < num_points)
    safe = index.long().masked_fill(~valid, 0)
    return safe, safe[:, 0], valid
