"""STRL: BYOL on two views of a cloud, the baseline of the paper."""
import torch
from torch import Tensor

from dcglr_mm.registry import MODELS

from .monitor import projection_monitor
from .teacher_student import TeacherStudent


@MODELS.register_module()
class STRL(TeacherStudent):
    """STRL (Huang et al. 2021) for shapes: the student predicts the teacher's projections.

    "Online" and "target" network of BYOL and STRL are ``student`` and ``teacher`` here; the
    ``predictor`` belongs to the online network alone. Every view passes each network by itself, so
    that batch norm sees one view at a time, as in the released code. That code moves the target
    before the optimiser's step of an iteration, this one after it, as BYOL does.

    Args:
        backbone (dict): Config of a :class:`PointBackbone`.
        projector (dict | None): Config of the projector. Defaults to :class:`BYOLMLP`: hidden
            4096, out 256.
        predictor (dict | None): Config of the predictor, which maps projections to projections.
            Defaults to :class:`BYOLMLP` likewise.
        loss (dict | None): Config of the loss. Defaults to :class:`BYOLLoss`.
        average_buffers (bool): Whether BN statistics are averaged like parameters. Defaults to
            True, the released code's choice.
        **kwargs: Those of :class:`TeacherStudent`; lambda rises from 0.996 to 1, as STRL's
            ``decay_rate`` does.

    Raises:
        ValueError: If the predictor's width is not the projector's.
    """

    downstream = 'student'  # the network that STRL evaluates

    def __init__(self,
                 backbone: dict,
                 projector: dict | None = None,
                 predictor: dict | None = None,
                 loss: dict | None = None,
                 average_buffers: bool = True,
                 **kwargs) -> None:
        super().__init__(backbone, projector or dict(type='dcglr_mm.BYOLMLP'),
                         average_buffers=average_buffers, **kwargs)
        width = self.student['projector'].out_channels
        self.predictor = MODELS.build({'type': 'dcglr_mm.BYOLMLP', 'out_channels': width,
                                       **(predictor or {}), 'in_channels': width})
        if self.predictor.out_channels != width:
            raise ValueError(f'the predictor gives {self.predictor.out_channels} channels, but has '
                             f'to predict projections of {width}')
        self.loss_function = MODELS.build(loss or dict(type='dcglr_mm.BYOLLoss'))
        self.monitor: dict[str, Tensor] = {}

    def loss(self,
             inputs: dict[str, Tensor],
             data_samples: dict | None = None) -> dict[str, Tensor]:
        """Loss of one batch of views.

        Args:
            inputs (dict[str, Tensor]): ``global``, the two views ``(B, 2, N, C)``.
            data_samples (dict | None): Not used: there are no labels here.

        Returns:
            dict[str, Tensor]: ``loss_byol``.

        Raises:
            ValueError: If ``global`` is missing, or does not hold two views.
        """
        views = self.views_of(inputs)['global']  # (2, B, N, C)
        features = [self.student['backbone'](view) for view in views]
        predictions = torch.stack(
            [self.predictor(self.student['projector'](feature)) for feature in features])
        with torch.no_grad():
            targets = torch.stack(
                [self.teacher['projector'](self.teacher['backbone'](view)) for view in views])
        self.monitor = projection_monitor(targets, torch.cat(features))
        return self.loss_function(predictions, targets)
