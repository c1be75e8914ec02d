"""Names and shapes of a network's weights in a release by other authors."""
from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor


class Layout(ABC):
    """How a release names and shapes the weights of one part of a network of ours."""

    @abstractmethod
    def their_name(self, name: str) -> str | None:
        """The authors' name of a weight of ours; None if they have no such weight."""

    def second_name(self, their_name: str) -> str | None:
        """Another name under which their state dicts hold the same tensor, if there is one."""
        return None

    def to_ours(self, name: str, value: Tensor) -> Tensor:
        """Their tensor in our layout, ``name`` being ours."""
        return value

    def to_theirs(self, name: str, value: Tensor) -> Tensor:
        """Our tensor in their layout, ``name`` being ours."""
        return value

    def neutral(self, name: str, own: Tensor) -> tuple[Tensor, str] | None:
        """Value with which a weight that they lack changes nothing, and why; None if there is none.

        Args:
            name: Ours.
            own: The weight as it was initialised.
        """
        return None


def shape_of(weights: Mapping[str, Tensor], name: str, dims: int) -> tuple[int, ...]:
    """Shape of a weight.

    Raises:
        ValueError: The weight is missing, or has another number of dimensions.
    """
    if name not in weights:
        raise ValueError(f'key {name} is missing')
    shape = tuple(weights[name].shape)
    if len(shape) != dims:
        raise ValueError(f'key {name} has shape {shape}, expected {dims} dimensions')
    return shape
