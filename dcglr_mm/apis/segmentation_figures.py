"""What a segmentor says beside the truth, for the test data of a config."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import set_random_seed

from dcglr_mm.datasets.transforms import collate_clouds
from dcglr_mm.engine.strict_loading import load_strictly
from dcglr_mm.evaluation.comparison import build_network
from dcglr_mm.registry import DATASETS
from dcglr_mm.visualization import Camera, plot_parts, plot_segmentation

from .segmentation import predict_room, rows_of_room

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LABELS = 'pts_semantic_mask'


def draw_segmentation(cfg: Config, checkpoint: str, *, name: str = 'prediction',
                      room: str | None = None, num: int = 4, seed: int = 0,
                      hide: Sequence[str] = ('ceiling', ), camera: Camera | None = None,
                      device: str | None = None,
                      log: Callable[[str], None] = lambda line: None) -> Figure:
    """Segment test data of a config and draw it: truth, prediction and what is wrong.

    That is one room, put together from its blocks (S3DIS blocks) or as it is (mmdet3d's rooms), or
    ``num`` shapes with parts.

    Args:
        cfg: A segmentation config with a test_dataloader.
        checkpoint: Has to fill the network.
        name: What to call the prediction.
        room: Its name, such as ``Area_6_office_1``, or its number in the data; default: the
            first.
        num: Shapes with parts.
        seed: Of the choice of shapes, and of what the segmentor draws.
        hide: Classes to look through.
        camera: Defaults to a view from above a corner for rooms.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: The config has no test data, the checkpoint does not fit, there is no such room,
            or the data set has no labels of points.
    """
    loader = cfg.get('test_dataloader') or {}
    if not loader.get('dataset'):
        raise ValueError(f'{cfg.filename} has no test_dataloader, whose data would be segmented')
    model = build_network(cfg, seed)
    for line in load_strictly(model, checkpoint):
        log(line)
    model.to(device or ('cuda' if torch.cuda.is_available() else 'cpu')).eval()
    data = DATASETS.build(loader['dataset'])
    set_random_seed(seed)
    with torch.no_grad():
        if 'part_counts' in data.metainfo:
            return _draw_parts(model, data, num, seed, camera)
        if 'room' in data.get_data_info(0):
            found = _blocks(model, loader['dataset'], data, room)
        else:
            found = _whole_room(model, data, room)
    title, points, truth, labels = found
    meta = data.metainfo
    share = f'{name}: {100 * np.mean(labels == truth):.0f} % of the points right'
    return plot_segmentation(points, {'truth': truth, share: labels}, meta['classes'],
                             meta['palette'], hide=hide, camera=camera, errors=True, title=title)


def join_blocks(local: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Put the blocks of a room back in their places.

    Blocks in the layout of indoor3d_sem_seg_hdf5_data know coordinates in metres in the block and,
    as shares of the room's extent, in the room. The ratio of how both vary within the blocks is the
    extent.

    Args:
        local: (K, P, 3) in metres, each block from a corner of its own.
        shares: (K, P, 3) of the same points, from 0 to 1.

    Returns:
        (K P, 3) in metres, in the room.
    """
    x, u = (np.asarray(part, np.float64) for part in (local, shares))
    x, centred = x - x.mean(axis=1, keepdims=True), u - u.mean(axis=1, keepdims=True)
    spread = (centred**2).sum(axis=(0, 1))
    # An axis along which nothing varies has no extent to find, nor any need of one.
    extent = np.where(spread > 0, (x * centred).sum(axis=(0, 1)) / np.where(spread > 0, spread, 1),
                      1)
    return (u * extent).reshape(-1, 3)


def _blocks(model, config: dict, data, room: str | None) -> tuple:
    rooms = list(dict.fromkeys(data.get_data_info(i)['room'] for i in range(len(data))))
    room = _room(room, rooms)
    columns = {**config, 'pipeline': [], 'columns': (0, 1, 2, 6, 7, 8)}
    try:
        items = [DATASETS.build(columns)[row] for row in rows_of_room(data, room)]
    except (IndexError, ValueError) as error:
        raise ValueError('the blocks do not say where in the room they are (columns 6 to 8 of '
                         f'indoor3d_sem_seg_hdf5_data): {error}') from None
    points = np.stack([item['points'] for item in items])
    truth = np.concatenate([item[LABELS] for item in items])
    labels = predict_room(model, data, room).reshape(-1)
    return room, join_blocks(points[..., :3], points[..., 3:6]), truth, labels


def _whole_room(model, data, room: str | None) -> tuple:
    names = [str(data.get_data_info(i).get('lidar_points', {}).get('lidar_path', i)).split('/')[-1]
             .removesuffix('.bin') for i in range(len(data))]
    name = _room(room, names)
    item = data[names.index(name)]
    truth = (item['data_samples'].eval_ann_info or {}).get(LABELS)
    if truth is None:
        raise ValueError(f'room {name} has no labels of points to set beside the prediction')
    points = item['inputs']['points'].numpy().copy()[:, :3]
    sample, = model.test_step(pseudo_collate([item]))
    return name, points, np.asarray(truth), sample.pred_pts_seg.pts_semantic_mask.cpu().numpy()


def _room(wanted: str | None, rooms: list[str]) -> str:
    if wanted is None:
        return rooms[0]
    if wanted in rooms:
        return wanted
    if wanted.isdigit() and int(wanted) < len(rooms):
        return rooms[int(wanted)]
    raise ValueError(f'the test data have no room {wanted!r}; there are {len(rooms)}, such as '
                     f'{", ".join(rooms[:5])}')


def _draw_parts(model, data, num: int, seed: int, camera: Camera | None) -> Figure:
    if num < 1:
        raise ValueError(f'the number of shapes has to be at least 1, found {num}')
    first = np.cumsum([0, *data.metainfo['part_counts']])
    clouds, truths, predictions, names = [], [], [], []
    for row in np.random.default_rng(seed).permutation(len(data))[:num]:
        item = data[int(row)]
        sample, = model.test_step(collate_clouds([item]))
        label = int(item['data_samples']['gt_label'])
        clouds.append(item['inputs']['points'].numpy()[:, :3])
        truths.append(np.asarray(item['data_samples'][LABELS]) - first[label])
        predictions.append(sample[f'pred_{LABELS}'].cpu().numpy() - first[label])
        names.append(str(data.metainfo['classes'][label]).replace('_', ' '))
    return plot_parts(clouds, truths, predictions, names, camera=camera)
