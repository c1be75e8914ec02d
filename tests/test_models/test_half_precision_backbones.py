"""Backbones whose weights are in half precision themselves, as for inference: ``model.half()``."""
import copy

import pytest
import torch

from dcglr_mm.models.backbones import DGCNN, PCT, DGCNNSeg, PointNet, ViT3D

BACKBONES = dict(
    dgcnn=lambda: DGCNN(k=5, widths=(8, 8, 16), emb_dims=32),
    dgcnn_seg=lambda: DGCNNSeg(in_channels=3, k=5),
    pct=lambda: PCT(num_samples=(64, 32)),
    pointnet=PointNet,
    vit3d=lambda: ViT3D(embed_dims=24, depth=2, num_heads=2),
    vit3d_edges=lambda: ViT3D(embed_dims=24, depth=2, num_heads=2, patch_network='edge'))


def built(name, dtype):
    """A backbone and its like in float64, of the same weights and clouds."""
    network = BACKBONES[name]()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    network = network.to(dtype)
    points = torch.rand(2, 300, 3).to(dtype)
    return network, copy.deepcopy(network).double(), points


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@pytest.mark.parametrize('name', BACKBONES)
def test_features(name, dtype):
    network, exact, points = built(name, dtype)
    found, expected = network.eval()(points), exact.eval()(points.double())
    assert found.dtype == dtype
    # One rounding of the result, and few before it.
    error = (found.double() - expected).norm() / expected.norm()
    assert error < 5 * torch.finfo(dtype).eps


@pytest.mark.parametrize('name', BACKBONES)
def test_features_of_points(name):
    network, exact, points = built(name, torch.bfloat16)
    found = network.eval().forward_points(points)
    expected = exact.eval().forward_points(points.double())
    assert found.dtype == torch.bfloat16
    error = (found.double() - expected).norm() / expected.norm()
    assert error < 5 * torch.finfo(torch.bfloat16).eps


@pytest.mark.parametrize('name', BACKBONES)
def test_gradients_have_the_type_of_the_weights(name):
    network, _, points = built(name, torch.bfloat16)
    out = network.train()(points)
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.dtype == torch.bfloat16, key
        assert parameter.grad.isfinite().all(), key
