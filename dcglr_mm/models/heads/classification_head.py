"""From the feature of a cloud to class logits."""
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from dcglr_mm.registry import MODELS


@MODELS.register_module()
class ClassificationHead(BaseModule):
    """The MLP classifier that point-cloud networks are fine-tuned with, and its loss.

    Each hidden layer is linear, batch norm, LeakyReLU, dropout; a last linear layer gives the
    logits. The defaults are those of the released DGCNN (2048 -> 512 -> 256 -> K) and PCT
    (1024 -> 512 -> 256 -> K), whose first layer has no bias and whose others do. In the state dict
    hidden layer ``i`` is ``linear{i}`` and ``bn{i}``, counted from 1, and the logits' layer is the
    last ``linear``.

    Args:
        num_classes (int): K, at least 2.
        in_channels (int): Channels of the feature; :class:`PointClassifier` fills them in.
        hidden_channels (sequence): Widths of the hidden layers; empty for a linear classifier.
        dropout (float): After each hidden layer. 0.5 is DGCNN's and PCT's.
        negative_slope (float): Of the LeakyReLU. 0.2 is DGCNN's and PCT's; 0 makes it a ReLU.
        loss (dict, optional): Config of a loss of logits ``(B, K)`` and labels ``(B,)``. Default:
            :class:`LabelSmoothingLoss`.
        init_cfg (dict | list, optional): MMEngine's initialisation config.

    Raises:
        ValueError: If there are fewer than two classes, or ``dropout`` is not in [0, 1).
    """

    def __init__(self,
                 num_classes: int,
                 in_channels: int,
                 hidden_channels: Sequence[int] = (512, 256),
                 dropout: float = 0.5,
                 negative_slope: float = 0.2,
                 loss: dict | None = None,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(init_cfg)
        if num_classes < 2:
            raise ValueError(f'ClassificationHead: num_classes must be at least 2, got '
                             f'{num_classes}')
        if not 0 <= dropout < 1:
            raise ValueError(f'ClassificationHead: dropout must be in [0, 1), got {dropout}')
        self.num_classes = num_classes
        self.num_hidden = len(hidden_channels)
        self.dropout = dropout
        self.negative_slope = negative_slope
        widths = [in_channels, *hidden_channels]
        for i, (width_in, width_out) in enumerate(zip(widths, hidden_channels), 1):
            self.add_module(f'linear{i}', nn.Linear(width_in, width_out, bias=i > 1))
            self.add_module(f'bn{i}', nn.BatchNorm1d(width_out))
        self.add_module(f'linear{len(widths)}', nn.Linear(widths[-1], num_classes))
        self.loss_function = MODELS.build(loss or dict(type='dcglr_mm.LabelSmoothingLoss'))

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(B, in_channels)`` to logits ``(B, num_classes)``."""
        for i in range(1, self.num_hidden + 1):
            features = getattr(self, f'bn{i}')(getattr(self, f'linear{i}')(features))
            features = F.leaky_relu(features, self.negative_slope)
            features = F.dropout(features, self.dropout, self.training)
        return getattr(self, f'linear{self.num_hidden + 1}')(features)

    def loss(self, features: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return ``loss`` and, to watch, the batch's ``accuracy``.

        Raises:
            ValueError: If a label is below 0 or not below ``num_classes``.
        """
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= self.num_classes:
            raise ValueError(f'a sample has label {low if low < 0 else high}, but the head has '
                             f'{self.num_classes} classes (labels 0 to {self.num_classes - 1}); '
                             "set model.head.num_classes to the number of the data's classes")
        logits = self(features)
        accuracy = (logits.detach().argmax(1) == labels).float().mean()
        return dict(loss=self.loss_function(logits, labels), accuracy=accuracy)
