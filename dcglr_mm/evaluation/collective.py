"""Work of one rank whose failure every rank hears of, so that none waits for ever."""
from collections.abc import Callable
from typing import Any

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process


def describe(error: BaseException) -> str:
    """Return ``Type: message`` of an exception."""
    return f'{type(error).__name__}: {error}'


def run_on_main(function: Callable[[], Any]) -> Any:
    """Call ``function`` on rank 0 and return its (picklable) result on every rank.

    Collective: every rank has to call it.

    Raises:
        Exception: On rank 0 whatever ``function`` raised; ``RuntimeError`` with the same text on
            the other ranks.
    """
    message, error = [None, None], None
    if is_main_process():
        try:
            message[0] = function()
        except Exception as caught:
            error, message[1] = caught, describe(caught)
    broadcast_object_list(message, src=0)
    if error is not None:
        raise error
    if message[1] is not None:
        raise RuntimeError(f'rank 0 failed: {message[1]}')
    return message[0]


def gather_or_raise(value: Any, error: Exception | None) -> list[Any]:
    """Return every rank's ``value``, in the order of ranks, unless a rank has an ``error``.

    Collective: every rank has to call it.

    Raises:
        Exception: This rank's own ``error``; ``RuntimeError`` with the text of another rank's.
    """
    replies = all_gather_object((value, None if error is None else describe(error)))
    if error is not None:
        raise error
    for rank, (_, failure) in enumerate(replies):
        if failure is not None:
            raise RuntimeError(f'rank {rank} failed: {failure}')
    return [reply for reply, _ in replies]
