"""Cuts a room into blocks of a fixed number of points, as PointNet does."""
from __future__ import annotations

from zlib import crc32

import numpy as np

from .room import Room

COLUMNS = 9


def block_corners(extent: np.ndarray, block_size: float, stride: float) -> np.ndarray:
    """Lower corners of the blocks that cover a room.

    A row of blocks starts at 0 and ends with the first that reaches the room's end, so the last one
    may stick out: ``ceil((extent - block_size) / stride) + 1`` of them, at least one (where
    PointNet's script makes none of a room that is narrower than ``block_size - stride``).

    Args:
        extent: (2,) or (3,) size of the room; x and y count.

    Returns:
        (K, 2) x and y, in PointNet's order (y runs fastest).
    """
    counts = [max(1, int(np.ceil((length - block_size) / stride)) + 1) for length in extent[:2]]
    x, y = np.meshgrid(*(np.arange(n) * stride for n in counts), indexing='ij')
    return np.stack([x.ravel(), y.ravel()], axis=1)


def sample_rows(available: int, wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of a block's points that make up its fixed number, PointNet's way.

    Too many points: a draw with replacement. Too few: all of them, then a draw with replacement.
    """
    if available == wanted:
        return np.arange(available)
    if available > wanted:
        return rng.integers(available, size=wanted)
    return np.concatenate([np.arange(available), rng.integers(available, size=wanted - available)])


def room_to_blocks(room: Room, stride: float = 1.0, num_points: int = 4096,
                   block_size: float = 1.0, min_points: int = 100,
                   seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cut a room into columns of ``block_size`` x ``block_size`` and its whole height.

    Columns of a point, as in ``indoor3d_sem_seg_hdf5_data`` (PointNet, Qi et al., CVPR 2017,
    ``room2blocks_plus_normalized``), after the room's smallest coordinates were moved to 0:

    - 0, 1: x and y less the smallest x and y among the block's sampled points and less half a block
    - 2: z above the room's lowest point
    - 3, 4, 5: colour, 0 to 1
    - 6, 7, 8: x, y, z over the largest x, y, z of the room, 0 to 1

    The points of a block are drawn from ``default_rng([seed, crc32(room name), number])``, with
    the number that the block has among all corners: a block does not depend on other blocks.

    Args:
        room: The room.
        stride: Distance between blocks, metres.
        num_points: Points of a block.
        block_size: Edge of a block, metres; points on the edge belong to it.
        min_points: Blocks with fewer points are left out.
        seed: Of the draws.

    Returns:
        Blocks (K, num_points, 9) float32 and labels (K, num_points) uint8.
    """
    xyz = room.from_origin()
    extent = xyz.max(axis=0)
    # Flat rooms have no extent to divide by; their coordinate is 0 all the same.
    relative = np.where(extent > 0, extent, 1.0)
    by_x = np.argsort(xyz[:, 0], kind='stable')
    sorted_x, y_by_x = xyz[by_x, 0], xyz[by_x, 1]
    blocks, labels = [], []
    for number, (x, y) in enumerate(block_corners(extent, block_size, stride)):
        first = np.searchsorted(sorted_x, x, side='left')
        last = np.searchsorted(sorted_x, x + block_size, side='right')
        across = y_by_x[first:last]
        inside = by_x[first:last][(across >= y) & (across <= y + block_size)]
        if len(inside) < min_points:
            continue
        inside.sort()  # the order of the room, whatever the way they were found
        rng = np.random.default_rng([seed, crc32(room.name.encode()), number])
        rows = inside[sample_rows(len(inside), num_points, rng)]
        points = xyz[rows]
        corner = points[:, :2].min(axis=0) + block_size / 2
        block = np.empty((num_points, COLUMNS), np.float32)
        block[:, :2] = points[:, :2] - corner
        block[:, 2] = points[:, 2]
        block[:, 3:6] = room.rgb[rows] / 255.0
        block[:, 6:] = points / relative
        blocks.append(block)
        labels.append(room.labels[rows].astype(np.uint8))
    if not blocks:
        return np.zeros((0, num_points, COLUMNS), np.float32), np.zeros((0, num_points), np.uint8)
    return np.stack(blocks), np.stack(labels)
