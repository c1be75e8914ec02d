"""The loss of the DGCNN segmentation code, for mmdet3d's decode heads."""
from torch import Tensor, nn

from dcglr_mm.registry import MODELS


@MODELS.register_module()
class SmoothedCrossEntropy(nn.Module):
    """Cross-entropy over points with the label smoothing of DGCNN's and STRL's ``cal_loss``.

    The true class has the target ``1 - smoothing`` and each of the others an equal share of
    ``smoothing``; torch's ``label_smoothing`` gives the true class a share of it too. The mean is
    over labelled points; without any, the loss is zero.

    Args:
        smoothing: Share of the wrong classes, 0.2 in STRL's ``main_semseg.py``.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If ``smoothing`` is outside [0, 1).
    """

    def __init__(self, smoothing: float = 0.2, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ValueError(f'SmoothedCrossEntropy: smoothing must be in [0, 1), got {smoothing}')
        self.smoothing = smoothing
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = 255) -> Tensor:
        """Returns the mean loss of logits ``(B, classes, N)`` and labels ``(B, N)``."""
        log_probabilities = logits.log_softmax(1)
        labelled = labels != ignore_index
        target = labels.where(labelled, 0)[:, None]
        true = log_probabilities.gather(1, target)[:, 0]  # (B, N)
        wrong = log_probabilities.sum(1) - true
        share = self.smoothing / max(logits.shape[1] - 1, 1)
        loss = -(1 - self.smoothing) * true - share * wrong
        return self.loss_weight * (loss * labelled).sum() / labelled.sum().clamp(min=1)
