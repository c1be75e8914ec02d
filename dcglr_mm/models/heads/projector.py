"""Projection head of the teacher and the student."""
import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from dcglr_mm.registry import MODELS


class UnitNormLinear(nn.Module):
    """Linear layer without bias whose weight rows are used at unit length.

    This is a weight-normalised layer with its gain ``g`` fixed at 1, as DINO's last layer, kept as
    one plain parameter: it can be deep-copied and has nothing to freeze.

    Args:
        in_channels (int): Width of the input.
        out_channels (int): Width of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(..., in_channels)`` to ``(..., out_channels)``."""
        return F.linear(features, F.normalize(self.weight, dim=1))


@MODELS.register_module()
class Projector(BaseModule):
    """The ``projector`` of Eq. 6-7: an MLP to the K-dimensional space of the loss.

    ``num_layers`` linear layers with GELU between them end in a bottleneck, which is L2-normalised
    and mapped to ``out_channels`` by a weight-normalised layer. There is no batch-norm, so that a
    sample's output does not depend on its batch. K = 512 is the paper's; everything else is that of
    POS-BERT's released code, which follows DINO.

    Args:
        in_channels (int): Width of the backbone's feature.
        out_channels (int): K of the paper, at least 2: of one there is nothing to tell apart.
            Defaults to 512.
        hidden_channels (int): Width of the hidden layers. Defaults to 2048.
        bottleneck_channels (int): Width of the normalised bottleneck. Defaults to 256.
        num_layers (int): Linear layers before the last one, at least 1. Defaults to 3.
        init_cfg (dict | list | None): MMEngine's initialisation config.

    Raises:
        ValueError: If ``num_layers`` or a width is less than 1, or ``out_channels`` than 2.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int = 512,
                 hidden_channels: int = 2048,
                 bottleneck_channels: int = 256,
                 num_layers: int = 3,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(init_cfg)
        if num_layers < 1:
            raise ValueError(f'Projector needs num_layers >= 1, got {num_layers}')
        if out_channels < 2 or min(in_channels, hidden_channels, bottleneck_channels) < 1:
            raise ValueError(
                'Projector needs out_channels >= 2 and other widths >= 1, got out_channels='
                f'{out_channels}, in_channels={in_channels}, hidden_channels={hidden_channels}, '
                f'bottleneck_channels={bottleneck_channels}')
        self.out_channels = out_channels
        widths = [in_channels, *[hidden_channels] * (num_layers - 1), bottleneck_channels]
        layers: list[nn.Module] = []
        for width_in, width_out in zip(widths[:-1], widths[1:]):
            linear = nn.Linear(width_in, width_out)
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.GELU()]
        self.mlp = nn.Sequential(*layers[:-1])
        self.last_layer = UnitNormLinear(bottleneck_channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Map backbone features ``(B, in_channels)`` to logits ``(B, K)``."""
        bottleneck = F.normalize(self.mlp(features), dim=-1)
        return self.last_layer(bottleneck)
