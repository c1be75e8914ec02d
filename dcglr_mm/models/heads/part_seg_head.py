"""From the features of points and the category of a shape to part logits."""
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from dcglr_mm.registry import MODELS

from ..layers.point_linear import PointLinear


@MODELS.register_module()
class PartSegHead(BaseModule):
    """DGCNN's part segmentation head, and its loss.

    The one-hot category, through a linear layer, stands beside the features of each point; shared
    layers and a last linear one without bias give the logits of all parts of all categories.
    Parts are numbered through the categories. The loss is over all of them; a prediction is a part
    of the shape's own category (as in PointNet's and PointNet++'s evaluation; the released DGCNN
    takes the maximum over all).

    Args:
        part_counts (sequence): Parts of each category, in the order of their labels.
        in_channels (int): Channels of a point's feature; :class:`PartSegmentor` fills them in.
        category_channels (int): Channels of the category (DGCNN: 64).
        hidden_channels (sequence): Widths of the shared layers (DGCNN: 256, 256, 128).
        dropout (float): After each shared layer but the last (DGCNN: 0.5).
        loss (dict, optional): Config of a loss of logits ``(M, K)`` and labels ``(M,)``. Default:
            :class:`LabelSmoothingLoss`, DGCNN's.
        init_cfg (dict | list, optional): MMEngine's initialisation config.

    Raises:
        ValueError: If ``part_counts`` is empty or has a number below 1, or ``dropout`` is not in
            [0, 1).
    """

    def __init__(self,
                 part_counts: Sequence[int],
                 in_channels: int,
                 category_channels: int = 64,
                 hidden_channels: Sequence[int] = (256, 256, 128),
                 dropout: float = 0.5,
                 loss: dict | None = None,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(init_cfg)
        if not part_counts or min(part_counts) < 1:
            raise ValueError('PartSegHead: part_counts must have the number of parts, 1 or more, '
                             f'of each category, got {part_counts}')
        if not 0 <= dropout < 1:
            raise ValueError(f'PartSegHead: dropout must be in [0, 1), got {dropout}')
        self.part_counts = tuple(part_counts)
        self.dropout = dropout
        self.category_layer = PointLinear(len(part_counts), category_channels)
        widths = [in_channels + category_channels, *hidden_channels]
        self.layers = nn.ModuleList(PointLinear(*pair) for pair in zip(widths, widths[1:]))
        self.classifier = nn.Linear(widths[-1], sum(part_counts), bias=False)
        self.loss_function = MODELS.build(loss or dict(type='dcglr_mm.LabelSmoothingLoss'))
        owner = torch.repeat_interleave(torch.arange(len(part_counts)), torch.tensor(part_counts))
        mask = owner == torch.arange(len(part_counts))[:, None]  # (categories, K)
        self.register_buffer('part_mask', mask, persistent=False)

    def forward(self, features: Tensor, category: Tensor) -> Tensor:
        """Map features ``(B, N, in_channels)`` and categories ``(B,)`` to logits ``(B, N, K)``.

        Raises:
            ValueError: If there is no such category.
        """
        self._check(category, len(self.part_counts), 'a shape is of category', 'categories')
        one_hot = F.one_hot(category, len(self.part_counts)).to(features.dtype)
        about = self.category_layer(one_hot[:, None])  # (B, 1, category_channels)
        about = about.expand(-1, features.shape[1], -1)
        features = torch.cat((features, about.to(features.dtype)), dim=-1)
        for number, layer in enumerate(self.layers, 1):
            features = layer(features)
            if number < len(self.layers):
                features = F.dropout(features, self.dropout, self.training)
        return self.classifier(features)

    def loss(self, features: Tensor, category: Tensor, parts: Tensor) -> dict[str, Tensor]:
        """Return ``loss`` and, to watch, the batch's ``accuracy`` within the categories.

        Args:
            features (Tensor): ``(B, N, in_channels)``.
            category (Tensor): ``(B,)``.
            parts (Tensor): The true parts, ``(B, N)``.

        Raises:
            ValueError: If a part is not of its shape's category.
        """
        logits = self(features, category)
        self._check(parts, logits.shape[-1], 'a point is of part', 'parts')
        own = self.part_mask[category].gather(1, parts)  # (B, N)
        if not own.all():
            shape, point = (~own).nonzero()[0].tolist()
            label = int(category[shape])
            low = sum(self.part_counts[:label])
            raise ValueError(
                f'a point of a shape of category {label} is of part {int(parts[shape, point])}, '
                f'but by model.head.part_counts the parts of that category are {low} to '
                f'{low + self.part_counts[label] - 1}')
        found = self._restrict(logits.detach(), category).argmax(-1)
        return dict(loss=self.loss_function(logits.flatten(0, 1), parts.flatten()),
                    accuracy=(found == parts).float().mean())

    def predict(self, features: Tensor, category: Tensor) -> Tensor:
        """Return the likeliest part of the shape's category at each point, ``(B, N)``.

        Raises:
            ValueError: If logits are NaN.
        """
        logits = self(features, category)
        if logits.isnan().any():
            raise ValueError('part logits are NaN; the network has diverged')
        return self._restrict(logits, category).argmax(-1)

    def _restrict(self, logits: Tensor, category: Tensor) -> Tensor:
        return logits.masked_fill(~self.part_mask[category][:, None], -torch.inf)

    @staticmethod
    def _check(labels: Tensor, count: int, what: str, many: str) -> None:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= count:
            raise ValueError(f'{what} {low if low < 0 else high}, but by model.head.part_counts '
                             f'there are {count} {many} (0 to {count - 1})')
