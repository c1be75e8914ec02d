"""The networks of other authors, written plainly from their descriptions, with their key names.

Clouds are channel-first here, as in that code. Every graph is searched in the whole table of
distances, every edge is made, and every layer is applied to every edge.
"""
import copy

import torch
import torch.nn.functional as F
from original_classifiers import Classifier, add_classifier
from original_ops import rows, sample_and_group, squared_distances
from torch import Tensor, nn


def graph_features(x: Tensor, k: int, graph: Tensor | None = None) -> Tensor:
    """Edges (B, 2 C, N, k) of features (B, C, N); neighbours are sought in ``graph``."""
    x, graph = x.transpose(1, 2), (x if graph is None else graph).transpose(1, 2)
    index = (-squared_distances(graph, graph)).topk(k, dim=-1).indices
    neighbour = rows(x, index)
    center = x[:, :, None].expand_as(neighbour)
    return torch.cat([neighbour - center, center], -1).permute(0, 3, 1, 2)


def conv_layer(norm: nn.Module, inputs: int, outputs: int) -> nn.Sequential:
    conv = nn.Conv2d if isinstance(norm, nn.BatchNorm2d) else nn.Conv1d
    return nn.Sequential(conv(inputs, outputs, 1, bias=False), norm, nn.LeakyReLU(0.2))


class DGCNN(Classifier):
    """Shape network; ``classes`` adds the classifier's head.

    The released networks have ``width=64`` and ``emb_dims=1024``.
    """

    def __init__(self, k: int, width: int = 64, emb_dims: int = 1024,
                 classes: int | None = None) -> None:
        super().__init__()
        self.k = k
        widths = (width, width, 2 * width, 4 * width)
        for i, outputs in enumerate(widths, 1):
            setattr(self, f'bn{i}', nn.BatchNorm2d(outputs))
        self.bn5 = nn.BatchNorm1d(emb_dims)
        for i, (inputs, outputs) in enumerate(zip((3, *widths), widths), 1):
            setattr(self, f'conv{i}', conv_layer(getattr(self, f'bn{i}'), 2 * inputs, outputs))
        self.conv5 = conv_layer(self.bn5, sum(widths), emb_dims)
        if classes is not None:
            add_classifier(self, 2 * emb_dims, classes)

    def forward(self, x: Tensor) -> Tensor:
        stages = []
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = conv(graph_features(x, self.k)).max(-1).values
            stages.append(x)
        x = self.conv5(torch.cat(stages, 1))
        return torch.cat([x.max(-1).values, x.mean(-1)], 1)


