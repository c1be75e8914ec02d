"""The masked patch term: against loops, and what it leaves alone."""
import copy
import math
import sys
from pathlib import Path

import pytest
import torch

from dcglr_mm.models import DCGLR, PatchDCGLR, PatchDistillationLoss
from dcglr_mm.models.layers.mask_token import MaskToken, draw_block_mask

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_engine'))

VIT = dict(type='dcglr_mm.ViT3D', embed_dims=8, depth=2, num_heads=2, patch_size=4,
           patch_channels=(6, 6, 8))
PROJECTOR = dict(type='dcglr_mm.Projector', hidden_channels=8, bottleneck_channels=6,
                 out_channels=5)


def build(kind=PatchDCGLR, **kwargs):
    torch.manual_seed(0)
    return kind(backbone=VIT, projector=PROJECTOR, **kwargs).double()


def make_views(batch=3, points=24):
    generator = torch.Generator().manual_seed(4)
    return {kind: torch.randn(batch, views, n, 3, generator=generator, dtype=torch.float64)
            for kind, (views, n) in {'global': (2, points), 'local': (1, 12)}.items()}


def test_loss_equals_loops_over_clouds_and_patches():
    torch.manual_seed(1)
    teacher, student = torch.randn(2, 3, 4, 5, dtype=torch.float64)  # 3 clouds, 4 patches, K 5
    student.requires_grad_()
    center = torch.randn(5, dtype=torch.float64)
    mask = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]]).bool()
    expected = 0.
    for cloud, patch in mask.nonzero().tolist():
        p = [math.exp(v) for v in ((teacher[cloud, patch] - center) / 0.3).tolist()]
        q = student[cloud, patch] / 0.7
        for k in range(5):
            expected = expected - (p[k] / sum(p) * (q[k] - q.exp().sum().log())
                                   / mask[cloud].sum() / 3)
    gradient, = torch.autograd.grad(expected, student)
    loss = PatchDistillationLoss(0.3, 0.7, weight=2.0)(teacher, student, mask, center)['loss_patch']
    loss.backward()
    torch.testing.assert_close(loss, 2 * expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(student.grad, 2 * gradient, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize('num_patches', [1, 2, 9])
def test_masked_patches_are_a_block_around_one(num_patches):
    centers = torch.randn(200, num_patches, 3)
    mask = draw_block_mask(centers, (0.2, 0.6))
    counts = mask.sum(1)
    assert counts.min() == max(1, int(0.2 * num_patches))
    assert counts.max() == max(1, math.ceil(0.6 * num_patches) - 1)
    for cloud, masked in zip(centers, mask):
        distances = torch.cdist(cloud, cloud)
        assert masked.all() or any(distances[i][masked].max() <= distances[i][~masked].min()
                                   for i in masked.nonzero().flatten())
    assert mask.any(0).all()  # no patch is always seen


def test_a_mask_token_knows_its_place_and_nothing_of_the_patch():
    layer = MaskToken(6)
    tokens, centers = torch.randn(2, 4, 6), torch.randn(2, 4, 3)
    mask = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 1]]).bool()
    found = layer(tokens, centers, mask)
    assert torch.equal(found[~mask], tokens[~mask])
    for token, center in zip(found[mask], centers[mask]):
        torch.testing.assert_close(token, layer.token + layer.position(center))
    torch.testing.assert_close(layer(tokens + 1, centers, mask)[mask], found[mask])


