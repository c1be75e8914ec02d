"""3D-ViT written plainly from section 3.3 of the paper (Eq. 14-16), for comparison.

Module names are those of ``ViT3D``, so that a state dict goes from one to the other.
"""
import torch
from point_reference import PlainLocalAggregation, plain_fps, plain_gather, plain_knn, plain_start
from torch import Tensor, nn


class PlainAttention(nn.Module):

    def __init__(self, dims: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (torch.stack(t.chunk(self.num_heads, dim=-1), dim=1) for t in heads)
        self.weights = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        return self.proj(torch.cat((self.weights @ v).unbind(1), dim=-1))


class PlainBlock(nn.Module):

    def __init__(self, dims: int, num_heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = PlainAttention(dims, num_heads)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = nn.Sequential()
        self.mlp.fc1 = nn.Linear(dims, hidden)
        self.mlp.act = nn.GELU()
        self.mlp.fc2 = nn.Linear(hidden, dims)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PlainPointNetPatch(nn.Module):
    """Point-BERT's patch network: the pooled feature joins every point's, layer by layer."""

    def __init__(self, in_channels: int, dims: int, hidden: tuple[int, int, int],
                 coordinates: str) -> None:
        super().__init__()
        self.coordinates = coordinates
        first, local, second = hidden
        in_channels += 3 * (coordinates == 'both')
        self.first_conv = nn.Sequential(
            nn.Conv1d(in_channels, first, 1), nn.BatchNorm1d(first), nn.ReLU(),
            nn.Conv1d(first, local, 1))
        self.second_conv = nn.Sequential(
            nn.Conv1d(2 * local, second, 1), nn.BatchNorm1d(second), nn.ReLU(),
            nn.Conv1d(second, dims, 1))

    def forward(self, points: Tensor, center: Tensor, patch: Tensor) -> Tensor:
        batch, num_patches, k = patch.shape
        x = plain_gather(points, patch)
        relative = x[..., :3] - plain_gather(points, center)[:, :, None, :3]
        if self.coordinates == 'relative':
            x = torch.cat([relative, x[..., 3:]], -1)
        elif self.coordinates == 'both':
            x = torch.cat([relative, x], -1)
        x = self.first_conv(x.flatten(0, 1).transpose(1, 2))  # (B S, C, k)
        pooled = x.max(dim=2, keepdim=True)[0].expand(-1, -1, k)
        x = self.second_conv(torch.cat([pooled, x], dim=1))
        return x.max(dim=2)[0].view(batch, num_patches, -1)


class PlainEdgePatch(nn.Module):
    """POS-BERT's patch network: a pointwise stem, then two layers on the edges of a patch."""

    def __init__(self, in_channels: int, dims: int, stem: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(in_channels, stem, 1, bias=False)
        self.conv2 = nn.Conv1d(stem, stem, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(stem)
        self.bn2 = nn.BatchNorm1d(stem)
        self.gather_local_0 = PlainLocalAggregation(2 * stem, dims)

    def forward(self, points: Tensor, center: Tensor, patch: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(points.transpose(1, 2))))
        x = torch.relu(self.bn2(self.conv2(x))).transpose(1, 2)
        return self.gather_local_0(x, center, patch)


class PlainViT3D(nn.Module):
    """Patches, tokens behind a class token, L blocks, a linear layer on the class token."""

    def __init__(self, in_channels: int = 3, dims: int = 192, depth: int = 4, num_heads: int = 4,
                 mlp_ratio: float = 2., patch_size: int = 32, patch_network: str = 'pointnet',
                 patch_channels: tuple[int, ...] = (128, 256, 512),
                 coordinates: str = 'absolute', fps_start: str = 'farthest') -> None:
        super().__init__()
        self.patch_size = patch_size
        self.fps_start = fps_start
        if patch_network == 'pointnet':
            self.patch_embed = PlainPointNetPatch(in_channels, dims, patch_channels, coordinates)
        else:
            self.patch_embed = PlainEdgePatch(in_channels, dims, *patch_channels)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dims))
        self.blocks = nn.ModuleList(
            PlainBlock(dims, num_heads, int(mlp_ratio * dims)) for _ in range(depth))
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        self.head = nn.Linear(dims, dims)

    def forward(self, points: Tensor) -> Tensor:
        xyz = points[..., :3]
        num_patches = max(1, int(points.shape[1] / self.patch_size))
        center = plain_fps(xyz, num_patches, plain_start(xyz, self.fps_start))
        patch = plain_knn(plain_gather(xyz, center), xyz, self.patch_size)
        z = self.patch_embed(points, center, patch)  # Eq. 14
        z = torch.cat([self.cls_token.expand(len(z), -1, -1), z], dim=1)  # Eq. 15
        for block in self.blocks:
            z = block(z)
        return self.head(self.norm(z)[:, 0])  # Eq. 16
