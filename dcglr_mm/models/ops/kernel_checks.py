"""What compiled kernels give on small cases, held against torch before they are used.

Values are small integers, so that sums are exact and equal distances and values abound. Each check
says what is wrong, or ``None``.
"""
from types import ModuleType

import torch
from torch import Tensor

from .graph import gathered_max
from .sampling import pick
from .top_k import smallest_columns


@torch.no_grad()
def triton_kernels(kernels: ModuleType, device: torch.device) -> str | None:
    """Holds :mod:`~dcglr_mm.models.ops.triton_kernels` against torch."""
    generator = torch.Generator().manual_seed(0)
    if _wrong_samples(kernels, generator, device):
        return 'sample other points than torch'
    values = _integers(generator, 300, 70).to(device)
    index = torch.randint(300, (50, 7), generator=generator).to(device)
    for found, expected in zip(kernels.neighbor_max(values, index, with_place=True),
                               gathered_max(values, index)):
        if not torch.equal(found, expected):
            return 'find other maxima than torch'
    return None


@torch.no_grad()
def numba_kernels(kernels: ModuleType, device: torch.device) -> str | None:
    """Holds :mod:`~dcglr_mm.models.ops.numba_kernels` against torch."""
    with torch.device(device):  # whatever the default
        return _wrong_on_cpu(kernels, device)


def one_cloud(kernels: ModuleType, device: torch.device) -> str | None:
    """Holds :mod:`~dcglr_mm.models.ops.numba_kernels.one_cloud` against torch, too."""
    generator = torch.Generator().manual_seed(0)
    for num_points, num, start in ((9, 5, 3), (700, 40, 690)):
        points = torch.randint(-4, 5, (num_points, 4), generator=generator, device='cpu').float()
        xyz, cloud = points[:, :3], points.numpy()
        order, _ = pick(xyz.T[:, None].contiguous(), num, torch.tensor([start], device='cpu'), None,
                        once=True)
        if kernels.farthest_point_sample(cloud, num, start).tolist() != order[0].tolist():
            return 'sample other points than torch'
        distance = (xyz[:, None] - xyz).square().sum(2)
        distance.fill_diagonal_(-1)
        nearest = distance.sort(dim=1, stable=True).indices
        region = nearest[start, :num].sort().values
        if kernels.nearest_region(cloud, start, num).tolist() != region.tolist():
            return 'crop other regions than torch'
        means = kernels.neighbor_means(cloud, order[0].numpy(), 4)
        if not torch.equal(torch.from_numpy(means), points[nearest[order[0], :4]].mean(1)):
            return 'find other means than torch'
        factor, noise = points[:1, :3].numpy().ravel(), points[:, 1:].numpy()
        moved = points.expand(3, -1, -1).clone()
        moved[0, :, :3] *= points[0, :3]
        moved[1, :, :3] += points[0, :3]
        moved[2, :, :3] += (points[:, 1:] / 2).clamp(-1.5, 1.5)
        found = (kernels.scaled(cloud, factor), kernels.shifted(cloud, factor),
                 kernels.add_clipped(cloud, noise.copy(), 0.5, 1.5))
        if not all(torch.equal(torch.from_numpy(f), m) for f, m in zip(found, moved)):
            return 'move points elsewhere than torch'
    return None


def _wrong_on_cpu(kernels: ModuleType, device: torch.device) -> str | None:
    generator = torch.Generator().manual_seed(0)
    if _wrong_samples(kernels, generator, device):
        return 'sample other points than torch'
    for num_points, k in ((9, 9), (130, 5)):
        points = _integers(generator, 2, num_points, 3)
        distance = (points[:, :, None] - points[:, None]).square().sum(3)
        expected = smallest_columns(distance.view(-1, 1, num_points), k, 1).view(2, -1, k)
        found = torch.empty_like(expected), torch.empty_like(expected)
        kernels.nearest(points, points.transpose(1, 2).contiguous(), found[0], False)
        kernels.smallest_columns(distance, distance.new_zeros(2, num_points), found[1], None)
        if not all(torch.equal(index, expected) for index in found):
            return 'find other neighbours than torch'
        wrong = (_wrong_edges(kernels, expected, generator)
                 or _wrong_pools(kernels, _integers(generator, num_points, 40)))
        if wrong is not None:
            return wrong
    return None


