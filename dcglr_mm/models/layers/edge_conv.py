"""Edge convolution of DGCNN."""
import torch
from torch import Tensor, nn

from ..ops import gather_points, knn
from ..ops.kernel_choice import is_traced
from .batch_norm import move_running_statistics
from .edge_conv_function import EdgeConvFunction, edge_conv_inference
from .factorizable import is_factorizable
from .norm_terms import NormTerms, scale_and_shift_of


class EdgeConv(nn.Sequential):
    """A linear layer on the edges of the neighbour graph, batch norm, LeakyReLU, max.

    DGCNN (Wang et al. 2019), Eq. 7-8: ``y_i = max_j act(bn(W [x_j - x_i ; x_i]))`` over the ``k``
    nearest neighbours ``j`` of ``i`` (itself among them). State dict and results are those of
    ``Sequential(Conv2d(2 C, D, 1, bias=False), BatchNorm2d(D), LeakyReLU)`` on a tensor of all
    edges and a maximum behind it, but the work is done on points (see
    :class:`~dcglr_mm.models.layers.edge_conv_function.EdgeConvFunction`). Batch norm may have any
    of torch's settings and may be converted to :class:`torch.nn.SyncBatchNorm`, which here runs on
    any device. Under autocast everything is computed in float32. If the layers are exchanged for
    others than batch norm and (Leaky)ReLU, edges are computed one by one.

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

        Raises:
            IndexError: If a neighbour given is no point of its cloud (looked at on CPUs only).
            ValueError: If the neighbours given are not ``(B, N, k)``, or, in training, if there is
                but one edge to take statistics from.
        """
        if index is None:
            index = knn(features, features, self.k)
        else:
            _check_neighbors(index, features)
        # A trace of torch.jit, as counters of FLOPs make one, cannot hold a function with a
        # gradient of its own.
        if not is_factorizable(self) or torch.jit.is_tracing() or index.numel() == 0:
            return self._forward_edges(features, index)
        with torch.autocast(features.device.type, enabled=False):
            return self._forward_points(features, index)

    def _forward_edges(self, features: Tensor, index: Tensor) -> Tensor:
        center = features[:, :, None].expand(-1, -1, index.shape[2], -1)
        edges = torch.cat((gather_points(features, index) - center, center), -1)  # (B, N, k, 2C)
        return super().forward(edges.permute(0, 3, 1, 2)).max(3).values.transpose(1, 2)

    def _forward_points(self, features: Tensor, index: Tensor) -> Tensor:
        conv, bn, activation = self
        out_dtype = torch.promote_types(features.dtype, conv.weight.dtype)
        dtype = torch.promote_types(out_dtype, torch.float32)
        features, weight = features.to(dtype), conv.weight.flatten(1).to(dtype)
        scale, shift = scale_and_shift_of(bn, weight)
        norm = NormTerms.of(bn, activation, dtype)
        of_batch = norm.mean is None
        if of_batch and not norm.sync and index.numel() == 1:
            raise ValueError('Expected more than 1 value per channel when training, got '
                             f'{tuple(features.shape[:2])} points with one neighbour each')
        inputs = (features, index.long().contiguous(), weight, scale, shift)
        needs_grad = torch.is_grad_enabled() and any(t.requires_grad for t in inputs)
        if not of_batch and not needs_grad:
            return edge_conv_inference(*inputs, norm).to(out_dtype)
        out, mean, var, count = EdgeConvFunction.apply(*inputs, norm, needs_grad)
        if bn.training:
            move_running_statistics(bn, mean, var, count)
        return out.to(out_dtype)


def _check_neighbors(index: Tensor, features: Tensor) -> None:
    """Compiled kernels would write elsewhere; torch's operations would look at other clouds."""
    if index.dim() != 3 or index.shape[:2] != features.shape[:2]:
        raise ValueError('neighbours must have the shape (B, N, k) of features (B, N, C), got '
                         f'{tuple(index.shape)} for {tuple(features.shape)}')
    if index.device.type != 'cpu' or index.numel() == 0 or is_traced():
        return
    num_points = features.shape[1]
    lowest, highest = (int(number) for number in index.aminmax())
    if lowest < 0 or highest >= num_points:
        raise IndexError(f'neighbours must be row numbers in [0, {num_points}), got {lowest} to '
                         f'{highest}')
