"""Exact k-nearest-neighbour search in batches of clouds."""
import torch
from torch import Tensor

from .checks import check_clouds, check_count, full_precision


@torch.no_grad()
def knn(query: Tensor, reference: Tensor, k: int, exclude_self: bool = False) -> Tensor:
    """Finds the ``k`` points of ``reference`` nearest to each point of ``query``.

    Args:
        query: ``(B, M, C)``, of any feature dimension ``C``.
        reference: ``(B, N, C)``.
        k: Number of neighbours; clipped to the number of points there are.
        exclude_self: Leave out neighbour ``i`` of query ``i``, for a query that is the reference.

    Returns:
        int64 row numbers into ``reference``, ``(B, M, min(k, N))`` (``min(k, N - 1)`` without
        self), nearest first; among equally near points the lowest number comes first.

    Raises:
        TypeError: If an input is not floating point.
        ValueError: If shapes do not fit, or ``k`` is not a positive integer.
    """
    check_clouds('query', query)
    check_clouds('reference', reference)
    check_count('k', k)
    if query.shape[0] != reference.shape[0] or query.shape[2] != reference.shape[2]:
        raise ValueError('query and reference must agree in batch and channels, got '
                         f'{tuple(query.shape)} and {tuple(reference.shape)}')
    if exclude_self and query.shape[1] != reference.shape[1]:
        raise ValueError('exclude_self needs the query to be the reference, got '
                         f'{query.shape[1]} and {reference.shape[1]} points')
    query, reference = full_precision(query), full_precision(reference)
    available = reference.shape[1] - exclude_self
    with torch.autocast(query.device.type, enabled=False):
        rows = [_search(q, r, min(k, available), exclude_self) for q, r in zip(query, reference)]
    return torch.stack(rows)


def _search(query: Tensor, reference: Tensor, k: int, exclude_self: bool) -> Tensor:
    center = reference.mean(0)  # squared norms of a far-away cloud would cancel
    query, reference = query - center, reference - center
    distance = (query.square().sum(1)[:, None] + reference.square().sum(1)
                - 2 * query @ reference.T)  # (M, N)
    if exclude_self:
        distance.fill_diagonal_(float('inf'))
    return distance.sort(dim=1, stable=True).indices[:, :k]
