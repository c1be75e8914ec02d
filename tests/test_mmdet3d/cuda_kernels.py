"""mmcv 2.1.0's CUDA kernels, statement by statement and one thread after the other."""
import math

import numpy as np


def furthest_points(to_rows, num_points: int, num_samples: int) -> list[int]:
    """``to_rows(i)`` are the squared distances of all points from point ``i``."""
    block = max(min(2**int(math.log(num_points) / math.log(2)), 1024), 1)
    temp = [np.float32(1e10)] * num_points
    picks, old = [0], 0
    for _ in range(1, num_samples):
        dists, dists_i = [], []
        squared = to_rows(old)
        for thread in range(block):
            best, best_i = -1, 0
            for k in range(thread, num_points, block):
                # CUDA's min passes a NaN over.
                temp[k] = temp[k] if np.isnan(squared[k]) else min(squared[k], temp[k])
                if temp[k] > best:
                    best, best_i = temp[k], k
            dists.append(best)
            dists_i.append(best_i)
        half = block // 2
        while half:
            for thread in range(half):
                if dists[thread + half] > dists[thread]:
                    dists[thread], dists_i[thread] = dists[thread + half], dists_i[thread + half]
            half //= 2
        old = dists_i[0]
        picks.append(old)
    return picks


def ball(center, points, low: float, high: float, nsample: int) -> list[int]:
    """``low <= distance < high``, or the centre itself."""
    low, high = np.float32(low) * np.float32(low), np.float32(high) * np.float32(high)
    rows, count = [0] * nsample, 0
    for k, point in enumerate(points):
        squared = ((center - point)**2).sum()
        if squared == 0 or low <= squared < high:
            if count == 0:
                rows = [k] * nsample
            rows[count] = k
            count += 1
            if count >= nsample:
                break
    return rows


def three_nearest(target, sources) -> tuple[list[float], list[int]]:
    best, index = [1e40] * 3, [0] * 3
    for k, source in enumerate(sources):
        squared = ((target - source)**2).sum()
        for place in range(3):
            if squared < best[place]:
                best.insert(place, squared)
                index.insert(place, k)
                break
    return best[:3], index[:3]


def in_box(point, box) -> bool:
    x, y, z, dx, dy, dz, turn = box
    if abs(point[2] - (z + dz / 2)) > dz / 2:
        return False
    cos, sin = np.cos(-turn), np.sin(-turn)
    local_x = (point[0] - x) * cos - (point[1] - y) * sin
    local_y = (point[0] - x) * sin + (point[1] - y) * cos
    return -dx / 2 < local_x < dx / 2 and -dy / 2 < local_y < dy / 2


def assign_scores(scores, points, centers, index) -> np.ndarray:
    batch, rows, neighbors, weights = scores.shape
    out = np.zeros((batch, points.shape[3], rows, neighbors))
    for b, n, k in np.ndindex(batch, rows, neighbors):
        near, own = index[b, n, k], index[b, n, 0]
        if near >= points.shape[1] or near < 0:
            continue
        for m in range(weights):
            out[b, :, n, k] += scores[b, n, k, m] * (points[b, near, m] - centers[b, own, m])
    return out


def cells(box, points, grid, capacity: int) -> dict[tuple, list[int]]:
    """The points of a box by cell, at most ``capacity`` each."""
    members: dict[tuple, list[int]] = {}
    x, y, z, *size, turn = box
    cos, sin = np.cos(-turn), np.sin(-turn)
    for k, point in enumerate(points):
        if not in_box(point, box):
            continue
        local = ((point[0] - x) * cos - (point[1] - y) * sin + size[0] / 2,
                 (point[0] - x) * sin + (point[1] - y) * cos + size[1] / 2, point[2] - z)
        cell = tuple(min(max(int(place / (extent / number)), 0), number - 1)
                     for place, extent, number in zip(local, size, grid))
        listed = members.setdefault(cell, [])
        if len(listed) < capacity:
            listed.append(k)
    return members
