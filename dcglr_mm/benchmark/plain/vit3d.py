"""3D-ViT: patches as tensors, the pooled feature repeated for every point, softmax attention."""
import torch
from torch import Tensor, nn

from .ops import farthest_from_mean, farthest_point_sample, index_points, knn


class PatchEmbed(nn.Module):
    """The small PointNet of the Point-BERT family."""

    def __init__(self, in_channels: int, embed_dims: int) -> None:
        super().__init__()
        self.first_conv = nn.Sequential(nn.Conv1d(in_channels, 128, 1), nn.BatchNorm1d(128),
                                        nn.ReLU(inplace=True), nn.Conv1d(128, 256, 1))
        self.second_conv = nn.Sequential(nn.Conv1d(512, 512, 1), nn.BatchNorm1d(512),
                                         nn.ReLU(inplace=True), nn.Conv1d(512, embed_dims, 1))

    def forward(self, patches: Tensor) -> Tensor:
        """Maps patches ``(B, S, k, C)`` to tokens ``(B, S, D)``."""
        batch, num_patches, k, _ = patches.shape
        x = self.first_conv(patches.flatten(0, 1).transpose(2, 1))
        pooled = x.max(dim=2, keepdim=True)[0]
        x = self.second_conv(torch.cat([pooled.expand(-1, -1, k), x], dim=1))
        return x.max(dim=2)[0].view(batch, num_patches, -1)


class Attention(nn.Module):
    """Multi-head attention with its matrix of weights written out."""

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dims // num_heads) ** -0.5
        self.qkv = nn.Linear(dims, dims * 3)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, dims = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.num_heads, dims // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * self.scale).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, length, dims))


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, dims: int, num_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = Attention(dims, num_heads)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = nn.Sequential()
        self.mlp.add_module('fc1', nn.Linear(dims, hidden))
        self.mlp.add_module('act', nn.GELU())
        self.mlp.add_module('fc2', nn.Linear(hidden, dims))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class ViT3D(nn.Module):
    """Eq. 14-16 of the paper on clouds ``(B, N, C)``."""

    def __init__(self, in_channels: int = 3, embed_dims: int = 192, depth: int = 4,
                 num_heads: int = 4, mlp_ratio: float = 2., patch_size: int = 32) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.patch_embed = PatchEmbed(in_channels, embed_dims)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, int(embed_dims * mlp_ratio)) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dims, eps=1e-6)
        self.head = nn.Linear(embed_dims, embed_dims)

    def forward(self, points: Tensor) -> Tensor:
        xyz = points[..., :3].contiguous()
        num_patches = max(1, xyz.shape[1] // self.patch_size)
        center = farthest_point_sample(xyz, num_patches, farthest_from_mean(xyz))
        patch = knn(index_points(xyz, center), xyz, self.patch_size)
        tokens = self.patch_embed(index_points(points, patch))
        tokens = torch.cat([self.cls_token.expand(len(points), -1, -1), tokens], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens)[:, 0])
