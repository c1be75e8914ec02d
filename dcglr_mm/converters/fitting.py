"""Give every weight of a network of ours its tensor, and every key of a release an account."""
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .layout import Layout
from .report import Report
from .source import SECOND_NAME, Selected, Source

_NOT_STORED = 'not stored by the PyTorch that wrote the file; nothing depends on it'


def fit_weights(source: Source, network: nn.Module, selected: Selected, report: Report,
                with_head: bool = False) -> dict[str, Tensor]:
    """Load a release into a network, with an account of every key.

    Args:
        source: Whose names the keys have.
        network: The backbone; ``with_head`` says that it is the whole network.
        selected: Weights by those names.
        report: Gets what became of every key.

    Returns:
        State dict of the network.

    Raises:
        ValueError: A key is unknown, missing or of the wrong shape.
    """
    layouts = source.layouts(with_head)
    rest, state, missing = dict(selected.weights), {}, []
    for name, own in network.state_dict().items():
        prefix = next(prefix for prefix in layouts if name.startswith(prefix))
        layout, short = layouts[prefix], name.removeprefix(prefix)
        their_name = layout.their_name(short)
        value = None
        if their_name is not None:
            value = _take(layout, their_name, rest, selected, report)
        if value is not None:
            report.taken[selected.names.get(their_name, their_name)] = name
            value = _check_shape(layout, short, their_name, value, own)
        elif (neutral := _neutral(layout, short, own)) is not None:
            value, reason = neutral
            report.add(name, reason)
        else:
            missing.append(their_name or name)
            continue
        state[name] = value.detach().clone(memory_format=torch.contiguous_format)
    unknown = _leave_out(source, rest, selected, report, with_head)
    problems = [f'{what}: {", ".join(names[:5])}' + (
        f' and {len(names) - 5} more' if len(names) > 5 else '')
        for what, names in (('missing keys', missing), ('unknown keys', unknown)) if names]
    if problems:
        raise ValueError(f'{"; ".join(problems)} (expected those of {source.title})')
    network.load_state_dict(state)
    return state


def _take(layout: Layout, name: str, rest: dict[str, Tensor], selected: Selected,
          report: Report) -> Tensor | None:
    """Take a weight out of ``rest``, and its second name with it.

    Raises:
        ValueError: Two names of one tensor hold different values.
    """
    value = rest.pop(name, None)
    second = layout.second_name(name)
    if second is None or second not in rest:
        return value
    other = rest.pop(second)
    if value is None:
        selected.names[name] = selected.names[second]
        return other
    if not torch.equal(value, other):
        raise ValueError(f'keys {selected.names[name]} and {selected.names[second]} name the same '
                         'tensor, but hold different values')
    report.leave_out(selected.names[second], SECOND_NAME)
    return value


def _neutral(layout: Layout, name: str, own: Tensor) -> tuple[Tensor, str] | None:
    """What a weight that the release lacks may be, and why."""
    if name.endswith('num_batches_tracked'):
        return own, _NOT_STORED
    return layout.neutral(name, own)


def _leave_out(source: Source, rest: Mapping[str, Tensor], selected: Selected, report: Report,
               with_head: bool) -> list[str]:
    """Note keys that have no place in the network; gives those that should have one."""
    unknown = []
    for their_name in rest:
        reason = source.reason_to_leave_out(their_name, with_head)
        if reason is None:
            unknown.append(selected.names[their_name])
        else:
            report.leave_out(selected.names[their_name], reason)
    return unknown


def _check_shape(layout: Layout, name: str, their_name: str, value: Tensor,
                 own: Tensor) -> Tensor:
    ours = layout.to_ours(name, value)
    if ours.shape != own.shape:
        expected = tuple(layout.to_theirs(name, own).shape)
        raise ValueError(f'key {their_name} has shape {tuple(value.shape)}, expected {expected}')
    if ours.is_floating_point() != own.is_floating_point():
        raise ValueError(f'key {their_name} holds {value.dtype}, expected {own.dtype}')
    return ours
