"""Cross-entropy between the teacher's and the student's outputs for masked patches."""
import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from dcglr_mm.registry import MODELS

from .distillation import teacher_distribution


@MODELS.register_module()
class PatchDistillationLoss(BaseModule):
    """Masked patch prediction of iBOT (Zhou et al. 2022, Eq. 2), as in POS-BERT.

    The teacher saw the whole cloud, the student the cloud without the masked patches; for these it
    has to give the teacher's centred and sharpened distribution. The loss is the cross-entropy,
    mean over the masked patches of a cloud, then over clouds.

    Args:
        teacher_temperature (float): Defaults to 0.04, DCGLR's.
        student_temperature (float): Defaults to 0.1, DCGLR's.
        weight (float): Factor of the loss. Defaults to 1, iBOT's.
    """

    def __init__(self,
                 teacher_temperature: float = 0.04,
                 student_temperature: float = 0.1,
                 weight: float = 1.0) -> None:
        super().__init__()
        if teacher_temperature <= 0 or student_temperature <= 0:
            raise ValueError(
                'PatchDistillationLoss needs positive temperatures, got '
                f'teacher_temperature={teacher_temperature}, '
                f'student_temperature={student_temperature}')
        self.teacher_temperature = teacher_temperature
        self.student_temperature = student_temperature
        self.weight = weight

    def forward(self, teacher_logits: Tensor, student_logits: Tensor, mask: Tensor,
                center: Tensor) -> dict[str, Tensor]:
        """Compute the loss, in the centre's precision whatever the autocast type.

        Args:
            teacher_logits (Tensor): Of all patches, ``(B, S, K)``.
            student_logits (Tensor): Of the same patches, ``(B, S, K)``.
            mask (Tensor): Which patches the student did not see, bool ``(B, S)``.
            center (Tensor): Centre of the teacher's patch outputs, ``(K,)``.

        Returns:
            dict[str, Tensor]: The scalar ``loss_patch``; clouds without a masked patch add 0.
        """
        with torch.autocast(teacher_logits.device.type, enabled=False):
            probs = teacher_distribution(teacher_logits, center, self.teacher_temperature)
            log_probs = F.log_softmax(
                student_logits.to(center.dtype) / self.student_temperature, dim=-1)
            cross_entropy = -(probs * log_probs).sum(-1) * mask  # (B, S)
            per_cloud = cross_entropy.sum(-1) / mask.sum(-1).clamp(min=1)
            return {'loss_patch': self.weight * per_cloud.mean()}