class DGCNNSeg(nn.Module):
    """Network of the points of a scene."""

    def __init__(self, k: int, in_channels: int = 9, classes: int | None = 13) -> None:
        super().__init__()
        self.k = k
        for i in range(1, 6):
            setattr(self, f'bn{i}', nn.BatchNorm2d(64))
        for i, width in enumerate((1024, 512, 256), 6):
            setattr(self, f'bn{i}', nn.BatchNorm1d(width))
        for i, inputs in enumerate((2 * in_channels, 64, 128, 64, 128), 1):
            setattr(self, f'conv{i}', conv_layer(getattr(self, f'bn{i}'), inputs, 64))
        self.conv6 = conv_layer(self.bn6, 192, 1024)
        self.conv7 = conv_layer(self.bn7, 1216, 512)
        self.conv8 = conv_layer(self.bn8, 512, 256)
        if classes is not None:
            self.conv9 = nn.Conv1d(256, classes, 1, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the cloud (B, 1024) and of the points (B, 1216, N)."""
        graph = x[:, 6:] if x.shape[1] == 9 else x
        first = self.conv2(self.conv1(graph_features(x, self.k, graph))).max(-1).values
        second = self.conv4(self.conv3(graph_features(first, self.k))).max(-1).values
        third = self.conv5(graph_features(second, self.k)).max(-1).values
        stages = torch.cat([first, second, third], 1)
        pooled = self.conv6(stages).max(-1, keepdim=True).values
        return pooled[..., 0], torch.cat([pooled.expand(-1, -1, x.shape[2]), stages], 1)

    def logits(self, x: Tensor) -> Tensor:
        """Of the points, (B, classes, N)."""
        return self.conv9(self.conv8(self.conv7(self(x)[1])))


def with_byol_heads(network: nn.Module, features: int, predictor: bool) -> nn.Module:
    """STRL's projector, and the predictor of the online network, small."""
    network.projector = nn.Sequential(
        nn.Linear(features, 24, bias=False), nn.BatchNorm1d(24), nn.ReLU(True),
        nn.Linear(24, 8, bias=False))
    if predictor:
        network.predictor = copy.deepcopy(network.projector)
        network.predictor[0] = nn.Linear(8, 24, bias=False)
    return network


class LocalOp(nn.Module):

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.conv2 = nn.Conv1d(outputs, outputs, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(outputs)
        self.bn2 = nn.BatchNorm1d(outputs)

    def forward(self, edges: Tensor) -> Tensor:
        """Edges (B, S, k, C) to features (B, D, S)."""
        x = edges.flatten(0, 1).transpose(1, 2)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return x.max(-1).values.unflatten(0, edges.shape[:2]).transpose(1, 2)


class SALayer(nn.Module):

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.q_conv = nn.Conv1d(channels, channels // 4, 1, bias=False)
        self.k_conv = nn.Conv1d(channels, channels // 4, 1, bias=False)
        self.q_conv.weight = self.k_conv.weight
        self.v_conv = nn.Conv1d(channels, channels, 1)
        self.trans_conv = nn.Conv1d(channels, channels, 1)
        self.after_norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.q_conv(x).transpose(1, 2) @ self.k_conv(x), -1)
        weights = weights / (weights.sum(1, keepdim=True) + 1e-9)
        offset = x - self.v_conv(x) @ weights
        return x + F.relu(self.after_norm(self.trans_conv(offset)))


class PCT(Classifier):
    """Shape network of PCT_Pytorch.

    The released network has ``width=64`` and so 1024 features; ``width=8`` is the same in small.
    """

    def __init__(self, width: int = 64, classes: int = 40) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(3, width, 1, bias=False)
        self.conv2 = nn.Conv1d(width, width, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.bn2 = nn.BatchNorm1d(width)
        self.gather_local_0 = LocalOp(2 * width, 2 * width)
        self.gather_local_1 = LocalOp(4 * width, 4 * width)
        self.pt_last = nn.Module()
        for i in (1, 2):
            setattr(self.pt_last, f'conv{i}', nn.Conv1d(4 * width, 4 * width, 1, bias=False))
            setattr(self.pt_last, f'bn{i}', nn.BatchNorm1d(4 * width))
        for i in range(1, 5):
            setattr(self.pt_last, f'sa{i}', SALayer(4 * width))
        self.conv_fuse = nn.Sequential(
            nn.Conv1d(20 * width, 16 * width, 1, bias=False), nn.BatchNorm1d(16 * width),
            nn.LeakyReLU(0.2))
        add_classifier(self, 16 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        xyz = x.transpose(1, 2)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x))).transpose(1, 2)
        xyz, edges = sample_and_group(xyz, x, 512, 32, skip_origin=True)
        x = self.gather_local_0(edges).transpose(1, 2)
        _, edges = sample_and_group(xyz, x, 256, 32, skip_origin=True)
        skip, last = self.gather_local_1(edges), self.pt_last
        x = F.relu(last.bn1(last.conv1(skip)))
        x = F.relu(last.bn2(last.conv2(x)))
        outputs = []
        for layer in (last.sa1, last.sa2, last.sa3, last.sa4):
            x = layer(x)
            outputs.append(x)
        return self.conv_fuse(torch.cat([*outputs, skip], 1)).max(-1).values


class Block(nn.Module):

    def __init__(self, dims: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = nn.Module()
        self.attn.qkv = nn.Linear(dims, 3 * dims)
        self.attn.proj = nn.Linear(dims, dims)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = nn.Module()
        self.mlp.fc1 = nn.Linear(dims, hidden)
        self.mlp.fc2 = nn.Linear(hidden, dims)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            torch.stack(part.split(x.shape[-1] // self.heads, dim=-1), 1)
            for part in self.attn.qkv(self.norm1(x)).chunk(3, -1))
        weights = (query @ key.transpose(2, 3) / query.shape[-1] ** 0.5).softmax(-1)
        x = x + self.attn.proj(torch.cat((weights @ value).unbind(1), -1))
        hidden = self.mlp.fc1(self.norm2(x))
        hidden = 0.5 * hidden * (1 + torch.erf(hidden / 2 ** 0.5))
        return x + self.mlp.fc2(hidden)


class POSBERT(nn.Module):
    """Transformer of POS-BERT; the feature is the normalised class token (B, D).

    ``masked`` adds what the student has for masked pre-training.
    """

    def __init__(self, dims: int, depth: int, heads: int, patch_size: int = 32,
                 masked: bool = False) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.conv1 = nn.Conv1d(3, 64, 1, bias=False)
        self.conv2 = nn.Conv1d(64, 64, 1, bias=False)
        self.bn1 = nn.BatchNorm1d(64)
        self.bn2 = nn.BatchNorm1d(64)
        self.gather_local_0 = LocalOp(128, dims)
        self.cls_token = nn.Parameter(torch.zeros(1, dims, 1))
        self.blocks = nn.ModuleList(Block(dims, heads, 2 * dims) for _ in range(depth))
        self.norm = nn.LayerNorm(dims, eps=1e-6)
        if masked:
            self.mask_token = nn.Parameter(torch.zeros(1, dims, 1))
            self.pos_embedding = nn.Sequential(nn.Linear(3, 128), nn.GELU(), nn.Linear(128, dims))

    def forward(self, x: Tensor) -> Tensor:
        xyz = x.transpose(1, 2)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x))).transpose(1, 2)
        num_patches = -(-xyz.shape[1] // self.patch_size)
        _, edges = sample_and_group(xyz, x, num_patches, self.patch_size, skip_origin=False)
        tokens = self.gather_local_0(edges)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 2).transpose(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 0]


def with_dino_head(backbone: nn.Module, dims: int) -> nn.Module:
    """POS-BERT's wrapper of a network and its projector, small, the last layer weight-normed."""
    wrapper = nn.Module()
    wrapper.backbone = backbone
    wrapper.head = nn.Module()
    wrapper.head.mlp = nn.Sequential(
        nn.Linear(dims, 16), nn.GELU(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 8))
    wrapper.head.last_layer = nn.Module()
    wrapper.head.last_layer.weight_g = nn.Parameter(torch.ones(12, 1))
    wrapper.head.last_layer.weight_v = nn.Parameter(torch.ones(12, 8))
    return wrapper
