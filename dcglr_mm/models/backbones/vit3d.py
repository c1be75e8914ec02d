"""3D-ViT: a vision transformer over patches of a point cloud (paper, section 3.3)."""
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dcglr_mm.registry import MODELS

from ..layers.feature_propagation import propagate_features
from ..layers.patch_embed import EdgePatchEmbed, PointNetPatchEmbed
from ..layers.sample_and_group import check_fps_start, sample_centroids
from ..layers.transformer import TransformerBlock, init_transformer_weights
from ..ops import gather_points, knn
from .base import PointBackbone

_ROUNDING = {'floor': math.floor, 'nearest': round, 'ceil': math.ceil}


class Patches(NamedTuple):
    """Patches of a batch of clouds, as indices into the points."""
    center_index: Tensor  # (B, S)
    patch_index: Tensor  # (B, S, k), nearest first


class AttentionMaps(NamedTuple):
    """Attention weights and the patches that their tokens 1..S stand for; token 0 is the class."""
    weights: Tensor  # (B, L, heads, S + 1, S + 1), rows are queries
    center_index: Tensor  # (B, S)
    patch_index: Tensor  # (B, S, k)


@MODELS.register_module()
class ViT3D(PointBackbone):
    """3D Vision Transformer (paper, Eq. 14-16).

    ``S = max(1, int(N / patch_stride))`` centroids by farthest-point sampling, each with its
    ``patch_size`` nearest points (itself among them; clipped to N), a patch network with a max
    pool per patch (Eq. 14), the class token first and no positional embedding (Eq. 15), pre-norm
    blocks, a norm, and a linear layer on the class token (Eq. 16).

    The defaults are POS-BERT's base model (D 192, L 4, 4 heads, MLP ratio 2); its large one is
    D 512, L 8, 8 heads. Weights are ready after construction: truncated normal (0.02) in linear
    layers and the class token, PyTorch's own start in the patch network.

    A point's own feature is the cloud's (that of the class token), the normalised tokens after a
    third, two thirds and all of the blocks, interpolated from the patches' centroids, and the
    point itself. That is what Point-MAE's part segmentation head reads, with the class token's
    feature in place of pooled tokens, because it is what DCGLR trains; it needs no parameters.

    Args:
        in_channels: Channels of a point, xyz first.
        embed_dims: Width D of the tokens.
        depth: Number L of blocks.
        num_heads: Attention heads of a block.
        mlp_ratio: Hidden width of a block's MLP over ``embed_dims``.
        patch_size: Points k of a patch.
        patch_stride: Points of the cloud for each patch; None means ``patch_size``, the paper's
            ``S = int(N / k)``.
        patch_rounding: How ``N / patch_stride`` becomes S: ``'floor'`` (default; the usual
            meaning of the paper's ``int``), ``'nearest'`` (its words, "rounding the scalar
            value"; ties to even) or ``'ceil'`` (POS-BERT). All agree where k divides N, as at the
            paper's 1024 and 2048 points.
        patch_network: ``'pointnet'`` (default) or ``'edge'`` (POS-BERT's).
        patch_coordinates: What the ``'pointnet'`` network sees: ``'absolute'`` (default, Eq. 14),
            ``'relative'`` or ``'both'``.
        patch_channels: Inner widths of the patch network: three for ``'pointnet'`` (default 128,
            256, 512, Point-BERT's), one for ``'edge'`` (default 64). None means the default.
        fps_start: Where farthest-point sampling begins: ``'farthest'`` (from the cloud's mean;
            order of points then does not matter) or ``'first'``.
        qkv_bias: Whether queries, keys and values have a bias.
        drop_path: Stochastic depth of the last block; earlier ones rise linearly from 0.
        norm_eps: Epsilon of the layer norms.
        out_channels: Width of the output; None means ``embed_dims``.
        output_linear: Whether Eq. 16's linear layer is there; POS-BERT has none.
        init_cfg: MMEngine's initialisation config, e.g. ``dict(type='Pretrained', ...)``.

    Raises:
        ValueError: If an argument is out of its range, naming it.
    """

    def __init__(self,
                 in_channels: int = 3,
                 embed_dims: int = 192,
                 depth: int = 4,
                 num_heads: int = 4,
                 mlp_ratio: float = 2.,
                 patch_size: int = 32,
                 patch_stride: int | None = None,
                 patch_rounding: str = 'floor',
                 patch_network: str = 'pointnet',
                 patch_coordinates: str = 'absolute',
                 patch_channels: Sequence[int] | None = None,
                 fps_start: str = 'farthest',
                 qkv_bias: bool = True,
                 drop_path: float = 0.,
                 norm_eps: float = 1e-6,
                 out_channels: int | None = None,
                 output_linear: bool = True,
                 init_cfg: dict | None = None) -> None:
        super().__init__(in_channels, out_channels or embed_dims, init_cfg)
        if patch_rounding not in _ROUNDING:
            raise ValueError(
                f'patch_rounding must be one of {tuple(_ROUNDING)}, got {patch_rounding!r}')
        for name, value in (('patch_size', patch_size), ('depth', depth),
                            ('patch_stride', 1 if patch_stride is None else patch_stride)):
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
        if not output_linear and out_channels not in (None, embed_dims):
            raise ValueError(f'out_channels={out_channels} needs output_linear=True')
        check_fps_start(fps_start)
        self.patch_size = patch_size
        self.patch_stride = patch_stride or patch_size
        self.patch_rounding = patch_rounding
        self.fps_start = fps_start

        self.patch_embed = _build_patch_network(
            patch_network, in_channels, embed_dims, patch_channels, patch_coordinates)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dims))
        rates = torch.linspace(0, drop_path, depth).tolist()
        self.blocks = nn.ModuleList(
            TransformerBlock(embed_dims, num_heads, mlp_ratio, qkv_bias, rate, norm_eps)
            for rate in rates)
        self.norm = nn.LayerNorm(embed_dims, eps=norm_eps)
        self.head = nn.Linear(embed_dims, self.out_channels) if output_linear else nn.Identity()

        self.point_blocks = sorted({math.ceil(depth * third / 3) for third in (1, 2, 3)})
        self.point_channels = (
            self.out_channels + len(self.point_blocks) * embed_dims + in_channels)

        nn.init.trunc_normal_(self.cls_token, std=0.02)
        self.apply(init_transformer_weights)

    def group(self, xyz: Tensor) -> Patches:
        """Cuts clouds (B, N, 3) into patches."""
        exact = xyz.shape[1] / self.patch_stride
        num_patches = max(1, _ROUNDING[self.patch_rounding](exact))
        center_index = sample_centroids(xyz, num_patches, self.fps_start)
        patch_index = knn(gather_points(xyz, center_index), xyz, self.patch_size)
        return Patches(center_index, patch_index)

    def embed(self, points: Tensor, patches: Patches | None = None) -> tuple[Tensor, Patches]:
        """Input sequence of Eq. 15, class token first (B, S + 1, D), and its patches.

        Args:
            points: Clouds (B, N, C).
            patches: Where the clouds are cut into patches already.
        """
        self.check_points(points)
        if patches is None:
            patches = self.group(points[..., :3])
        tokens = self.patch_embed(points, *patches)
        cls_token = self.cls_token.expand(points.shape[0], -1, -1).to(tokens.dtype)
        return torch.cat([cls_token, tokens], dim=1), patches

    def forward_tokens(self, points: Tensor) -> tuple[Tensor, Patches]:
        """Normalised tokens after the last block, class token first, and their patches.

        Args:
            points: Clouds (B, N, C).

        Returns:
            Tokens (B, S + 1, D), and the patches of tokens 1 to S.
        """
        tokens, patches = self.embed(points)
        return self.encode(tokens), patches

    def encode(self, tokens: Tensor) -> Tensor:
        """Maps an input sequence to the normalised tokens after the last block, (B, S + 1, D)."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def forward(self, points: Tensor) -> Tensor:
        """Maps clouds (B, N, C) to global features (B, out_channels)."""
        tokens, _ = self.embed(points)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return self.head(self.norm(self.blocks[-1].forward_first(tokens)))

    def forward_points(self, points: Tensor) -> Tensor:
        """Features of points ``(B, N, point_channels)``: the cloud's, patches', the point."""
        tokens, patches = self.embed(points)
        levels = []
        for number, block in enumerate(self.blocks, start=1):
            tokens = block(tokens)
            if number in self.point_blocks:
                levels.append(self.norm(tokens))
        cloud = self.head(levels[-1][:, :1]).expand(-1, points.shape[1], -1)
        xyz = points[..., :3]
        patch_features = torch.cat([level[:, 1:] for level in levels], dim=-1)  # (B, S, 3 D)
        propagated = propagate_features([
            (xyz, points), (gather_points(xyz, patches.center_index), patch_features)])
        return torch.cat([cloud, propagated], dim=-1)

    @torch.no_grad()
    def attention_maps(self, points: Tensor, layers: str = 'last') -> AttentionMaps:
        """Attention weights for figures such as the paper's Fig. 6, computed in eval mode.

        Row 0 of a head, without column 0, is the class token's attention to the patches.

        Args:
            points: Clouds (B, N, C).
            layers: ``'last'`` (L is 1 then) or ``'all'``.

        Returns:
            Weights (B, L, heads, S + 1, S + 1) and the patches' indices.

        Raises:
            ValueError: If ``layers`` is neither.
        """
        if layers not in ('last', 'all'):
            raise ValueError(f"layers must be 'last' or 'all', got {layers!r}")
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            tokens, patches = self.embed(points)
            weights = []
            for i, block in enumerate(self.blocks, start=1):
                if layers == 'all' or i == len(self.blocks):
                    weights.append(block.attention_weights(tokens))
                tokens = block(tokens)
        finally:
            for module, training in modes.items():
                module.training = training
        return AttentionMaps(torch.stack(weights, dim=1), *patches)


def _build_patch_network(name: str, in_channels: int, embed_dims: int,
                         channels: Sequence[int] | None, coordinates: str) -> nn.Module:
    if name == 'pointnet':
        widths = (128, 256, 512) if channels is None else channels
        return PointNetPatchEmbed(in_channels, embed_dims, widths, coordinates)
    if name == 'edge':
        widths = (64, ) if channels is None else channels
        if len(widths) != 1:
            raise ValueError(f"patch_channels of the 'edge' network is one width, got {channels}")
        return EdgePatchEmbed(in_channels, embed_dims, *widths)
    raise ValueError(f"patch_network must be 'pointnet' or 'edge', got {name!r}")
