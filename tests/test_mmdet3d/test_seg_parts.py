"""The small parts of segmentation: packing, loss, sliding windows, reproducible drawing."""
import pytest

pytest.importorskip('mmdet3d')

import numpy as np
import torch
from mmdet3d.models import EncoderDecoder3D

from dcglr_mm.mmdet3d.check_labels import CheckPointLabels
from dcglr_mm.mmdet3d.pack_seg import PackSegInputs
from dcglr_mm.mmdet3d.room_segmentor import RoomSegmentor
from dcglr_mm.mmdet3d.seed_item import SeedItem
from dcglr_mm.models.losses import LabelSmoothingLoss


def sample(labels=(3, 0, 12), **more):
    return dict(points=np.arange(9, dtype=np.float32).reshape(3, 3), sample_idx=4,
                pts_semantic_mask=np.array(labels), **more)


# PackSegInputs


def test_a_packed_sample_holds_points_and_labels_where_mmdet3d_looks():
    results = sample(room='Area_1_office_1', gt_label=2)
    packed = PackSegInputs(num_classes=13)(results)
    assert packed['inputs']['points'].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert packed['inputs']['points'].dtype == torch.float32
    data = packed['data_samples']
    assert data.gt_pts_seg.pts_semantic_mask.tolist() == [3, 0, 12]
    assert data.gt_pts_seg.pts_semantic_mask.dtype == torch.int64
    assert data.eval_ann_info['pts_semantic_mask'].tolist() == [3, 0, 12]
    assert data.metainfo == dict(sample_idx=4, room='Area_1_office_1')
    packed['inputs']['points'][:] = -1
    data.gt_pts_seg.pts_semantic_mask[:] = -1
    assert results['points'][0].tolist() == [0, 1, 2]
    assert results['pts_semantic_mask'].tolist() == [3, 0, 12]
    assert data.eval_ann_info['pts_semantic_mask'].tolist() == [3, 0, 12]


@pytest.mark.parametrize('labels', [(3, 0, 13), (3, -1, 0), (3, 255, 0)])
def test_a_label_of_no_class_is_named_with_its_point_and_sample(labels):
    with pytest.raises(ValueError, match=r'sample 4 holds the label (13|-1|255) at point [12]'):
        PackSegInputs(num_classes=13)(sample(labels))


def test_the_ignored_label_is_let_through_and_another_is_not():
    pack = PackSegInputs(num_classes=13, ignore_index=13)
    packed = pack(sample((3, 13, 0)))
    assert packed['data_samples'].gt_pts_seg.pts_semantic_mask.tolist() == [3, 13, 0]
    with pytest.raises(ValueError, match='expected 0 to 12 or 13, which is ignored'):
        pack(sample((3, 14, 0)))


@pytest.mark.parametrize('labels', [(3, 0), np.zeros((3, 1), int), np.zeros(3)],
                         ids=['too few', '2-D', 'fractions'])
def test_labels_that_are_not_one_whole_number_a_point_are_refused(labels):
    with pytest.raises(ValueError, match='expected 3 whole numbers'):
        PackSegInputs()(sample(labels))


def test_a_sample_without_labels_is_refused_unless_it_is_only_predicted():
    results = sample()
    del results['pts_semantic_mask']
    with pytest.raises(KeyError, match='pts_semantic_mask.*sample 4'):
        PackSegInputs()(results)
    data = PackSegInputs(with_labels=False)(results)['data_samples']
    assert data.eval_ann_info is None and 'pts_semantic_mask' not in data.gt_pts_seg


# CheckPointLabels


def loaded(labels):
    return dict(points=np.zeros((3, 6)), pts_semantic_mask=np.array(labels), lidar_path='a.bin',
                pts_semantic_mask_path='mask/a.bin', seg_label_mapping=np.arange(14))


def test_labels_of_classes_and_of_points_without_one_pass_unchanged():
    results = loaded([0, 12, 13])
    assert CheckPointLabels()(results) is results
    assert results['pts_semantic_mask'].tolist() == [0, 12, 13]


@pytest.mark.parametrize('labels, message', [
    ([0, 14, 2], r'mask/a\.bin: label 14 of point 1; expected 0 to 13'),
    ([0, 2, -1], r'mask/a\.bin: label -1 of point 2; expected 0 to 13'),
    ([0, 2], r'mask/a\.bin: 2 labels for the 3 points of a\.bin'),
])
def test_labels_that_mmdet3d_would_take_wrong_are_named_with_their_file(labels, message):
    with pytest.raises(ValueError, match=message):
        CheckPointLabels()(loaded(labels))


# LabelSmoothingLoss, of points


def cal_loss(logits, labels, smoothing):
    """The loss as the authors define it: targets written out, cross-entropy summed by hand."""
    losses = []
    for block, truth in zip(logits, labels):
        for point, t in zip(block.T, truth):
            target = torch.full_like(point, smoothing / (len(point) - 1))
            target[t] = 1 - smoothing
            losses.append(-(target * (point - point.exp().sum().log())).sum())
    return torch.stack(losses).mean()


