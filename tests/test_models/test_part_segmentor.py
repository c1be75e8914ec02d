"""The part segmentor: DGCNN's head by a plain reference, parts of the own category, errors."""
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dcglr_mm.engine.hooks import LabelCheckHook
from dcglr_mm.models import PartSegHead, PartSegmentor
from dcglr_mm.registry import MODELS

COUNTS = (3, 1, 2)  # parts 0, 1, 2 | 3 | 4, 5


def make_head(**settings):
    head = PartSegHead(**{**dict(part_counts=COUNTS, in_channels=8, category_channels=5,
                                 hidden_channels=(7, 6)), **settings})
    for module in head.modules():
        if isinstance(module, nn.BatchNorm1d):  # so that forgetting one would show
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return head


class PlainHead(nn.Module):
    """DGCNN's conv7 ... conv11: channel-first convolutions, the category repeated a point."""

    def __init__(self, head):
        super().__init__()
        self.category, *self.layers = [nn.Sequential(*layer) for layer in
                                       (head.category_layer, *head.layers)]
        self.weight = head.classifier.weight

    def forward(self, features, category):
        one_hot = torch.eye(len(COUNTS))[category][:, :, None]  # (B, categories, 1)
        about = self.category(one_hot).repeat(1, 1, features.shape[1])
        x = torch.cat((features.transpose(1, 2), about), 1)
        for layer in self.layers:
            x = layer(x)
        return F.conv1d(x, self.weight[:, :, None]).transpose(1, 2)


@pytest.mark.parametrize('training', [True, False])
def test_head_is_the_plain_reference(training):
    head = make_head(dropout=0.0).train(training)
    features, category = torch.randn(4, 9, 8, requires_grad=True), torch.tensor([2, 0, 1, 2])
    logits = head(features, category)
    gradient = torch.randn_like(logits)
    grad, = torch.autograd.grad(logits, features, gradient)
    expected = PlainHead(head)(features, category)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(grad, torch.autograd.grad(expected, features, gradient)[0],
                               rtol=1e-4, atol=1e-5)


def test_dgcnns_head_has_dgcnns_weights():
    head = PartSegHead((4, 2, 2, 4, 4, 3, 3, 2, 4, 2, 6, 2, 3, 3, 3, 3), in_channels=1216)
    shapes = [tuple(p.shape) for name, p in head.named_parameters() if p.ndim > 1]
    assert shapes == [(64, 16, 1), (256, 1280, 1), (256, 256, 1), (128, 256, 1), (50, 128)]
    assert head.classifier.bias is None


def test_dropout_follows_all_shared_layers_but_the_last():
    head = make_head(hidden_channels=(64, 6), dropout=0.9)
    seen = []
    for layer in head.layers:
        layer.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    head.classifier.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    head(torch.randn(4, 32, 8), torch.tensor([0, 1, 2, 0]))
    zeros = [float((x == 0).float().mean()) for x in seen]
    assert zeros[0] < 0.2 and zeros[1] == pytest.approx(0.9, abs=0.03) and zeros[2] == 0


