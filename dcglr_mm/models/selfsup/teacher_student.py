"""What every method with a student and a momentum teacher shares."""
import copy
from abc import abstractmethod
from collections.abc import Sequence

import torch
from mmengine.model import BaseModel, ModuleDict
from torch import Tensor

from dcglr_mm.registry import MODELS
from dcglr_mm.schedules import cosine_schedule


class TeacherStudent(BaseModel):
    """Student and teacher of one architecture; the teacher is a moving average of the student.

    A method derives from this class, implements :meth:`loss` and, where it keeps statistics of its
    own, :meth:`after_optimizer_step`; docs/methods.md shows how. What the student has beyond the
    teacher, a predictor say, is a module of its own beside the two. Nothing changes behind the
    user's back: forward passes do not move the teacher. ``dcglr_mm.TeacherUpdateHook`` calls
    :meth:`after_optimizer_step` whenever the optimiser really took a step, and training without
    that hook is refused.

    Args:
        backbone (dict): Config of a :class:`PointBackbone`.
        projector (dict): Config of the projection head; ``in_channels`` is filled in from the
            backbone's ``out_channels``.
        teacher_lambda (float): lambda of Eq. 13 at the first step. It rises to
            ``teacher_lambda_end`` on a cosine over training. MMEngine's averaged models call
            1 - lambda "momentum". Defaults to 0.996, the paper's.
        teacher_lambda_end (float): Defaults to 1, the paper's.
        average_buffers (bool): Whether BN statistics are averaged like parameters (STRL). Defaults
            to False: the teacher keeps those of its own forward passes (DINO).
        data_preprocessor (dict | None): Defaults to MMEngine's, which moves a batch to the device.
        init_cfg (dict | list | None): MMEngine's initialisation config.

    Attributes:
        downstream (str): The network whose features serve downstream, ``'teacher'`` or
            ``'student'``.

    Raises:
        TypeError: If the backbone has no integer ``out_channels``.
        ValueError: If a lambda is outside [0, 1].
    """

    downstream = 'teacher'

    def __init__(self,
                 backbone: dict,
                 projector: dict,
                 teacher_lambda: float = 0.996,
                 teacher_lambda_end: float = 1.0,
                 average_buffers: bool = False,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | list | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        for name, value in (('teacher_lambda', teacher_lambda),
                            ('teacher_lambda_end', teacher_lambda_end)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} (lambda of Eq. 13) must be in [0, 1], got {value}')
        self.teacher_lambda = teacher_lambda
        self.teacher_lambda_end = teacher_lambda_end
        self.average_buffers = average_buffers
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
            mode (str): ``'loss'`` for the losses, ``'tensor'`` for the backbone features
                ``(B, D)`` of the network that serves downstream, ``'predict'`` for the same as one
                dict a sample.

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

    def extract_feat(self, points: Tensor, network: str | None = None) -> Tensor:
        """Backbone features before the projector, the ones used downstream.

        Args:
            points (Tensor): Clouds, ``(B, N, C)``.
            network (str | None): ``'teacher'``, ``'student'``, or None for the one that serves
                downstream.

        Returns:
            Tensor: ``(B, D)``.

        Raises:
            ValueError: If ``network`` is neither.
        """
        network = self.downstream if network is None else network
        if network not in ('teacher', 'student'):
            raise ValueError(f"network must be 'teacher' or 'student', got {network!r}")
        return getattr(self, network)['backbone'](points)

    @abstractmethod
    def loss(self, inputs: dict[str, Tensor], data_samples: dict | None) -> dict[str, Tensor]:
        """Return the losses of one batch; keys with ``loss`` in them are added up."""

    def views_of(self, inputs: dict[str, Tensor],
                 kinds: Sequence[str] = ('global', )) -> dict[str, Tensor]:
        """The views of a batch, one kind after another, with the axis of views in front.

        Args:
            inputs (dict[str, Tensor]): A tensor ``(B, V, N, C)`` for each kind of view.
            kinds (Sequence[str]): The kinds that the method reads, ``'global'`` among them.

        Returns:
            dict[str, Tensor]: ``(V, B, N, C)`` for each of these kinds that is there.

        Raises:
            ValueError: If there are no global views.
        """
        if 'global' not in inputs:
            raise ValueError(
                f"{type(self).__name__} reads inputs['global'], found only {sorted(inputs)}: the "
                'training pipeline needs MultiCrop or MultiView before PackInputs')
        return {kind: inputs[kind].transpose(0, 1) for kind in kinds if kind in inputs}

    def current_lambda(self, step: int, max_steps: int) -> float:
        """lambda of Eq. 13 at optimiser step ``step`` of ``max_steps``, counted from 0."""
        return cosine_schedule(step, max_steps, self.teacher_lambda, self.teacher_lambda_end)

    @torch.no_grad()
    def update_teacher(self, step: int, max_steps: int) -> float:
        """Eq. 13 over the parameters and, with ``average_buffers``, BN statistics.

        Of the buffers, those that count batches are copied.

        Args:
            step (int): Training iteration, counted from 0.
            max_steps (int): Iterations of the whole training.

        Returns:
            float: The lambda that was used.
        """
        decay = self.current_lambda(step, max_steps)
        pairs = list(zip(self.teacher.parameters(), self.student.parameters(), strict=True))
        if self.average_buffers:
            for teacher, student in zip(self.teacher.buffers(), self.student.buffers(),
                                        strict=True):
                if teacher.is_floating_point():
                    pairs.append((teacher, student))
                else:
                    teacher.copy_(student)
        teachers, students = zip(*pairs)
        torch._foreach_lerp_(teachers, students, 1.0 - decay)
        return decay

    def after_optimizer_step(self, step: int, max_steps: int) -> float:
        """Everything that moves once the student has moved; returns the lambda that was used."""
        return self.update_teacher(step, max_steps)

    def after_skipped_step(self) -> None:
        """Called when mixed precision dropped a step: what that batch left behind is forgotten."""