def _wrong_samples(kernels: ModuleType, generator: torch.Generator, device: torch.device) -> bool:
    # All of few points, many of them repeated; and some of so many that several warps look.
    for num_points, num_samples in ((5, 5), (40, 40), (600, 4)):
        columns = torch.randint(-1, 2, (2, 3, num_points), generator=generator).float().to(device)
        start = torch.tensor([1, num_points - 1], device=device)
        last = (torch.rand(2, num_points, generator=generator) < 0.3).to(device)
        for flags in (None, last):
            expected = pick(columns.transpose(0, 1).contiguous(), num_samples, start, flags,
                            once=True)[0]
            found = kernels.farthest_points(columns, num_samples, start, flags)
            if not torch.equal(found, expected):
                return True
    return False


def _wrong_edges(kernels: ModuleType, index: Tensor, generator: torch.Generator) -> str | None:
    batch, points, _ = index.shape
    terms = kernels.new_terms(index, 80).copy_(_integers(generator, batch, points, 80))
    a, b = terms.chunk(2, 2)
    rows = (index + torch.arange(batch)[:, None, None] * points).flatten(0, 1)
    maximum, place = gathered_max(a.reshape(-1, 40), rows)
    best, tails = torch.zeros(2, batch, points, 40, dtype=torch.float32)
    winner = torch.empty_like(best, dtype=torch.int32)
    sums = torch.empty(batch, 2, 40, dtype=torch.float64)
    degree = torch.empty(batch, points, dtype=torch.float32)
    heads = kernels.new_padded(index, 40)
    kernels.edge_maxima(terms, index, best, winner, sums, degree, heads, tails)
    if not (torch.equal(best, maximum.view_as(best) + b)
            and torch.equal(winner.flatten(), (place // 40 % points).flatten().int())):
        return 'find other maxima than torch'
    s = a.reshape(-1, 40)[rows].sum(1).view_as(best)
    if not (torch.equal(tails, s + index.shape[2] * b) and torch.equal(sums[:, 0], tails.sum(1))):
        return 'give other sums than torch'
    grad, slope = _integers(generator, batch, points, 40), torch.arange(40).float()
    grad, _ = kernels.activation_gradient(grad, best, best, slope, 1.)
    found = kernels.edge_gradients(grad, winner, index, slope, degree, heads, tails, slope, slope)
    gradient_a = torch.zeros_like(grad).scatter_add_(1, winner.long(), grad * slope)
    gradient_a += slope * (degree[..., None] - heads[..., :40])
    gradient_b = slope * (grad + index.shape[2] - tails)
    if not torch.equal(found, torch.cat((gradient_a, gradient_b), 2)):
        return 'give other gradients than torch'
    return None


def _wrong_pools(kernels: ModuleType, rows: Tensor) -> str | None:
    factor = torch.arange(40).float()
    best, out = torch.empty(1, 40, dtype=torch.float32), torch.empty_like(rows)
    winner = torch.empty_like(best, dtype=torch.int32)
    sums = kernels.group_maxima(rows, len(rows), best, winner, True)
    derivative = torch.where(rows * factor - 20 > 0, 1., 0.5).float()
    slopes, slopes_y = kernels.activation_moments(rows[None], factor, factor * 0 - 20, 0.5)
    kernels.pooled_gradient(rows, factor, factor * 0 - 20, 0.5, factor, factor, out)
    equal = [(best[0], rows.amax(0)), (rows.gather(0, winner.long()), best),
             (sums[1], rows.double().square().sum(0)), (slopes[0], derivative.sum(0)),
             (slopes_y[0], (derivative * rows).sum(0)), (out, factor * derivative - factor * rows)]
    if not all(torch.equal(found, expected) for found, expected in equal):
        return 'pool other values than torch'
    groups, weight = rows[:9].view(3, 3, 40), rows[:5]
    grad, won = rows[:3, :5].contiguous(), winner[:, :5].repeat(3, 1) % 3
    chosen = torch.nn.functional.one_hot(won.long(), 3) * grad[..., None]  # (G, D, k)
    total, out = torch.zeros(5, 40, dtype=torch.float32), torch.empty_like(groups)
    kernels.add_won_rows(grad, won, groups, total)
    kernels.sum_won_channels(grad, won, weight, out)
    if not (torch.equal(total, torch.einsum('gdk,gkc->dc', chosen, groups))
            and torch.equal(out, torch.einsum('gdk,dc->gkc', chosen, weight))):
        return 'give other gradients than torch'
    return None


def _integers(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randint(-4, 5, shape, generator=generator).float()


__all__ = ['numba_kernels', 'one_cloud', 'triton_kernels']
