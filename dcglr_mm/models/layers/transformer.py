"""Pre-norm transformer blocks, the encoder of 3D-ViT (paper, Eq. 16)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: drops a residual branch for whole samples while training.

    Args:
        drop_prob: Probability of dropping the branch of one sample, in [0, 1).
    """

    def __init__(self, drop_prob: float = 0.) -> None:
        super().__init__()
        if not 0. <= drop_prob < 1.:
            raise ValueError(f'drop_prob must be in [0, 1), got {drop_prob}')
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.drop_prob == 0.:
            return x
        keep_prob = 1. - self.drop_prob
        mask = x.new_empty(x.shape[0], *[1] * (x.ndim - 1)).bernoulli_(keep_prob)
        return x * (mask / keep_prob)

    def extra_repr(self) -> str:
        return f'drop_prob={self.drop_prob}'


class Mlp(nn.Module):
    """Two linear layers with a GELU between, applied to each token.

    Args:
        dims: Width of input and output.
        hidden_dims: Width between the layers.
    """

    def __init__(self, dims: int, hidden_dims: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dims, hidden_dims)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden_dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Scaled dot-product attention over ``(B, heads, T, D)``."""
    low = query.dtype in (torch.bfloat16, torch.float16)
    if not (low and query.device.type == 'cpu' and torch.is_grad_enabled()):
        return F.scaled_dot_product_attention(query, key, value)
    # Torch's gradient of it takes four to five times as long in bf16 on a CPU (33 to 65 tokens).
    with torch.autocast('cpu', enabled=False):
        out = F.scaled_dot_product_attention(query.float(), key.float(), value.float())
    return out.to(query.dtype)


class Attention(nn.Module):
    """Multi-head self-attention.

    Args:
        dims: Width of the tokens.
        num_heads: Number of heads; divides ``dims``.
        qkv_bias: Whether queries, keys and values have a bias.
    """

    def __init__(self, dims: int, num_heads: int, qkv_bias: bool = True) -> None:
        super().__init__()
        if num_heads < 1 or dims % num_heads:
            raise ValueError(
                f'the width must be a multiple of num_heads, got {dims} and {num_heads}')
        self.num_heads = num_heads
        self.qkv = nn.Linear(dims, dims * 3, bias=qkv_bias)
        self.proj = nn.Linear(dims, dims)

    def _split_heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._heads(self.qkv(x), 3)

    def _heads(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Cuts ``(B, T, parts D)`` into parts ``(B, heads, T, D / heads)``."""
        # Parted before the heads move, so that the gradients are put together where they stay.
        x = x.unflatten(-1, (parts, self.num_heads, -1)).unbind(2)
        return tuple(part.transpose(1, 2) for part in x)

    def forward(self, x: Tensor) -> Tensor:
        """Maps tokens (B, T, D) to tokens (B, T, D)."""
        query, key, value = self._split_heads(x)
        out = _attend(query, key, value)
        return self.proj(out.transpose(1, 2).flatten(2))

    def forward_first(self, x: Tensor) -> Tensor:
        """The first of the tokens that :meth:`forward` gives, (B, 1, D), without the others."""
        dims = x.shape[-1]
        weight, bias = self.qkv.weight, self.qkv.bias
        own = None if bias is None else bias[:dims]
        rest = None if bias is None else bias[dims:]
        query, = self._heads(F.linear(x[:, :1], weight[:dims], own), 1)
        key, value = self._heads(F.linear(x, weight[dims:], rest), 2)
        out = _attend(query, key, value)
        return self.proj(out.transpose(1, 2).flatten(2))

    def attention_weights(self, x: Tensor) -> Tensor:
        """The softmax weights that ``forward`` uses, rows are queries: (B, heads, T, T)."""
        query, key, _ = self._split_heads(x)
        scale = query.shape[-1] ** -0.5
        return (query * scale @ key.transpose(-2, -1)).softmax(dim=-1)


class TransformerBlock(nn.Module):
    """Pre-norm block: ``x + attn(norm(x))``, then ``x + mlp(norm(x))``.

    Args:
        dims: Width of the tokens.
        num_heads: Number of attention heads.
        mlp_ratio: Hidden width of the MLP over ``dims``.
        qkv_bias: Whether queries, keys and values have a bias.
        drop_path: Probability of dropping a residual branch.
        norm_eps: Epsilon of the layer norms.
    """

    def __init__(self,
                 dims: int,
                 num_heads: int,
                 mlp_ratio: float = 2.,
                 qkv_bias: bool = True,
                 drop_path: float = 0.,
                 norm_eps: float = 1e-6) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=norm_eps)
        self.attn = Attention(dims, num_heads, qkv_bias)
        self.norm2 = nn.LayerNorm(dims, eps=norm_eps)
        self.mlp = Mlp(dims, int(dims * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Maps tokens (B, T, D) to tokens (B, T, D)."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def forward_first(self, x: Tensor) -> Tensor:
        """The first of the tokens that :meth:`forward` gives, (B, D).

        For a last block whose other tokens nobody reads: most of its work is theirs.
        """
        first = x[:, :1] + self.drop_path(self.attn.forward_first(self.norm1(x)))
        return (first + self.drop_path(self.mlp(self.norm2(first))))[:, 0]

    def attention_weights(self, x: Tensor) -> Tensor:
        """Attention weights of this block for its input tokens: (B, heads, T, T)."""
        return self.attn.attention_weights(self.norm1(x))


def init_transformer_weights(module: nn.Module) -> None:
    """Sets linear layers to truncated normal (0.02) and zero bias, the ViT custom.

    Meant for ``module.apply``; norms keep PyTorch's ones and zeros, convolutions their own start.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


__all__ = ['Attention', 'DropPath', 'Mlp', 'TransformerBlock', 'init_transformer_weights']