@pytest.mark.parametrize('smoothing, classes', [(0.0, 2), (0.2, 2), (0.2, 13), (0.9, 13)])
def test_the_loss_and_its_gradient_are_the_authors(smoothing, classes):
    logits = torch.randn(2, classes, 5, requires_grad=True)
    labels = torch.randint(classes, (2, 5))
    ours = LabelSmoothingLoss(smoothing)(logits, labels)
    theirs = cal_loss(logits, labels, smoothing)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    (gradient, ), (expected, ) = (torch.autograd.grad(loss, logits) for loss in (ours, theirs))
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-8)


def test_ignored_points_count_neither_in_the_loss_nor_in_its_mean():
    logits = torch.randn(1, 13, 6, requires_grad=True)
    labels = torch.tensor([[1, 13, 5, 13, 0, 12]])
    loss = LabelSmoothingLoss()(logits, labels, ignore_index=13)
    kept = labels[0] != 13
    torch.testing.assert_close(loss, cal_loss(logits[..., kept], labels[:, kept], 0.2))
    loss.backward()
    assert (logits.grad[..., ~kept] == 0).all() and (logits.grad[..., kept] != 0).all()


def test_a_batch_of_ignored_points_gives_zero_and_zero_gradients():
    logits = torch.randn(1, 13, 4, requires_grad=True)
    loss = LabelSmoothingLoss()(logits, torch.full((1, 4), 255), ignore_index=255)
    loss.backward()
    assert loss == 0 and (logits.grad == 0).all()


# RoomSegmentor


def room(x, y, z=2.0, num_points=500):
    return torch.rand(num_points, 6) * torch.tensor([x, y, z, 1.0, 1.0, 1.0])


def windows(cls, points, **settings):
    torch.manual_seed(3)
    return cls._sliding_patch_generation(
        object.__new__(cls), points, **dict(num_points=64, block_size=1.0,
                                            use_normalized_coord=True, **settings))


class Stock(EncoderDecoder3D):
    __init__ = torch.nn.Module.__init__


class Ours(RoomSegmentor):
    __init__ = torch.nn.Module.__init__


@pytest.mark.parametrize('size', [(3.0, 2.2), (1.0, 1.0), (0.7, 2.6)])
@pytest.mark.parametrize('sample_rate', [0.5, 1.0])
def test_windows_of_usual_rooms_are_the_stock_ones(size, sample_rate):
    points = room(*size)
    for ours, stock in zip(windows(Ours, points, sample_rate=sample_rate),
                           windows(Stock, points, sample_rate=sample_rate)):
        assert torch.equal(ours, stock)


@pytest.mark.parametrize('size', [(0.3, 3.0), (0.2, 0.2), (2.0, 0.0)])
def test_a_room_narrower_than_a_window_is_covered_where_the_stock_class_fails(size):
    points = room(*size, num_points=150)
    with pytest.raises((RuntimeError, ValueError), match='non-empty list'):
        windows(Stock, points)
    patches, index = windows(Ours, points)
    assert len(patches) == len(index) and len(index) % 64 == 0
    assert set(index.tolist()) == set(range(150))
    torch.testing.assert_close(patches[:, 2], points[index, 2])  # height above the floor
    torch.testing.assert_close(patches[:, 3:6], points[index, 3:])  # colour
    # x and y are seen from the middle of a window.
    assert (patches[:, :2].abs() <= 0.5 + 1e-3).all()


# SeedItem


def drawn(transform, idx):
    transform(dict(sample_idx=idx))
    import random
    return np.random.rand(), random.random()


def test_what_is_drawn_depends_on_seed_epoch_and_item_only():
    transform = SeedItem()
    values = {}
    for seed in (0, 1):
        for epoch in (0, 1):
            transform.set_epoch(epoch, seed)
            for idx in (0, 1):
                values[seed, epoch, idx] = drawn(transform, idx)
    for column in zip(*values.values()):
        assert len(set(column)) == 8
    transform.set_epoch(1, 0)
    np.random.seed(99)
    assert drawn(transform, 1) == values[0, 1, 1]


def test_without_an_announced_epoch_nothing_is_seeded():
    np.random.seed(5)
    expected = np.random.rand(2)
    np.random.seed(5)
    transform = SeedItem()
    assert transform(dict(sample_idx=3)) == dict(sample_idx=3)
    assert np.random.rand() == expected[0]


class Draws(torch.utils.data.Dataset):
    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 6

    def __getitem__(self, idx):
        self.transform(dict(sample_idx=idx))
        return np.random.rand()


def test_running_workers_hear_of_the_next_epoch():
    transform = SeedItem()
    transform.set_epoch(0, 7)
    loader = torch.utils.data.DataLoader(Draws(transform), batch_size=2, num_workers=2,
                                         persistent_workers=True)
    epochs = []
    for epoch in (0, 1):
        transform.set_epoch(epoch)
        epochs.append(torch.cat(list(loader)).tolist())
        alone = [Draws(transform)[i] for i in range(6)]
        assert epochs[-1] == alone
    assert not set(epochs[0]) & set(epochs[1])
