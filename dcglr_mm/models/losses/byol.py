"""The regression loss of BYOL."""
import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from dcglr_mm.registry import MODELS

from ..ops.checks import full_precision


@MODELS.register_module()
class BYOLLoss(BaseModule):
    """Squared distance of unit vectors, in both directions (BYOL, Grill et al. 2020, Eq. 2).

    With the predictions ``q`` and the target projections ``z`` of two views of a shape, the loss is
    ``(2 - 2 cos(q_1, z_2)) + (2 - 2 cos(q_2, z_1))``, the mean over the batch; it lies between 0
    and 8. Vectors of length 0 have cosine 0. The targets get no gradient.

    Args:
        weight (float): Factor of the loss. Defaults to 1.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, predictions: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Compute the loss, in float32 at least whatever the autocast type.

        Args:
            predictions (Tensor): Of the two views, ``(2, B, D)``.
            targets (Tensor): Projections of the same views by the target network, ``(2, B, D)``.

        Returns:
            dict[str, Tensor]: The scalar ``loss_byol``.

        Raises:
            ValueError: If there are not exactly two views.
        """
        if len(predictions) != 2 or len(targets) != 2:
            raise ValueError('BYOL compares 2 views of a shape, got predictions of '
                             f'{len(predictions)} and targets of {len(targets)}')
        with torch.autocast(predictions.device.type, enabled=False):
            predictions = F.normalize(full_precision(predictions), dim=-1)
            targets = F.normalize(full_precision(targets.detach()), dim=-1)
            cosine = (predictions * targets.flip(0)).sum(-1)  # (2, B), each with the other view
            return {'loss_byol': self.weight * (2 - 2 * cosine).sum(0).mean()}
