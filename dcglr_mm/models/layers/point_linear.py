"""One linear layer for all points."""
from torch import Tensor, nn
from torch.nn.functional import linear


class PointLinear(nn.Sequential):
    """A linear layer shared by all points, batch norm, LeakyReLU.

    State dict and results are those of ``Sequential(Conv1d(C, D, 1, bias=False), BatchNorm1d(D),
    LeakyReLU)`` on channel-first points; points here are channel-last.

    Args:
        in_channels: ``C``.
        out_channels: ``D``.
        negative_slope: Of the LeakyReLU.
    """

    def __init__(self, in_channels: int, out_channels: int, negative_slope: float = 0.2) -> None:
        super().__init__(
            nn.Conv1d(in_channels, out_channels, 1, bias=False),
            nn.BatchNorm1d(out_channels),
            nn.LeakyReLU(negative_slope, inplace=True))

    def forward(self, features: Tensor) -> Tensor:
        """Maps ``(B, N, C)`` to ``(B, N, D)``."""
        conv, norm, activation = self
        rows = linear(features.flatten(0, 1), conv.weight.flatten(1))  # (B N, D)
        return activation(norm(rows)).unflatten(0, features.shape[:2])
