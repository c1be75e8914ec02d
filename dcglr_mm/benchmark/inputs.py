"""Clouds to measure on."""
import torch
from torch import Tensor

# Points of the unit sphere in steps of 1/2048: a squared distance is a whole number of 2**-22, at
# most 4, and so exact in float32 in whatever order its terms are added up.
_STEPS = 2048


def make_clouds(batch: int, num_points: int, *, seed: int = 0, dtype: torch.dtype = torch.float32,
                on_grid: bool = True) -> Tensor:
    """Random points of bumpy closed surfaces within the unit sphere.

    Farthest-point sampling is chaotic: one distance rounded otherwise and all later picks differ.
    Two right implementations agree in float32 only where squared distances are exact.

    Args:
        batch: Number of clouds ``B``.
        num_points: Number of points ``N``.
        seed: Of the random clouds.
        dtype: Of the coordinates.
        on_grid: Round coordinates so that squared distances are exact in float32. Otherwise no two
            distances are equal, up to float64.

    Returns:
        ``(B, N, 3)`` on the CPU.
    """
    generator = torch.Generator().manual_seed(seed)
    draw = dict(generator=generator, dtype=torch.float64)
    direction = torch.randn(batch, num_points, 3, **draw)
    direction = direction / direction.norm(dim=-1, keepdim=True)
    axes = 0.3 + 0.7 * torch.rand(batch, 1, 3, **draw)
    waves = 2 * torch.randn(batch, 3, 4, **draw)
    bumps = torch.cos(direction @ waves + 6 * torch.rand(batch, 1, 4, **draw)).mean(-1)
    points = direction * axes * (1 + 0.3 * bumps)[..., None]
    points = points / points.norm(dim=-1).amax(1)[:, None, None]
    return ((points * _STEPS).round() / _STEPS if on_grid else points).to(dtype)


def make_views(batch: int, num_points: int, *, seed: int = 0, dtype: torch.dtype = torch.float32,
               on_grid: bool = True) -> dict[str, Tensor]:
    """A batch of clouds with the numbers and sizes of the paper's 12 views of ``N`` points.

    They are whole clouds: a filled crop holds equal points, of which two right samplers may take
    either.

    Returns:
        ``global`` ``(B, 2, N, 3)``, ``local`` ``(B, 8, N/2, 3)``, ``resolution``
        ``(B, 2, N/2, 3)``.
    """
    half = (num_points + 1) // 2
    sizes = {'global': (2, num_points), 'local': (8, half), 'resolution': (2, half)}
    views = {}
    for number, (kind, (count, points)) in enumerate(sizes.items()):
        clouds = make_clouds(batch * count, points, seed=3 * seed + number, dtype=dtype,
                             on_grid=on_grid)
        views[kind] = clouds.view(batch, count, points, 3)
    return views
