"""Turns, medians and budgets, with a clock that is told what to show."""
import gc

import pytest

from dcglr_mm.benchmark.timing import CpuClock, Spread, clock_of, interleaved


class FakeClock:
    """Shows given seconds and remembers the order of runs."""

    def __init__(self, **seconds):
        self.seconds_of = {name: iter(values) for name, values in seconds.items()}
        self.order, self.calls = [], []

    def seconds(self, run, calls):
        self.order.append(run())
        self.calls.append(calls)
        return next(self.seconds_of[self.order[-1]])


def ours():
    return 'ours'


def plain():
    return 'plain'


def test_sides_take_turns_and_medians_leave_the_warm_up_out():
    clock = FakeClock(ours=[9, 9, 1, 2, 3], plain=[99, 99, 10, 40, 60])
    timing = interleaved(ours, plain, clock, rounds=3)
    assert clock.order == ['ours', 'ours', 'plain', 'plain'] + ['ours', 'plain'] * 3
    assert (timing.ours.median, timing.plain.median, timing.speedup) == (2, 40, 20)
    assert timing.ratio.median == 20  # of 10, 20 and 20
    assert timing.ours.count == 3


def test_quick_work_is_called_often_enough_for_the_clock():
    # The quicker warm-up, 1 ms, goes five times into a sample of 5 ms.
    clock = FakeClock(ours=[0.5, 1e-3, 1e-3], plain=[1, 1, 1])
    interleaved(ours, plain, clock, rounds=1)
    assert clock.calls[-2:] == [5, 1]


def test_budget_ends_the_rounds_but_not_before_the_fewest():
    clock = FakeClock(ours=[1] * 20, plain=[1] * 20)
    times = iter([0, 30, 40, 50])
    timing = interleaved(ours, plain, clock, rounds=15, budget=45, min_rounds=3,
                         now=lambda: next(times))
    assert timing.ours.count == 5  # rounds 4 and 5 begin at 30 and 40, a sixth would at 50

    clock = FakeClock(ours=[1] * 4, plain=[1] * 4)
    assert interleaved(ours, plain, clock, rounds=2, budget=0).ours.count == 2


def test_garbage_collection_rests_while_timing_and_comes_back():
    seen = []

    def run():
        seen.append(gc.isenabled())

    interleaved(run, run, CpuClock(), rounds=1)
    assert seen[-1] is False
    assert gc.isenabled()


def test_spread_by_hand():
    assert Spread.of([5., 1, 2, 4, 3]) == Spread(median=3, low=2, high=4, best=1, count=5)
    assert Spread.of([7.]) == Spread(7, 7, 7, 7, 1)


def test_clock_of_a_cpu_shows_the_mean_of_its_calls():
    calls = []
    seconds = clock_of('cpu').seconds(lambda: calls.append(1), 4)
    assert len(calls) == 4
    assert seconds > 0


@pytest.mark.parametrize('rounds', [1, 2])
def test_one_or_two_rounds_are_enough_to_try_it_out(rounds):
    clock = FakeClock(ours=[1] * 5, plain=[2] * 5)
    assert interleaved(ours, plain, clock, rounds=rounds).speedup == 2
