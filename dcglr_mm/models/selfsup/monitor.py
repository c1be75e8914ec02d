"""Measures that tell whether a network still tells shapes apart."""
import torch
from torch import Tensor
from torch.nn import functional as F

from ..losses.distillation import teacher_distribution
from ..ops.checks import full_precision


@torch.no_grad()
def distillation_monitor(teacher_logits: Tensor,
                         student_logits: Tensor,
                         features: Tensor,
                         center: Tensor,
                         teacher_temperature: float,
                         student_temperature: float) -> dict[str, Tensor]:
    """Summaries of one batch, all detached and left on the device.

    Args:
        teacher_logits (Tensor): Of the global views, ``(I, B, K)``.
        student_logits (Tensor): Of the same views, ``(I, B, K)``.
        features (Tensor): The teacher's backbone features, ``(I * B, D)``.
        center (Tensor): ``(K,)``.
        teacher_temperature (float): tau.
        student_temperature (float): The student's temperature.

    Returns:
        dict[str, Tensor]: Scalars in nats: ``teacher_entropy``, the mean entropy of one output;
        ``teacher_marginal_entropy``, the entropy of the mean output (0 when all samples go to one
        prototype, log K when all are used alike); ``teacher_student_kl``, the mean of
        KL(teacher || student) over the same view. Further ``center_norm``, and ``features`` in
        float32.
    """
    with torch.autocast(teacher_logits.device.type, enabled=False):
        probs = teacher_distribution(teacher_logits, center, teacher_temperature)
        log_probs = F.log_softmax(student_logits.to(center.dtype) / student_temperature, dim=-1)
        entropy = torch.special.entr(probs).sum(-1).mean()
        marginal = probs.flatten(0, -2).mean(0)
        return {
            'teacher_entropy': entropy,
            'teacher_marginal_entropy': torch.special.entr(marginal).sum(),
            'teacher_student_kl': -(probs * log_probs).sum(-1).mean() - entropy,
            'center_norm': center.norm(),
            'features': features.detach().float(),
        }


@torch.no_grad()
def projection_monitor(projections: Tensor, features: Tensor) -> dict[str, Tensor]:
    """Summaries of one batch of a method that regresses projections, left on the device.

    Args:
        projections (Tensor): The teacher's, ``(V, B, D)``.
        features (Tensor): Of the backbone that serves downstream, ``(V * B, D')``.

    Returns:
        dict[str, Tensor]: ``projection_std``, the standard deviation of unit projections over the
        batch, mean over views and dimensions, times the root of D: 0 when all shapes have one
        projection, 1 when they spread over all directions (SimSiam, Chen and He 2021, Fig. 2).
        Further ``features`` in float32.
    """
    unit = F.normalize(full_precision(projections), dim=-1)
    std = unit.std(1, correction=0).mean() * unit.shape[-1]**0.5
    return {'projection_std': std, 'features': features.detach().float()}
