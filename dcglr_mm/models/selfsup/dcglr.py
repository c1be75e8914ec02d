"""DCGLR: distillation with contrast."""
import torch
from torch import Tensor

from dcglr_mm.registry import MODELS

from .center import Center
from .monitor import distillation_monitor
from .teacher_student import TeacherStudent


@MODELS.register_module()
class DCGLR(TeacherStudent):
    """Self-distillation from global crops to global, local and resolution views, section 3.2.

    The teacher sees the global views (Eq. 6), the student all of them (Eq. 7); the loss is Eq. 8
    and 10-12, the centre follows Eq. 9 and the teacher Eq. 13.

    Args:
        backbone (dict): Config of a :class:`PointBackbone`.
        projector (dict | None): Config of the head. Defaults to :class:`Projector`, K = 512.
        loss (dict | None): Config of the loss. Defaults to :class:`DistillationLoss`.
        center_rate (float): q of Eq. 9. Defaults to 0.9, of POS-BERT's released code and DINO.
        **kwargs: Those of :class:`TeacherStudent`.
    """

    def __init__(self,
                 backbone: dict,
                 projector: dict | None = None,
                 loss: dict | None = None,
                 center_rate: float = 0.9,
                 **kwargs) -> None:
        super().__init__(backbone, projector or dict(type='dcglr_mm.Projector'), **kwargs)
        self.loss_function = MODELS.build(loss or dict(type='dcglr_mm.DistillationLoss'))
        self.center = Center(self.student['projector'].out_channels, center_rate)
        self.monitor: dict[str, Tensor] = {}

    def loss(self,
             inputs: dict[str, Tensor],
             data_samples: dict | None = None) -> dict[str, Tensor]:
        """Losses of one batch of views.

        What the teacher put out is noted for the centre, which moves in :meth:`update_center`.

        Args:
            inputs (dict[str, Tensor]): ``global`` ``(B, I, Ng, C)`` and, where used, ``local``
                ``(B, J, Nl, C)`` and ``resolution`` ``(B, R, Nr, C)``.
            data_samples (dict | None): Not used: there are no labels here.

        Returns:
            dict[str, Tensor]: ``loss_global`` and ``loss_local``.

        Raises:
            ValueError: If ``global`` is missing, or holds fewer than two views.
        """
        views = self.views_of(inputs, ('global', 'local', 'resolution'))
        with torch.no_grad():
            features = self.teacher['backbone'](views['global'].flatten(0, 1))
            teacher_logits = self.teacher['projector'](features)
        student_logits = self._student_logits(list(views.values()))
        num_global, batch_size = views['global'].shape[:2]
        teacher_logits = teacher_logits.unflatten(0, (num_global, batch_size))  # (I, B, K)
        student_logits = student_logits.unflatten(0, (-1, batch_size))  # (I + J + R, B, K)
        student_global, student_local = student_logits.tensor_split([num_global])

        losses = self.loss_function(
            teacher_logits, student_global,
            student_local if len(student_local) else None, self.center.value)
        if self.training:
            self.center.observe(teacher_logits)
        self.monitor = distillation_monitor(
            teacher_logits, student_global, features, self.center.value,
            self.loss_function.teacher_temperature, self.loss_function.student_temperature)
        return losses

    def _student_logits(self, views: list[Tensor]) -> Tensor:
        # Views of one kind have one size, so the backbone runs once a kind and the head once.
        backbone = self.student['backbone']
        features = [backbone(kind.flatten(0, 1)) for kind in views]
        return self.student['projector'](torch.cat(features))

    def update_center(self) -> None:
        """Eq. 9 over all that was seen since the last call, on every rank."""
        self.center.update()

    def after_optimizer_step(self, step: int, max_steps: int) -> float:
        self.update_center()
        return super().after_optimizer_step(step, max_steps)

    def after_skipped_step(self) -> None:
        self.center.discard()