def reference_patch_loss(model, views):
    """The term cloud by cloud; returns it and the teacher's patch outputs."""
    total, outputs = 0., []
    clouds = views['global'].transpose(0, 1).flatten(0, 1)
    patches = model.student['backbone'].group(clouds)
    centers = torch.stack([c[i] for c, i in zip(clouds, patches.center_index)])
    torch.manual_seed(9)
    mask = draw_block_mask(centers, model.mask_ratio)
    for cloud, center, masked, *where in zip(clouds, centers, mask, *patches):
        where = [index[None] for index in where]
        logits = []
        for network in (model.teacher, model.student):
            backbone = network['backbone']
            tokens = backbone.patch_embed(cloud[None], *where)[0]
            if network is model.student:
                stand_in = model.mask_token.token + model.mask_token.position(center)
                tokens = torch.stack([s if m else t for s, m, t in zip(stand_in, masked, tokens)])
            sequence = torch.cat([backbone.cls_token[0], tokens])[None]
            for block in backbone.blocks:
                sequence = block(sequence)
            logits.append(network['projector'](backbone.head(backbone.norm(sequence[0, 1:]))))
        outputs.append(logits[0].detach())
        p = ((outputs[-1] - model.patch_center.value) / 0.04).softmax(-1)
        q = (logits[1] / 0.1).log_softmax(-1)
        terms = [-(p[i] @ q[i]) for i in range(len(masked)) if masked[i]]
        total = total + sum(terms) / len(terms) / len(clouds)
    return total, torch.stack(outputs)


def test_the_term_equals_a_reference_cloud_by_cloud():
    model, views = build().eval(), make_views(batch=2, points=16)
    model.patch_center.value.copy_(torch.randn(5) * 0.02)
    for parameter in model.teacher.parameters():
        parameter.data.mul_(1.1)
    torch.manual_seed(9)
    losses = model.loss(views)
    expected, _ = reference_patch_loss(model, views)
    torch.testing.assert_close(losses['loss_patch'], expected, rtol=1e-9, atol=0)
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    weights = [p for p in model.parameters() if p.requires_grad]
    found = torch.autograd.grad(losses['loss_patch'], weights, allow_unused=True)
    theirs = torch.autograd.grad(expected, weights, allow_unused=True)
    for name, a, b in zip(names, found, theirs):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-12, msg=name)
        assert a.abs().max() > 0, name


def test_the_other_losses_and_the_backbone_are_dcglrs():
    views = make_views()
    plain, both = build(DCGLR).eval(), build().eval()
    assert set(both.student.state_dict()) == set(plain.student.state_dict())
    both.load_state_dict(plain.state_dict(), strict=False)
    expected, found = plain.loss(views), both.loss(views)
    assert set(found) == {*expected, 'loss_patch'}
    for name, value in expected.items():
        assert torch.equal(found[name], value)


def test_the_patch_centre_follows_the_teacher_s_outputs_after_a_step():
    model, views = build().train(), make_views()
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()  # so that the reference, cloud by cloud, has the same outputs
    model.loss(views)
    assert not model.patch_center.value.any()
    _, outputs = reference_patch_loss(model, views)
    before = copy.deepcopy(model.student.state_dict())
    model.after_optimizer_step(0, 10)
    torch.testing.assert_close(model.patch_center.value, 0.1 * outputs.flatten(0, 1).mean(0),
                               rtol=1e-9, atol=1e-12)
    assert all(torch.equal(v, before[k]) for k, v in model.student.state_dict().items())
    center = model.patch_center.value.clone()
    model.loss(views)
    model.after_skipped_step()
    model.after_optimizer_step(1, 10)
    assert torch.equal(model.patch_center.value, center)


def test_it_trains_through_the_runner(tmp_path):
    from test_dcglr_training import make_runner
    views = make_views(batch=8)
    model = build()
    before = model.mask_token.token.detach().clone()
    make_runner(tmp_path, model, [views, views], 4, accumulate=2).train()
    assert not torch.equal(model.mask_token.token, before)
    assert model.patch_center.value.abs().max() > 0
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('kwargs, error, message', [
    (dict(backbone=dict(type='dcglr_mm.DGCNN', widths=(4, ), emb_dims=4)), TypeError,
     'needs a backbone of patches, ViT3D, got DGCNN'),
    (dict(mask_ratio=(0.4, 0.2)), ValueError, r'a range within \(0, 1\], got \(0.4, 0.2\)'),
    (dict(patch_loss=dict(type='dcglr_mm.PatchDistillationLoss', teacher_temperature=0)),
     ValueError, 'positive temperatures, got teacher_temperature=0'),
])
def test_mistakes_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        PatchDCGLR(**{**dict(backbone=VIT, projector=PROJECTOR), **kwargs})
