"""The two-layer perceptron of BYOL."""
from mmengine.model import Sequential
from torch import Tensor, nn

from dcglr_mm.registry import MODELS


@MODELS.register_module()
class BYOLMLP(Sequential):
    """Linear layer, batch norm, ReLU, linear layer: projector and predictor of BYOL.

    Neither linear layer has a bias, as in STRL's released code, whose state dicts load under the
    same names (``0``, ``1``, ``3``). While training, a sample's output depends on its batch through
    the batch norm, which is part of what keeps BYOL from collapsing.

    Args:
        in_channels (int): Width of the input.
        out_channels (int): Width of the output. Defaults to 256, STRL's.
        hidden_channels (int): Width between the layers. Defaults to 4096, STRL's.
        init_cfg (dict | list | None): MMEngine's initialisation config.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int = 256,
                 hidden_channels: int = 4096,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(
            nn.Linear(in_channels, hidden_channels, bias=False),
            nn.BatchNorm1d(hidden_channels),
            nn.ReLU(inplace=True),
            nn.Linear(hidden_channels, out_channels, bias=False),
            init_cfg=init_cfg)
        self.out_channels = out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(B, in_channels)`` to ``(B, out_channels)``."""
        return super().forward(features)
