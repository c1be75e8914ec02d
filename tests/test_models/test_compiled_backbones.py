"""Whole networks give with compiled kernels what they give without."""
import pytest
import torch
from edge_reference import results

from dcglr_mm.models.ops import kernel_choice
from dcglr_mm.registry import MODELS

NETWORKS = {
    'DGCNN': dict(type='DGCNN', k=6),
    'DGCNNSeg': dict(type='DGCNNSeg', k=6),
    'PCT': dict(type='PCT'),
    'ViT3D': dict(type='ViT3D', embed_dims=32, depth=1, num_heads=2),
}


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('name', NETWORKS)
@pytest.mark.parametrize('cpu_kernels', ['numba'], indirect=True)
def test_same_results(name, training, cpu_kernels, monkeypatch):
    network = MODELS.build(NETWORKS[name]).train(training)
    for norm in network.modules():
        if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):
            torch.nn.init.normal_(norm.weight)  # scales of both signs
    start = {key: value.clone() for key, value in network.state_dict().items()}
    points = torch.randint(-512, 512, (3, 520, 3)).float() / 512

    def run():
        network.load_state_dict(start)
        network.zero_grad()

        def forward(x, _):
            out = network(x)
            return out[0] if isinstance(out, tuple) else out

        with torch.no_grad():
            shape = forward(points, None).shape
        network.load_state_dict(start)
        torch.manual_seed(3)
        return results(network, forward, points, None, torch.randn(shape))

    ours = run()
    monkeypatch.setenv(kernel_choice.SWITCHES['numba_kernels'], '0')
    # As a whole: of two rows that are the same but for rounding either may be the maximum, and the
    # gradient of single points goes elsewhere.
    for key, value in run().items():
        assert root_mean_square(ours[key] - value) <= 2e-3 * max(1, root_mean_square(value)), key


def root_mean_square(x):
    return x.double().square().mean().sqrt().item()