def test_a_prediction_is_the_likeliest_part_of_the_own_category():
    head = make_head().eval()
    features, category = torch.randn(6, 50, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    logits, found = head(features, category), head.predict(features, category)
    for shape in range(6):
        own = [[0, 1, 2], [3], [4, 5]][category[shape]]
        assert torch.equal(found[shape], logits[shape][:, own].argmax(-1) + own[0])
    assert (logits.argmax(-1) != found).any()  # the restriction matters


def test_loss_is_over_all_parts_and_accuracy_within_the_category():
    head = make_head(dropout=0.0, loss=dict(type='LabelSmoothingLoss', smoothing=0.0)).eval()
    features, category = torch.randn(3, 20, 8), torch.tensor([0, 1, 2])
    parts = torch.stack([torch.arange(20) % 3, torch.full((20, ), 3), 4 + torch.arange(20) % 2])
    losses = head.loss(features, category, parts)
    probability = head(features, category).softmax(-1).gather(-1, parts[..., None])
    torch.testing.assert_close(losses['loss'], -probability.log().mean())
    assert losses['accuracy'] == (head.predict(features, category) == parts).float().mean()
    assert head.loss(features[1:2], category[1:2], parts[1:2])['accuracy'] == 1  # of one part


@pytest.mark.parametrize('category, parts, message', [
    ([0, 3], [[0, 1], [0, 1]], r'category 3, but .*part_counts there are 3 categories \(0 to 2\)'),
    ([0, -1], [[0, 1], [0, 1]], 'category -1'),
    ([0, 2], [[0, 1], [4, 6]], r'part 6, but .* there are 6 parts \(0 to 5\)'),
    ([0, 2], [[0, 1], [4, 2]], 'of category 2 is of part 2, but .* that category are 4 to 5'),
])
def test_labels_that_do_not_fit_are_named(category, parts, message):
    with pytest.raises(ValueError, match=message):
        make_head().loss(torch.randn(2, 2, 8), torch.tensor(category), torch.tensor(parts))


def test_diverged_networks_predict_nothing():
    with pytest.raises(ValueError, match='part logits are NaN; the network has diverged'):
        make_head().eval().predict(torch.full((1, 2, 8), torch.nan), torch.tensor([0]))


@pytest.mark.parametrize('settings, message', [
    (dict(part_counts=()), 'part_counts must have'), (dict(part_counts=(2, 0)), 'part_counts'),
    (dict(dropout=1.0), 'dropout must be in')])
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        make_head(**settings)


def make_segmentor(backbone):
    return MODELS.build(dict(type='PartSegmentor', backbone=backbone, head=dict(
        type='PartSegHead', part_counts=COUNTS, hidden_channels=(16, ))))


BACKBONES = [
    dict(type='DGCNNSeg', k=4, stage_widths=((8, 8), (8, )), emb_dims=16),
    dict(type='DGCNN', k=4, widths=(8, 8), emb_dims=16),
    dict(type='PCT'),
    dict(type='ViT3D', embed_dims=16, depth=1, num_heads=2, mlp_ratio=2),
]


@pytest.mark.parametrize('backbone', BACKBONES, ids=lambda b: b['type'])
def test_every_backbone_with_features_of_points_serves(backbone):
    model = make_segmentor(backbone)
    batch = dict(inputs=dict(points=torch.randn(3, 64, 3)), data_samples=dict(
        gt_label=torch.tensor([0, 1, 2]), sample_idx=torch.tensor([7, 8, 9]),
        pts_semantic_mask=torch.tensor([[0], [3], [5]]).repeat(1, 64)))
    losses = model(**batch, mode='loss')
    losses['loss'].backward()
    assert losses['loss'].isfinite()
    # DDP waits for the gradient of every parameter.
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    model.eval()
    assert model(**batch).shape == (3, 64, 6)
    shapes = model(**batch, mode='predict')
    assert [int(shape['sample_idx']) for shape in shapes] == [7, 8, 9]
    assert torch.equal(shapes[1]['pred_pts_semantic_mask'], torch.full((64, ), 3))
    order = torch.randperm(64)
    batch['inputs']['points'] = batch['inputs']['points'][:, order]
    for before, after in zip(shapes, model(**batch, mode='predict')):
        same = before['pred_pts_semantic_mask'][order] == after['pred_pts_semantic_mask']
        assert same.float().mean() > 0.95  # ties of float32


def test_missing_inputs_are_named():
    model = make_segmentor(BACKBONES[0])
    points = dict(points=torch.randn(2, 16, 3))
    with pytest.raises(ValueError, match="reads inputs\\['points'\\], found only \\['global'\\]"):
        model({'global': torch.zeros(1)}, dict(gt_label=torch.zeros(2)))
    with pytest.raises(ValueError, match="reads data_samples\\['gt_label'\\].*ShapeNetPart"):
        model(points, {}, mode='predict')
    with pytest.raises(ValueError, match="data_samples\\['pts_semantic_mask'\\]"):
        model(points, dict(gt_label=torch.tensor([0, 1])), mode='loss')
    with pytest.raises(ValueError, match="mode must be .* got 'train'"):
        model(points, mode='train')


def test_a_backbone_without_features_of_points_is_refused():
    class Pooled(nn.Module):
        out_channels = 4

    MODELS.register_module(module=Pooled, name='PooledOnly', force=True)
    with pytest.raises(TypeError, match='Pooled says no point_channels'):
        PartSegmentor(dict(type='PooledOnly'), dict(type='PartSegHead', part_counts=COUNTS))


def test_other_parts_than_the_heads_are_refused_before_the_run():
    dataset = SimpleNamespace(metainfo=dict(classes=('cup', 'pan', 'pot'), part_counts=(3, 2, 2)))
    runner = SimpleNamespace(model=make_segmentor(BACKBONES[0]), test_loop=SimpleNamespace(
        dataloader=SimpleNamespace(dataset=dataset)))
    with pytest.raises(ValueError, match=r'test_dataloader.dataset has categories of \[3, 2, 2\] '
                                         r'parts, but model.head.part_counts is \[3, 1, 2\]'):
        LabelCheckHook().before_test(runner)
    dataset.metainfo['part_counts'] = COUNTS
    LabelCheckHook().before_test(runner)
