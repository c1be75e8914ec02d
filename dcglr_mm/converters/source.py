"""What a release of weights by other authors has to say about itself."""
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from .heads import Head
from .layout import Layout
from .report import Report

#: Reasons that several sources give.
TRAINING_STATE = 'state of the training run, not weights'
SECOND_NAME = 'a second name of a batch norm, with the same values'


@dataclass(frozen=True)
class Selected:
    """The state dict of one network of a checkpoint.

    Attributes:
        weights (dict[str, Any]): By the authors' names within the network.
        names (dict[str, str]): The same names to those in the file.
    """
    weights: dict[str, Any]
    names: dict[str, str]


class Source(Layout):
    """A network as other authors release it: names and layout, to ours and back.

    As a layout it is that of the backbone.

    Attributes:
        name: By which a user asks for it.
        title: One line for people.
        backbone: Type of our backbone.
        networks: Networks in one checkpoint, the default first; empty if there is one only.
        fixed: Arguments of our backbone that the authors' code fixes.
        settings: Arguments that weights do not show, with the authors' defaults.
        left_out: Patterns of keys that have no place in a network of ours, each with the reason.
        head: What follows the backbone, if a network of ours can have it.
    """

    name: str
    title: str
    backbone: str
    networks: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}
    left_out: tuple[tuple[str, str], ...] = ()
    head: Head | None = None

    @abstractmethod
    def recognises(self, content: Mapping[str, Any]) -> bool:
        """Whether a checkpoint looks like one of this source."""

    def select(self, content: Mapping[str, Any], network: str | None,
               report: Report) -> Selected:
        """The state dict of one network; what else the checkpoint holds goes to the report.

        As it stands here, for checkpoints of one network, trained in ``DataParallel`` or not.

        Raises:
            ValueError: The checkpoint has no such network.
        """
        self.check_network(network)
        return select_by_prefix(plain_state_dict(content, report), 'module.')

    @abstractmethod
    def architecture(self, weights: Mapping[str, Tensor]) -> dict[str, Any]:
        """Arguments of our backbone that follow from shapes.

        Raises:
            ValueError: A weight is missing, or has the wrong number of dimensions.
        """

    def recorded_settings(self, content: Mapping[str, Any],
                          weights: Mapping[str, Tensor]) -> dict[str, tuple[Any, str]]:
        """Settings that a checkpoint records, each with where it was found."""
        return {}

    def wrap(self, weights: dict[str, Tensor]) -> dict[str, Any]:
        """A state dict as their evaluation code expects to find it in a file."""
        return weights

    def layouts(self, with_head: bool = False) -> dict[str, Layout]:
        """Layouts of the parts of our network, by the prefix of their keys in it."""
        if not with_head:
            return {'': self}
        return {self.head.backbone_prefix: self, self.head.prefix: self.head}

    def reason_to_leave_out(self, their_name: str, with_head: bool = False) -> str | None:
        """Why a weight of theirs has no place in our network, or None if it should have one."""
        rules = self.left_out
        if self.head is not None and not with_head:
            rules = (*rules, (self.head.keys, self.head.title))
        return next((why for pattern, why in rules if re.match(pattern, their_name)), None)

    def check_network(self, network: str | None) -> str | None:
        """The network to take.

        Raises:
            ValueError: There is no such network.
        """
        if network is None:
            return self.networks[0] if self.networks else None
        if network not in self.networks:
            known = f'one of {list(self.networks)}' if self.networks else 'none: there is only one'
            raise ValueError(f'network {network!r} of source {self.name!r}: expected {known}')
        return network


class StateDictSource(Source):
    """A source whose checkpoints are the state dict of one network, told by its names."""

    def recognises(self, content: Mapping[str, Any]) -> bool:
        state = plain_state_dict(content)
        return is_state_dict(state) and self.recognises_names(
            {name.removeprefix('module.') for name in state})

    @abstractmethod
    def recognises_names(self, names: set[str]) -> bool:
        """Whether a network whose weights have these names looks like one of this source."""


def is_state_dict(value: Any) -> bool:
    """Whether this is a mapping of names to tensors."""
    return (isinstance(value, Mapping) and len(value) > 0
            and all(isinstance(key, str) and isinstance(item, Tensor)
                    for key, item in value.items()))


def arguments_of(value: Any) -> Mapping[str, Any]:
    """Arguments of a training run, which a file holds as a dict or an ``argparse.Namespace``."""
    # What was a Namespace is a dict that is empty, but for its attributes.
    return {**(value if isinstance(value, Mapping) else {}), **getattr(value, '__dict__', {})}


def plain_state_dict(content: Mapping[str, Any],
                     report: Report | None = None) -> Mapping[str, Any]:
    """The state dict of a checkpoint of one network: its entry ``state_dict``, or all of it.

    What stands beside the entry goes to the report, if there is one.
    """
    inner = content.get('state_dict')
    if not isinstance(inner, Mapping):
        return content
    if report is not None:
        report.leave_out((name for name in content if name != 'state_dict'), TRAINING_STATE)
    return inner


def select_by_prefix(state: Mapping[str, Any], *prefixes: str) -> Selected:
    """Take a state dict and remove prefixes, in this order, from the names that have them.

    Raises:
        ValueError: Two names become one, or one is no text.
    """
    names: dict[str, str] = {}
    for name in state:
        if not isinstance(name, str):
            raise ValueError(f'key {name!r} is of type {type(name).__name__}, expected a name')
        short = name
        for prefix in prefixes:
            short = short.removeprefix(prefix)
        if short in names:
            raise ValueError(f'keys {names[short]} and {name} are both {short} without prefixes')
        names[short] = name
    return Selected({short: state[name] for short, name in names.items()}, names)
