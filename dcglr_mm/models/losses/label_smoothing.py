"""Cross-entropy of class logits with smoothed labels."""
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from dcglr_mm.registry import MODELS


@MODELS.register_module()
class LabelSmoothingLoss(BaseModule):
    """Cross-entropy with a target of ``1 - smoothing`` on the true class.

    The rest is shared by the *other* classes, ``smoothing / (K - 1)`` each, as in the released code
    of DGCNN, which PCT and POS-BERT took over. (``torch.nn.CrossEntropyLoss(label_smoothing=...)``
    shares it over all K classes, the true one included.)

    Args:
        smoothing (float): Probability taken from the true class. 0.2 is DGCNN's, PCT's and
            POS-BERT's; 0 is plain cross-entropy.

    Raises:
        ValueError: If ``smoothing`` is not in [0, 1).
    """

    def __init__(self, smoothing: float = 0.2) -> None:
        super().__init__()
        if not 0 <= smoothing < 1:
            raise ValueError(f'LabelSmoothingLoss: smoothing must be in [0, 1), got {smoothing}')
        self.smoothing = smoothing

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Return the mean loss of logits ``(B, K)`` and labels ``(B,)``.

        Or of the logits ``(B, K, N)`` and labels ``(B, N)`` of points, as mmdet3d's decode heads
        give them. Labels equal to ``ignore_index`` count neither in the loss nor in its mean;
        where there is no other, the loss is zero.

        Raises:
            ValueError: If so much is taken from the true class that the others get more.
        """
        num_classes = logits.shape[1]
        # Torch's smoothing s' gives the others s' / K each: the same target for this s'.
        over_all = self.smoothing * num_classes / max(num_classes - 1, 1)
        if over_all > 1:
            raise ValueError(f'LabelSmoothingLoss: smoothing={self.smoothing} of {num_classes} '
                             'classes leaves the true class less than the others; it must be at '
                             f'most {(num_classes - 1) / num_classes:.3f}')
        total = F.cross_entropy(logits.float(), labels, label_smoothing=over_all,
                                ignore_index=ignore_index, reduction='sum')
        return total / (labels != ignore_index).sum().clamp(min=1)
