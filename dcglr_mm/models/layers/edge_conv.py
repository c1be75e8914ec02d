"""Edge convolution of DGCNN."""
import torch
from torch import Tensor, nn

from ..ops import gather_points, knn


class EdgeConv(nn.Sequential):
    """A linear layer on the edges of the neighbour graph, batch norm, LeakyReLU, max.

    DGCNN (Wang et al. 2019), Eq. 7-8: ``y_i = max_j act(bn(W [x_j - x_i ; x_i]))`` over the ``k``
    nearest neighbours ``j`` of ``i`` (itself among them). The state dict is that of
    ``Sequential(Conv2d(2 C, D, 1, bias=False), BatchNorm2d(D), LeakyReLU)``.

    Args:
        in_channels: ``C``.
        out_channels: ``D``.
        k: Number of neighbours, clipped to the number of points.
        negative_slope: Of the LeakyReLU.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 k: int = 20,
                 negative_slope: float = 0.2) -> None:
        super().__init__(
            nn.Conv2d(2 * in_channels, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.LeakyReLU(negative_slope))
        self.k = k

    def forward(self, features: Tensor, index: Tensor | None = None) -> Tensor:
        """Convolves.

        Args:
            features: ``(B, N, C)``.
            index: Neighbours ``(B, N, k)``; searched among the features if ``None``.

        Returns:
            ``(B, N, D)``.
        """
        if index is None:
            index = knn(features, features, self.k)
        center = features[:, :, None].expand(-1, -1, index.shape[2], -1)
        edges = torch.cat((gather_points(features, index) - center, center), -1)  # (B, N, k, 2C)
        return super().forward(edges.permute(0, 3, 1, 2)).amax(3).transpose(1, 2)
