"""Offset attention of PCT (Guo et al., "PCT: Point Cloud Transformer", section 3.3)."""
import torch.nn.functional as F
from torch import Tensor, nn


class OffsetAttention(nn.Module):
    """Self-attention whose output is the change from the input to the attended features.

    With energies ``e = q k^T``, the weights are ``softmax`` over keys, then each column is divided
    by its sum (an L1 norm over queries); the attended feature of point ``j`` is
    ``sum_i v_i a_ij``. Queries and keys share one projection. Names follow the released
    PCT_Pytorch, so its state dicts load: ``q_conv`` and ``k_conv`` hold the same parameter.

    Args:
        channels: Width of the points' features, a multiple of 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % 4:
            raise ValueError(f'offset attention needs a multiple of 4 channels, got {channels}')
        self.q_conv = nn.Conv1d(channels, channels // 4, kernel_size=1, bias=False)
        self.k_conv = nn.Conv1d(channels, channels // 4, kernel_size=1, bias=False)
        self.q_conv.weight = self.k_conv.weight
        self.v_conv = nn.Conv1d(channels, channels, kernel_size=1)
        self.trans_conv = nn.Conv1d(channels, channels, kernel_size=1)
        self.after_norm = nn.BatchNorm1d(channels)

    def _softmax(self, x: Tensor) -> Tensor:
        query = F.linear(x, self.k_conv.weight.squeeze(-1))
        return (query @ query.transpose(1, 2)).softmax(dim=-1)

    def attention_weights(self, x: Tensor) -> Tensor:
        """Weights ``a_ij`` (B, N, N) for features (B, N, C); every column sums to one."""
        attention = self._softmax(x)
        return attention / (1e-9 + attention.sum(dim=1, keepdim=True))

    def forward(self, x: Tensor) -> Tensor:
        """Maps features (B, N, C) to features (B, N, C)."""
        value = F.linear(x, self.v_conv.weight.squeeze(-1), self.v_conv.bias)
        attention = self._softmax(x)
        # Columns are divided by their sums behind the product, where they are C wide and not N.
        attended = attention.transpose(1, 2) @ value  # (B, N, C)
        attended = attended / (1e-9 + attention.sum(dim=1)[..., None])
        offset = F.linear(x - attended, self.trans_conv.weight.squeeze(-1), self.trans_conv.bias)
        offset = self.after_norm(offset.flatten(0, 1)).view_as(x)
        return x + F.relu(offset)


__all__ = ['OffsetAttention']
