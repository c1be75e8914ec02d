"""Backbones in a trace of torch.jit, which counters of FLOPs and exports make."""
import pytest
import torch
from mmengine.analysis import get_model_complexity_info

from dcglr_mm.models.backbones import DGCNN, PCT, DGCNNSeg, PointNet, ViT3D

# Of shapes, which a trace of some networks holds for ever.
pytestmark = pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning')

BACKBONES = dict(
    dgcnn=lambda: DGCNN(k=5, widths=(8, 8, 16), emb_dims=32),
    dgcnn_seg=lambda: DGCNNSeg(in_channels=3, k=5),
    pct=PCT,
    pointnet=PointNet,
    vit3d=lambda: ViT3D(embed_dims=24, depth=2, num_heads=2))


def built(name):
    """In eval mode, with statistics and scales of either sign that are not those of the start."""
    torch.manual_seed(0)
    network = BACKBONES[name]().double().eval()
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return network


def clouds(batch, points):
    return torch.rand(batch, points, 3, dtype=torch.float64)


@pytest.mark.parametrize('grad', [True, False])
@pytest.mark.parametrize('name', BACKBONES)
def test_a_trace_gives_what_the_network_gives(name, grad):
    network = built(name)
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(network, clouds(2, 600), check_trace=False)
        points = clouds(2, 600)
        torch.testing.assert_close(traced(points), network(points), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('grad', [True, False])
@pytest.mark.parametrize('name', ['dgcnn', 'pointnet'])
def test_a_trace_takes_any_number_of_clouds_and_points(name, grad):
    network = built(name)
    with torch.set_grad_enabled(grad):
        traced = torch.jit.trace(network, clouds(2, 100), check_trace=False)
        for shape in ((1, 100), (5, 100), (2, 131), (3, 37)):
            points = clouds(*shape)
            torch.testing.assert_close(traced(points), network(points), rtol=1e-9, atol=1e-9)


def test_flops_of_dgcnn_are_those_of_its_edges():
    network = DGCNN(k=5, widths=(8, 16), emb_dims=32).eval()
    counted = get_model_complexity_info(network, inputs=(torch.rand(1, 50, 3),))
    edges, points = 50 * 5, 50
    linear = edges * (6 * 8 + 16 * 16) + points * 24 * 32  # multiply-adds
    assert linear <= counted['flops'] <= 1.2 * linear
