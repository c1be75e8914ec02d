"""Cross-entropy between the teacher's and the student's output distributions."""
import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from dcglr_mm.registry import MODELS


def teacher_distribution(teacher_logits: Tensor, center: Tensor, temperature: float) -> Tensor:
    """Centre (Eq. 8) and sharpen the teacher's outputs.

    Args:
        teacher_logits (Tensor): Outputs ``o_tg`` of the teacher, ``(..., K)``.
        center (Tensor): The centre ``c``, ``(K,)``.
        temperature (float): Sharpening temperature, tau of the paper.

    Returns:
        Tensor: Probabilities of shape ``(..., K)`` in the centre's precision, without gradient.
    """
    centered = teacher_logits.detach().to(center.dtype) - center
    return F.softmax(centered / temperature, dim=-1)


def global_cross_entropy(teacher_probs: Tensor, student_log_probs: Tensor) -> Tensor:
    """Eq. 10: mean cross-entropy over the I (I - 1) pairs of different global views.

    Args:
        teacher_probs (Tensor): ``(I, B, K)``.
        student_log_probs (Tensor): ``(I, B, K)``, in the same order of views.

    Returns:
        Tensor: Scalar, the mean over pairs and batch.

    Raises:
        ValueError: If there are fewer than two global views.
    """
    num_views = teacher_probs.shape[0]
    if num_views < 2:
        raise ValueError(
            f'Eq. 10 pairs different global views and needs at least 2 of them, got {num_views}; '
            'set num_global in MultiCrop')
    # The cross-entropy is bilinear: all pairs at once, less the pairs of a view with itself.
    all_pairs = (teacher_probs.sum(0) * student_log_probs.sum(0)).sum(-1)  # (B,)
    same_view = (teacher_probs * student_log_probs).sum(-1).sum(0)  # (B,)
    return (same_view - all_pairs).mean() / (num_views * (num_views - 1))


def local_cross_entropy(teacher_probs: Tensor, student_log_probs: Tensor) -> Tensor:
    """Eq. 11: mean cross-entropy over all I J pairs of a global and a local view.

    Args:
        teacher_probs (Tensor): ``(I, B, K)``.
        student_log_probs (Tensor): ``(J, B, K)``.

    Returns:
        Tensor: Scalar, the mean over pairs and batch.
    """
    return -(teacher_probs.mean(0) * student_log_probs.mean(0)).sum(-1).mean()


@MODELS.register_module()
class DistillationLoss(BaseModule):
    """The two losses of DCGLR, Eq. 10-12.

    With the centred and sharpened teacher distribution ``P_i`` of a global view and the student
    distributions ``Q_j``, ``loss_global`` is the mean of ``H(P_i, Q_j)`` over global pairs
    ``i != j`` and ``loss_local`` the mean over all pairs of a global and a local view; resolution
    views are local views. MMEngine adds the two, each times its weight, to the loss of Eq. 12. The
    centre is an argument and is not updated here.

    Args:
        teacher_temperature (float): tau. Defaults to 0.04, the paper's.
        student_temperature (float): Defaults to 0.1, of POS-BERT's released code and DINO.
        global_weight (float): omega_g of Eq. 12. Defaults to 1, the paper's.
        local_weight (float): omega_l of Eq. 12. Defaults to 1, the paper's.

    Raises:
        ValueError: If a temperature is not positive.
    """

    def __init__(self,
                 teacher_temperature: float = 0.04,
                 student_temperature: float = 0.1,
                 global_weight: float = 1.0,
                 local_weight: float = 1.0) -> None:
        super().__init__()
        if teacher_temperature <= 0 or student_temperature <= 0:
            raise ValueError(
                'DistillationLoss needs positive temperatures, got '
                f'teacher_temperature={teacher_temperature}, '
                f'student_temperature={student_temperature}')
        self.teacher_temperature = teacher_temperature
        self.student_temperature = student_temperature
        self.global_weight = global_weight
        self.local_weight = local_weight

    def forward(self,
                teacher_logits: Tensor,
                student_global_logits: Tensor,
                student_local_logits: Tensor | None,
                center: Tensor) -> dict[str, Tensor]:
        """Compute both losses, in the centre's precision whatever the autocast type.

        Args:
            teacher_logits (Tensor): ``o_tg``, ``(I, B, K)``.
            student_global_logits (Tensor): ``o_sg``, ``(I, B, K)``.
            student_local_logits (Tensor | None): ``o_sl``, ``(J, B, K)``, or None without local
                views.
            center (Tensor): ``c``, ``(K,)``.

        Returns:
            dict[str, Tensor]: Scalars ``loss_global`` and, with local views, ``loss_local``.
        """
        with torch.autocast(teacher_logits.device.type, enabled=False):
            probs = teacher_distribution(teacher_logits, center, self.teacher_temperature)
            losses = {
                'loss_global': self.global_weight * global_cross_entropy(
                    probs, self._log_probs(student_global_logits, center.dtype))
            }
            if student_local_logits is not None:
                losses['loss_local'] = self.local_weight * local_cross_entropy(
                    probs, self._log_probs(student_local_logits, center.dtype))
        return losses

    def _log_probs(self, student_logits: Tensor, dtype: torch.dtype) -> Tensor:
        return F.log_softmax(student_logits.to(dtype) / self.student_temperature, dim=-1)
