"""One training step of DCGLR in the form of DINO's training loop."""
import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Projector(nn.Module):
    """Three linear layers, a normalised bottleneck, a weight-normalised last layer."""

    def __init__(self, in_channels: int, out_channels: int = 512, hidden: int = 2048,
                 bottleneck: int = 256) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(in_channels, hidden), nn.GELU(),
                                 nn.Linear(hidden, hidden), nn.GELU(),
                                 nn.Linear(hidden, bottleneck))
        self.last_layer = nn.Linear(bottleneck, out_channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        features = F.normalize(self.mlp(features), dim=-1)
        weight = self.last_layer.weight
        return F.linear(features, weight / weight.norm(dim=1, keepdim=True))


class DCGLR:
    """Student, teacher, centre and optimiser; :meth:`train_step` is one iteration.

    Args:
        backbone: Plain network from clouds to ``(B, D)``.
        projector: Plain head.
        lr: Learning rate of AdamW.
        weight_decay: Of the matrices; biases and norms have none.
        decay: lambda of Eq. 13 (MMEngine calls 1 - lambda "momentum").
        teacher_temperature: tau of Eq. 8.
        student_temperature: The student's.
        center_rate: q of Eq. 9.
        clip: Largest norm of one tensor's gradient.
    """

    def __init__(self, backbone: nn.Module, projector: nn.Module, *, lr: float,
                 weight_decay: float, decay: float, teacher_temperature: float = 0.04,
                 student_temperature: float = 0.1, center_rate: float = 0.9,
                 clip: float = 3.0) -> None:
        self.student = nn.ModuleDict({'backbone': backbone, 'projector': projector})
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        parameters = list(self.student.parameters())
        self.optimizer = torch.optim.AdamW([
            dict(params=[p for p in parameters if p.ndim > 1]),
            dict(params=[p for p in parameters if p.ndim <= 1], weight_decay=0.0)],
            lr=lr, weight_decay=weight_decay)
        self.decay, self.clip, self.center_rate = decay, clip, center_rate
        self.temperatures = teacher_temperature, student_temperature
        self.center: Tensor | None = None

    def train_step(self, views: dict[str, Tensor]) -> dict[str, Tensor]:
        """One iteration on views ``(B, V, N, 3)`` of each kind; returns both losses."""
        kinds = [view.transpose(0, 1) for view in views.values()]  # (V, B, N, 3), global first
        num_global, batch_size = kinds[0].shape[:2]
        with torch.no_grad():
            teacher_out = self._project(self.teacher, kinds[:1])
        student_out = self._project(self.student, kinds)
        if self.center is None:
            self.center = torch.zeros_like(teacher_out[:1], dtype=self._dtype())
        losses = self._losses(teacher_out.split(batch_size), student_out.split(batch_size),
                              num_global)
        self.optimizer.zero_grad()
        sum(losses.values()).backward()
        for parameter in self.student.parameters():
            if parameter.grad is not None:
                scale = self.clip / (parameter.grad.norm() + 1e-6)
                if scale < 1:
                    parameter.grad.mul_(scale)
        self.optimizer.step()
        with torch.no_grad():
            mean = teacher_out.to(self.center.dtype).mean(0, keepdim=True)
            self.center = self.center * self.center_rate + mean * (1 - self.center_rate)
            for ours, theirs in zip(self.teacher.parameters(), self.student.parameters()):
                ours.data.mul_(self.decay).add_((1 - self.decay) * theirs.detach().data)
        return losses

    def _dtype(self) -> torch.dtype:
        return next(self.student.parameters()).dtype

    @staticmethod
    def _project(network: nn.ModuleDict, kinds: list[Tensor]) -> Tensor:
        features = [network['backbone'](views.flatten(0, 1)) for views in kinds]
        return network['projector'](torch.cat(features))

    def _losses(self, teacher: tuple[Tensor, ...], student: tuple[Tensor, ...],
                num_global: int) -> dict[str, Tensor]:
        tau, student_tau = self.temperatures
        dtype = self.center.dtype
        targets = [((view.to(dtype) - self.center) / tau).softmax(-1).detach()
                   for view in teacher]
        logs = [(view.to(dtype) / student_tau).log_softmax(-1) for view in student]
        pairs = {'loss_global': [], 'loss_local': []}
        for i, target in enumerate(targets):
            for j, log in enumerate(logs):
                if i != j:
                    name = 'loss_global' if j < num_global else 'loss_local'
                    pairs[name].append((-target * log).sum(-1).mean())
        return {name: sum(terms) / len(terms) for name, terms in pairs.items()}
