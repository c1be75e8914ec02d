import math

import pytest

from dcglr_mm.schedules import cosine_schedule


def test_cosine_leaves_start_and_reaches_end():
    assert cosine_schedule(0, 10, 0.996, 1.0) == pytest.approx(0.996, abs=1e-15)
    assert cosine_schedule(5, 10, 0.996, 1.0) == pytest.approx(0.998)
    assert cosine_schedule(10, 10, 0.996, 1.0) == 1.0
    assert cosine_schedule(25, 10, 0.996, 1.0) == 1.0


def test_cosine_equals_its_formula():
    for step in range(8):
        expected = 0.4 + 0.5 * (0.04 - 0.4) * (1 + math.cos(math.pi * step / 7))
        assert cosine_schedule(step, 7, 0.04, 0.4) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize('step, max_steps', [(-1, 10), (0, 0), (3, -2)])
def test_impossible_steps_are_refused(step, max_steps):
    with pytest.raises(ValueError, match=f'step={step}, max_steps={max_steps}'):
        cosine_schedule(step, max_steps, 0.0, 1.0)
