"""What every method with a student and a momentum teacher shares."""
import copy
from abc import abstractmethod

import torch
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor, nn

from dcglr_mm.registry import MODELS
from dcglr_mm.schedules import cosine_schedule


class TeacherStudent(BaseModel):
    """Student and teacher of one architecture; the teacher is a moving average of the student.

    A method derives from this class, implements :meth:`loss` and, where it keeps statistics of its
    own, :meth:`after_optimizer_step`. Nothing changes behind the user's back: forward passes do not
    move the teacher. ``dcglr_mm.TeacherUpdateHook`` calls :meth:`after_optimizer_step` whenever the
    optimiser really took a step, and training without that hook is refused.

    Args:
        backbone (dict): Config of a :class:`PointBackbone`.
        projector (dict): Config of the projection head; ``in_channels`` is filled in from the
            backbone's ``out_channels``.
        teacher_lambda (float): lambda of Eq. 13 at the first step. It rises to
            ``teacher_lambda_end`` on a cosine over training. MMEngine's averaged models call
            1 - lambda "momentum". Defaults to 0.996, the paper's.
        teacher_lambda_end (float): Defaults to 1, the paper's.
        data_preprocessor (dict | None): Defaults to MMEngine's, which moves a batch to the device.
        init_cfg (dict | list | None): MMEngine's initialisation config.

    Raises:
        TypeError: If the backbone has no integer ``out_channels``.
        ValueError: If a lambda is outside [0, 1].
    """

    def __init__(self,
                 backbone: dict,
                 projector: dict,
                 teacher_lambda: float = 0.996,
                 teacher_lambda_end: float = 1.0,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        for name, value in (('teacher_lambda', teacher_lambda),
                            ('teacher_lambda_end', teacher_lambda_end)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} (lambda of Eq. 13) must be in [0, 1], got {value}')
        self.teacher_lambda = teacher_lambda
        self.teacher_lambda_end = teacher_lambda_end
        network = MODELS.build(backbone)
        if not isinstance(getattr(network, 'out_channels', None), int):
            raise TypeError(f'the backbone {type(network).__name__} does not say its out_channels, '
                            'the channels D of the features (B, D) that it gives for clouds')
        head = MODELS.build({**projector, 'in_channels': network.out_channels})
        self.student = ModuleDict({'backbone': network, 'projector': head})
        self.teacher = copy.deepcopy(self.student)
        self.teacher.requires_grad_(False)
        self.teacher_update_attached = False

    def init_weights(self) -> None:
        """Initialise the student, then copy it, buffers included, to the teacher."""
        super().init_weights()
        self.teacher.load_state_dict(self.student.state_dict())

    def forward(self,
                inputs: dict[str, Tensor],
                data_samples: dict | None = None,
                mode: str = 'tensor') -> dict[str, Tensor] | Tensor | list[dict]:
        """MMEngine's entry point.

        Args:
            inputs (dict[str, Tensor]): A batch: the method's views for ``mode='loss'``,
                ``points`` of shape ``(B, N, C)`` otherwise.
            data_samples (dict | None): ``gt_label`` and ``sample_idx``, ``(B,)`` each.
            mode (str): ``'loss'`` for the losses, ``'tensor'`` for the teacher's backbone features
                ``(B, D)``, ``'predict'`` for the same as one dict a sample.

        Returns:
            dict[str, Tensor] | Tensor | list[dict]: According to ``mode``.

        Raises:
            ValueError: If ``mode`` is unknown.
            RuntimeError: If a training loss is asked for and nothing updates the teacher.
        """
        if mode == 'loss':
            if self.training and not self.teacher_update_attached:
                raise RuntimeError(
                    f'{type(self).__name__} would train with a teacher that never moves: add '
                    "custom_hooks = [dict(type='dcglr_mm.TeacherUpdateHook')] to the config, or "
                    'call after_optimizer_step() yourself and set teacher_update_attached = True')
            return self.loss(inputs, data_samples)
        if mode not in ('tensor', 'predict'):
            raise ValueError(f"mode must be 'loss', 'tensor' or 'predict', got {mode!r}")
        if 'points' not in inputs:
            raise ValueError(
                f"mode={mode!r} reads inputs['points'], found only {sorted(inputs)}; a pipeline "
                'for evaluation has no MultiCrop')
        features = self.extract_feat(inputs['points'])
        if mode == 'tensor':
            return features
        samples = data_samples or {}
        return [{'features': feature, **{key: value[i] for key, value in samples.items()}}
                for i, feature in enumerate(features)]

    def extract_feat(self, points: Tensor, network: str = 'teacher') -> Tensor:
        """Backbone features before the projector, the ones used downstream.

        Args:
            points (Tensor): Clouds, ``(B, N, C)``.
            network (str): ``'teacher'`` (the paper's choice) or ``'student'``.

        Returns:
            Tensor: ``(B, D)``.

        Raises:
            ValueError: If ``network`` is neither.
        """
        if network not in ('teacher', 'student'):
            raise ValueError(f"network must be 'teacher' or 'student', got {network!r}")
        return getattr(self, network)['backbone'](points)

    @abstractmethod
    def loss(self, inputs: dict[str, Tensor], data_samples: dict | None) -> dict[str, Tensor]:
        """Return the losses of one batch; keys with ``loss`` in them are added up."""

    def current_lambda(self, step: int, max_steps: int) -> float:
        """lambda of Eq. 13 at optimiser step ``step`` of ``max_steps``, counted from 0."""
        return cosine_schedule(step, max_steps, self.teacher_lambda, self.teacher_lambda_end)

    @torch.no_grad()
    def update_teacher(self, step: int, max_steps: int) -> float:
        """Eq. 13 over the parameters; the teacher keeps BN statistics of its own, as in DINO.

        Args:
            step (int): Training iteration, counted from 0.
            max_steps (int): Iterations of the whole training.

        Returns:
            float: The lambda that was used.
        """
        decay = self.current_lambda(step, max_steps)
        teacher, student = _matching_parameters(self.teacher, self.student)
        torch._foreach_lerp_(teacher, student, 1.0 - decay)
        return decay

    def after_optimizer_step(self, step: int, max_steps: int) -> float:
        """Everything that moves once the student has moved; returns the lambda that was used."""
        return self.update_teacher(step, max_steps)

    def after_skipped_step(self) -> None:
        """Called when mixed precision dropped a step: what that batch left behind is forgotten."""


def _matching_parameters(teacher: nn.Module, student: nn.Module) -> tuple[list, list]:
    pairs = list(zip(teacher.parameters(), student.parameters(), strict=True))
    return [t.data for t, _ in pairs], [s.data for _, s in pairs]
