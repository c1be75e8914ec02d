"""Backbones: forward without gradient, or forward and backward."""
from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dcglr_mm.models import backbones

from ..case import Setup, Side, Sides
from ..inputs import make_clouds
from ..plain import dgcnn, pct, vit3d

Forward = Callable[[nn.Module], Tensor]

_NETWORKS = {
    'DGCNN': (backbones.DGCNN, dgcnn.DGCNN),
    'PCT': (backbones.PCT, pct.PCT),
    'ViT3D': (backbones.ViT3D, vit3d.ViT3D),
}


def build_pair(backbone: str, **settings) -> tuple[nn.Module, nn.Module]:
    """Our network and the plain one with the same random weights.

    Args:
        backbone: ``'DGCNN'``, ``'PCT'`` or ``'ViT3D'``.
        **settings: Arguments of both.
    """
    ours, plain = _NETWORKS[backbone]
    torch.manual_seed(0)
    pair = ours(**settings), plain(**settings)
    share_weights(*pair)
    return pair


def share_weights(ours: nn.Module, plain: nn.Module) -> None:
    """Random scales of both signs for our batch norms; then the plain network takes all weights."""
    for module in ours.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias, std=0.1)
    plain.load_state_dict(ours.state_dict())


def backbone(setup: Setup, backbone: str, batch: int, num_points: int, backward: bool,
             training: bool = True, **settings) -> Sides:
    """A batch through a backbone, its neighbour searches included."""
    ours, plain = build_pair(backbone, **settings)
    points = make_clouds(batch, num_points, dtype=setup.dtype, on_grid=setup.on_grid)
    points = points.to(setup.device)
    return network_sides(setup, ours, plain, lambda net: net(points), lambda net: net(points),
                         training, backward)


def network_sides(setup: Setup, ours: nn.Module, plain: nn.Module, our_forward: Forward,
                  plain_forward: Forward, training: bool, backward: bool) -> Sides:
    """Both networks with one gradient of the output to carry back."""
    sides, gradients = [], {}
    for network, forward in ((ours, our_forward), (plain, plain_forward)):
        network.to(setup.device, setup.dtype).train(training)
        if not training:
            give_statistics(network)
        sides.append(_network_side(setup, network, forward, backward, gradients))
    return Sides(*sides)


def give_statistics(network: nn.Module) -> None:
    """Running statistics as a trained network might have them, the same for equal layouts."""
    generator = torch.Generator().manual_seed(3)
    for name, buffer in sorted(network.named_buffers()):
        if name.endswith('running_mean'):
            buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
        elif name.endswith('running_var'):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))


def _network_side(setup: Setup, network: nn.Module, forward: Forward, backward: bool,
                  gradients: dict[str, Tensor]) -> Side:
    called = torch.compile(network, dynamic=False) if setup.compile else network
    device = torch.device(setup.device).type

    def run() -> Tensor:
        network.zero_grad(set_to_none=True)
        with torch.set_grad_enabled(backward), \
                torch.autocast(device, torch.bfloat16, enabled=setup.autocast):
            output = forward(called)
        if backward:
            if 'output' not in gradients:  # at the first call, which is not timed
                generator = torch.Generator().manual_seed(1)
                gradients['output'] = torch.randn(output.shape, generator=generator)
            gradient = gradients['output'].to(output)
            gradients['output'] = gradient
            output.backward(gradient)
        return output

    def results(output: Tensor) -> dict[str, Tensor]:
        named = {'output': output.detach()}
        named |= {f'gradient/{name}': parameter.grad.clone()
                  for name, parameter in network.named_parameters() if parameter.grad is not None}
        named |= {f'statistics/{name}': buffer.clone() for name, buffer in network.named_buffers()
                  if buffer.is_floating_point()}
        return named

    return Side(run, results, lambda: network.zero_grad(set_to_none=True))
