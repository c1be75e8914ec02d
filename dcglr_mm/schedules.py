"""Schedules as pure functions of the step."""
import math


def cosine_schedule(step: int, max_steps: int, start: float, end: float) -> float:
    """Value of a half-cosine that leaves ``start`` at step 0 and reaches ``end`` at ``max_steps``.

    Args:
        step (int): Current step, counted from 0. Steps past ``max_steps`` stay at ``end``.
        max_steps (int): Length of the schedule in steps.
        start (float): Value at step 0.
        end (float): Value at step ``max_steps``.

    Returns:
        float: ``end + (start - end) * (1 + cos(pi * step / max_steps)) / 2``, the schedule of DINO
        for the teacher's momentum and the weight decay.

    Raises:
        ValueError: If ``max_steps`` is not positive or ``step`` is negative.
    """
    if max_steps <= 0 or step < 0:
        raise ValueError(
            f'a schedule needs max_steps > 0 and step >= 0, got step={step}, max_steps={max_steps}')
    progress = min(step / max_steps, 1.0)
    return end + (start - end) * (1.0 + math.cos(math.pi * progress)) / 2.0
