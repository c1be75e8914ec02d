"""One whole training step with its 12 views."""
from __future__ import annotations

import torch
from torch import Tensor, nn

from dcglr_mm.engine.optim_constructor import DecayGroupsConstructor
from dcglr_mm.models import DCGLR

from ..case import Setup, Side, Sides
from ..inputs import make_views
from ..plain import dcglr as plain
from .networks import build_pair, share_weights

_LR, _WEIGHT_DECAY, _DECAY = 1e-3, 0.04, 0.996


def dcglr_step(setup: Setup, backbone: str, batch: int, num_points: int, hidden: int = 2048,
               **settings) -> Sides:
    """Both networks, losses, backward, clipping, AdamW, centre and EMA, on views that are ready."""
    ours, network = build_pair(backbone, **settings)
    model = DCGLR(dict(type=f'dcglr_mm.{backbone}', **settings),
                  dict(type='dcglr_mm.Projector', hidden_channels=hidden), teacher_lambda=_DECAY)
    head = plain.Projector(ours.out_channels, hidden=hidden)
    share_weights(model.student['projector'], head)
    model.student['backbone'].load_state_dict(ours.state_dict())
    model.teacher.load_state_dict(model.student.state_dict())

    views = {kind: view.to(setup.device) for kind, view in make_views(
        batch, num_points, dtype=setup.dtype, on_grid=setup.on_grid).items()}
    model = model.to(setup.device, setup.dtype).train()
    network, head = (part.to(setup.device, setup.dtype).train() for part in (network, head))
    trainer = plain.DCGLR(network, head, lr=_LR, weight_decay=_WEIGHT_DECAY, decay=_DECAY)
    if setup.compile:
        model.student['backbone'].compile(dynamic=False)
        model.teacher['backbone'].compile(dynamic=False)
        trainer.student['backbone'].compile(dynamic=False)
        trainer.teacher['backbone'].compile(dynamic=False)
    return Sides(_our_side(setup, model, views), _plain_side(setup, trainer, views))


def _our_side(setup: Setup, model: DCGLR, views: dict[str, Tensor]) -> Side:
    wrapper = DecayGroupsConstructor(dict(
        type='dcglr_mm.PerTensorClipOptimWrapper', clip_grad=dict(max_norm=3.0),
        optimizer=dict(type='AdamW', lr=_LR, weight_decay=_WEIGHT_DECAY)))(model)
    model.teacher_update_attached = True
    device = torch.device(setup.device).type

    def run() -> dict[str, Tensor]:
        with torch.autocast(device, torch.bfloat16, enabled=setup.autocast):
            losses = model(views, mode='loss')
        total, _ = model.parse_losses(losses)
        wrapper.update_params(total)
        model.after_optimizer_step(0, 1000)
        return losses

    return Side(run, lambda losses: _results(losses, model.student, model.teacher,
                                             model.center.value), wrapper.zero_grad)


def _plain_side(setup: Setup, trainer: plain.DCGLR, views: dict[str, Tensor]) -> Side:
    device = torch.device(setup.device).type

    def run() -> dict[str, Tensor]:
        with torch.autocast(device, torch.bfloat16, enabled=setup.autocast):
            return trainer.train_step(views)

    return Side(run, lambda losses: _results(losses, trainer.student, trainer.teacher,
                                             trainer.center.flatten()),
                trainer.optimizer.zero_grad)


def _results(losses: dict[str, Tensor], student: nn.Module, teacher: nn.Module,
             center: Tensor) -> dict[str, Tensor]:
    named = {f'loss/{name}': value.detach() for name, value in losses.items()}
    named['center'] = center.clone()
    for name, network in (('student', student), ('teacher', teacher)):
        named |= {f'{name}/{key}': value.clone() for key, value in network.state_dict().items()
                  if value.is_floating_point()}
    return named
