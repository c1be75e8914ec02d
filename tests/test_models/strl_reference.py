"""STRL in float64, written from the equations with loops, for networks small enough to read.

The backbone is ``mean over points of tanh(x W)``; projector and predictor are two matrices each
with batch norm and ReLU between; the optimiser is plain gradient descent. Gradients come from
autograd on this code alone.
"""
import math

import torch
from mmengine.model import BaseModule
from torch import nn

from dcglr_mm.models.selfsup import STRL
from dcglr_mm.registry import MODELS

LAMBDA, LR = 0.6, 0.3
WIDTH, HIDDEN, OUT = 4, 6, 5
SHAPES = {
    'backbone': (3, WIDTH),
    'projector.0': (HIDDEN, WIDTH), 'projector.gain': (HIDDEN, ), 'projector.bias': (HIDDEN, ),
    'projector.3': (OUT, HIDDEN),
    'predictor.0': (HIDDEN, OUT), 'predictor.gain': (HIDDEN, ), 'predictor.bias': (HIDDEN, ),
    'predictor.3': (OUT, HIDDEN),
}


@MODELS.register_module(force=True)
class TanhBackbone(BaseModule):
    """mean_n tanh(x_n W)."""

    def __init__(self):
        super().__init__()
        self.out_channels = WIDTH
        self.weight = nn.Parameter(torch.zeros(3, WIDTH))

    def forward(self, points):
        return torch.tanh(points @ self.weight).mean(1)


def initial_weights():
    generator = torch.Generator().manual_seed(5)
    return {name: torch.randn(shape, generator=generator, dtype=torch.float64)
            for name, shape in SHAPES.items()}


def build_model(**kwargs):
    """The library's STRL over the tiny networks, in float64, teacher equal to student."""
    head = dict(type='dcglr_mm.BYOLMLP', hidden_channels=HIDDEN, out_channels=OUT)
    model = STRL(backbone=dict(type='dcglr_mm.TanhBackbone'), projector=head,
                 predictor=dict(hidden_channels=HIDDEN), teacher_lambda=LAMBDA, **kwargs).double()
    weights = initial_weights()
    for name, parameter in named_tensors(model.student, model.predictor).items():
        parameter.data.copy_(weights[name])
    model.teacher.load_state_dict(model.student.state_dict())
    return model


def named_tensors(network, predictor=None):
    """Parameters of a student or teacher by the names of ``SHAPES``."""
    found = {'backbone': network['backbone'].weight}
    heads = {'projector': network['projector'], **({'predictor': predictor} if predictor else {})}
    for name, head in heads.items():
        found.update({f'{name}.0': head[0].weight, f'{name}.gain': head[1].weight,
                      f'{name}.bias': head[1].bias, f'{name}.3': head[3].weight})
    return found


def make_views(num_steps, batch_size):
    """The two views of every step."""
    generator = torch.Generator().manual_seed(12)
    return [{'global': torch.randn(batch_size, 2, 6, 3, generator=generator, dtype=torch.float64)}
            for _ in range(num_steps)]


def fresh_buffers():
    """Running mean, running variance and number of batches of every batch norm."""
    norms = ('student.projector', 'student.predictor', 'teacher.projector')
    return {name: [torch.zeros(HIDDEN, dtype=torch.float64),
                   torch.ones(HIDDEN, dtype=torch.float64), 0] for name in norms}


def reference_training(steps, ranks=1, accumulate=1, lambda_steps=None):
    """Train by the equations.

    Args:
        steps: One dict of views a step, the whole batch in each.
        ranks: Parts of every batch that have batch norms of their own.
        accumulate: Parts of every batch that pass the same batch norms one after another.
        lambda_steps: (step, max_steps) of the cosine at each step; every step one by default.

    Returns:
        dict: student and teacher (weights by name), buffers (a list, one of each rank), losses.
    """
    student = {name: w.clone().requires_grad_() for name, w in initial_weights().items()}
    teacher = {name: w for name, w in initial_weights().items() if 'predictor' not in name}
    buffers = [fresh_buffers() for _ in range(ranks)]
    losses = []
    for number, views in enumerate(steps):
        parts = views['global'].chunk(ranks * accumulate)
        loss = sum(_loss(part, student, teacher, buffers[i % ranks])
                   for i, part in enumerate(parts)) / len(parts)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, list(student.values()))
        step, max_steps = lambda_steps[number] if lambda_steps else (number, len(steps))
        decay = 1 - (1 - LAMBDA) * (1 + math.cos(math.pi * step / max_steps)) / 2
        with torch.no_grad():
            for weight, gradient in zip(student.values(), gradients):
                weight -= LR * gradient
            teacher = {name: decay * w + (1 - decay) * student[name]
                       for name, w in teacher.items()}
        for own in buffers:
            online, target = own['student.projector'], own['teacher.projector']
            own['teacher.projector'] = [decay * t + (1 - decay) * o
                                        for t, o in zip(target[:2], online)] + [online[2]]
    return dict(student={name: w.detach() for name, w in student.items()}, teacher=teacher,
                buffers=buffers, losses=losses)


def assert_model_equals(model, expected, rank=0, rtol=1e-11):
    """Every weight of student, predictor and teacher, and every batch norm's buffers."""
    for own, values in ((named_tensors(model.student, model.predictor), expected['student']),
                        (named_tensors(model.teacher), expected['teacher'])):
        assert own.keys() == values.keys()
        for name in own:
            torch.testing.assert_close(own[name].data, values[name], rtol=rtol, atol=1e-13)
    norms = {'student.projector': model.student['projector'][1],
             'student.predictor': model.predictor[1],
             'teacher.projector': model.teacher['projector'][1]}
    for name, norm in norms.items():
        mean, var, count = expected['buffers'][rank][name]
        torch.testing.assert_close(norm.running_mean, mean, rtol=rtol, atol=1e-13)
        torch.testing.assert_close(norm.running_var, var, rtol=rtol, atol=1e-13)
        assert norm.num_batches_tracked == count


def _loss(views, student, teacher, buffers):
    predictions, targets = [], []
    for cloud in views.unbind(1):
        projection = _head(_backbone(cloud, student), student, 'projector',
                           buffers['student.projector'])
        predictions.append(_head(projection, student, 'predictor', buffers['student.predictor']))
        targets.append(_head(_backbone(cloud, teacher), teacher, 'projector',
                             buffers['teacher.projector']).detach())
    total = 0.
    for prediction, target in ((predictions[0], targets[1]), (predictions[1], targets[0])):
        cosine = torch.stack([p @ t / (p @ p).sqrt() / (t @ t).sqrt()
                              for p, t in zip(prediction, target)])
        total = total + (2 - 2 * cosine).mean()
    return total


def _backbone(cloud, weights):
    return torch.tanh(cloud @ weights['backbone']).mean(1)


def _head(x, weights, name, buffers):
    hidden = x @ weights[f'{name}.0'].T
    mean = hidden.mean(0)
    var = ((hidden - mean)**2).mean(0)
    with torch.no_grad():
        buffers[0] = 0.9 * buffers[0] + 0.1 * mean
        buffers[1] = 0.9 * buffers[1] + 0.1 * var * len(x) / (len(x) - 1)
        buffers[2] += 1
    hidden = (hidden - mean) / (var + 1e-5).sqrt()
    hidden = hidden * weights[f'{name}.gain'] + weights[f'{name}.bias']
    return hidden.clamp(min=0) @ weights[f'{name}.3'].T
