"""One way to say that an operation was given the wrong tensor."""
import torch
from torch import Tensor


def check_clouds(name: str, tensor: Tensor, channels: int | None = None) -> None:
    """Raises unless ``tensor`` is a floating point batch of non-empty clouds ``(B, N, C)``.

    Args:
        name: Name of the argument, for the message.
        tensor: The batch to look at.
        channels: Number of channels it must have; any number of one or more if ``None``.

    Raises:
        TypeError: If it is no floating point tensor.
        ValueError: If it has the wrong shape or no points.
    """
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        found = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f'{name} must be a floating point tensor, got {found}')
    expected = f'(B, N, {channels if channels is not None else "C"})'
    if tensor.dim() != 3 or (channels is not None and tensor.shape[2] != channels):
        raise ValueError(f'{name} must have shape {expected}, got {tuple(tensor.shape)}')
    if tensor.shape[1] == 0 or tensor.shape[2] == 0:
        raise ValueError(
            f'{name} of shape {tuple(tensor.shape)} is empty: a cloud needs at least one point '
            'and one channel')


def check_count(name: str, count: int) -> None:
    """Raises ``ValueError`` unless ``count`` is a positive integer."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f'{name} must be a positive integer, got {count!r}')


def full_precision(tensor: Tensor) -> Tensor:
    """Widens half precision to float32: a distance in bfloat16 has two decimal digits."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
