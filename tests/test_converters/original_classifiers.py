"""Heads of other authors' classifiers, and their PointNet, written plainly."""
import torch.nn.functional as F
from torch import Tensor, nn


def add_classifier(network: nn.Module, features: int, classes: int,
                   widths: tuple[int, ...] = (512, 256)) -> None:
    """Give a network the layers ``linear1``, ``bn6``, ``linear2``, ... of a classifier."""
    for i, (inputs, outputs) in enumerate(zip((features, *widths), (*widths, classes)), 1):
        setattr(network, f'linear{i}', nn.Linear(inputs, outputs, bias=i > 1))
        if i <= len(widths):
            setattr(network, f'bn{i + 5}', nn.BatchNorm1d(outputs))


class Classifier(nn.Module):
    """A network with two hidden layers behind its feature; dropout does nothing in evaluation."""

    def logits(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.bn6(self.linear1(self(x))), 0.2)
        x = F.leaky_relu(self.bn7(self.linear2(x)), 0.2)
        return self.linear3(x)


class PointNet(nn.Module):
    """PointNet of STRL; with ``classes``, of DGCNN's repositories."""

    def __init__(self, emb_dims: int = 1024, classes: int | None = None) -> None:
        super().__init__()
        widths = (64, 64, 64, 128, emb_dims)
        for i, (inputs, outputs) in enumerate(zip((3, *widths), widths), 1):
            setattr(self, f'conv{i}', nn.Conv1d(inputs, outputs, 1, bias=False))
            setattr(self, f'bn{i}', nn.BatchNorm1d(outputs))
        if classes is not None:
            add_classifier(self, emb_dims, classes, (512, ))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))
        x = F.relu(self.bn4(self.conv4(x)))
        x = F.relu(self.bn5(self.conv5(x)))
        return x.max(-1).values

    def logits(self, x: Tensor) -> Tensor:
        return self.linear2(F.relu(self.bn6(self.linear1(self(x)))))
