"""DCGLR in float64, written from the equations with loops, for a network small enough to read.

The backbone is ``mean over points of tanh(x W)``, the projector one matrix, the optimiser plain
gradient descent. Gradients come from autograd on this code alone.
"""
import math

import torch
from mmengine.model import BaseModule
from torch import nn

from dcglr_mm.models.selfsup import DCGLR
from dcglr_mm.registry import MODELS

TAU, STUDENT_TAU, RATE, LAMBDA, LR = 0.3, 0.5, 0.8, 0.6, 0.7
WIDTH, PROTOTYPES = 4, 5


@MODELS.register_module(force=True)
class TinyBackbone(BaseModule):
    """mean_n tanh(x_n W)."""

    def __init__(self):
        super().__init__()
        self.out_channels = WIDTH
        self.weight = nn.Parameter(torch.zeros(3, WIDTH))

    def forward(self, points):
        return torch.tanh(points @ self.weight).mean(1)


@MODELS.register_module(force=True)
class TinyProjector(BaseModule):
    """f V."""

    def __init__(self, in_channels):
        super().__init__()
        self.out_channels = PROTOTYPES
        self.weight = nn.Parameter(torch.zeros(in_channels, PROTOTYPES))

    def forward(self, features):
        return features @ self.weight


def initial_weights():
    generator = torch.Generator().manual_seed(3)
    return (torch.randn(3, WIDTH, generator=generator, dtype=torch.float64),
            torch.randn(WIDTH, PROTOTYPES, generator=generator, dtype=torch.float64))


def build_model():
    """The library's DCGLR over the tiny networks, in float64, teacher equal to student."""
    model = DCGLR(
        backbone=dict(type='dcglr_mm.TinyBackbone'),
        projector=dict(type='dcglr_mm.TinyProjector'),
        loss=dict(type='dcglr_mm.DistillationLoss', teacher_temperature=TAU,
                  student_temperature=STUDENT_TAU),
        center_rate=RATE,
        teacher_lambda=LAMBDA).double()
    backbone_weight, projector_weight = initial_weights()
    for network in (model.student, model.teacher):
        network['backbone'].weight.data.copy_(backbone_weight)
        network['projector'].weight.data.copy_(projector_weight)
    return model


def make_clouds(num_steps, batch_size):
    """Views of every step: one global, one local and one resolution tensor a step."""
    generator = torch.Generator().manual_seed(11)
    sizes = {'global': (2, 6), 'local': (3, 4), 'resolution': (1, 5)}
    return [{kind: torch.randn(batch_size, views, points, 3, generator=generator,
                               dtype=torch.float64)
             for kind, (views, points) in sizes.items()} for _ in range(num_steps)]


def reference_training(steps, lambda_steps=None):
    """Train by the equations.

    Args:
        steps: One dict of views a step, the whole batch of Eq. 9 in each.
        lambda_steps: (step, max_steps) of the cosine at each step; every step one by default.

    Returns:
        dict: student, teacher (pairs of matrices), center, and losses, a list.
    """
    student = [w.clone().requires_grad_() for w in initial_weights()]
    teacher = [w.clone() for w in initial_weights()]
    center = torch.zeros(PROTOTYPES, dtype=torch.float64)
    losses = []
    for number, views in enumerate(steps):
        clouds = {kind: list(value.unbind(1)) for kind, value in views.items()}
        teacher_out = [_network(cloud, teacher).detach() for cloud in clouds['global']]
        student_global = [_network(cloud, student) for cloud in clouds['global']]
        student_local = [_network(cloud, student)
                         for cloud in clouds['local'] + clouds['resolution']]
        centered = [out - center for out in teacher_out]  # Eq. 8
        loss_global = _mean([_cross_entropy(centered[i], student_global[j])  # Eq. 10
                             for i in range(2) for j in range(2) if i != j])
        loss_local = _mean([_cross_entropy(t, s) for t in centered for s in student_local])
        loss = loss_global + loss_local  # Eq. 12
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, student)
        with torch.no_grad():
            for weight, gradient in zip(student, gradients):
                weight -= LR * gradient
            batch_mean = torch.cat(teacher_out).mean(0)
            center = RATE * center + (1 - RATE) * batch_mean  # Eq. 9
            step, max_steps = lambda_steps[number] if lambda_steps else (number, len(steps))
            decay = 1 - (1 - LAMBDA) * (1 + math.cos(math.pi * step / max_steps)) / 2
            teacher = [decay * t + (1 - decay) * s for t, s in zip(teacher, student)]  # Eq. 13
    return dict(student=[w.detach() for w in student], teacher=teacher, center=center,
                losses=losses)


def assert_model_equals(model, expected, rtol=1e-12):
    """Every weight of student and teacher, and the centre."""
    for name in ('student', 'teacher'):
        network = getattr(model, name)
        for part, value in zip(('backbone', 'projector'), expected[name]):
            torch.testing.assert_close(network[part].weight.data, value, rtol=rtol, atol=1e-14)
    torch.testing.assert_close(model.center.value, expected['center'], rtol=rtol, atol=1e-14)


def _network(cloud, weights):
    return torch.tanh(cloud @ weights[0]).mean(1) @ weights[1]


def _cross_entropy(centered, student_out):
    log_q = (student_out / STUDENT_TAU).log_softmax(-1)
    return -((centered / TAU).softmax(-1) * log_q).sum(-1).mean()


def _mean(terms):
    return sum(terms) / len(terms)
