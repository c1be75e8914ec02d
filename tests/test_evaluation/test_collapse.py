import json
import math
import re
from pathlib import Path

import pytest

from dcglr_mm.evaluation.collapse import CollapseDetector, CollapseLimits, find_symptoms

K = 512
UNIFORM = math.log(K)
TRACES = json.loads(Path(__file__).with_name('collapse_traces.json').read_text())['traces']
HEALTHY = dict(loss=6.0, teacher_entropy=4.0, teacher_marginal_entropy=5.5, teacher_student_kl=0.3,
               teacher_information=1.5, feature_relative_std=0.4,
               effective_rank=12.0)


def run(trace, interval=10, limits=None, num_prototypes=K):
    """Return (iteration, verdict) at which the detector speaks, or None."""
    detector = CollapseDetector(limits or CollapseLimits(), num_prototypes)
    for iteration, measures in trace(interval):
        verdict = detector.check(iteration, measures)
        if verdict is not None:
            return iteration, verdict
    return None


def constant(iterations=5000, **changes):
    return lambda interval: ((i, {**HEALTHY, **changes})
                             for i in range(interval, iterations + 1, interval))


def recorded(name):
    """Measures of a real run, each held until the next one was recorded."""
    trace = TRACES[name]

    def replay(interval):
        for row in trace['rows']:
            measures = dict(zip(trace['columns'], row))
            iteration = measures.pop('iteration')
            measures['teacher_marginal_entropy'] = (
                measures['teacher_entropy'] + measures['teacher_information'])
            yield iteration, measures

    return replay


def test_healthy_run_is_never_stopped():
    assert run(constant()) is None


@pytest.mark.parametrize('name', [name for name in TRACES if name.startswith('alive')])
def test_recorded_start_of_a_living_run_is_no_alarm_even_without_warmup(name):
    assert run(recorded(name), limits=CollapseLimits(warmup=0, patience=40)) is None
    # nor is it anywhere near one
    columns = dict(zip(TRACES[name]['columns'], zip(*TRACES[name]['rows'])))
    limits = CollapseLimits()
    assert min(columns['teacher_information']) > 20 * limits.information
    assert max(columns['teacher_entropy']) < 0.999 * UNIFORM
    assert min(columns['feature_relative_std']) > 100 * limits.relative_std


@pytest.mark.parametrize('name, verdict, latest', [
    ('dead_fast_teacher', 'uninformative teacher', 240),
    ('dead_uniform', 'uninformative teacher|uniform teacher', 240),
    ('dead_no_centre', 'one prototype', 160),
])
def test_recorded_dead_run_is_recognised(name, verdict, latest):
    iteration, text = run(recorded(name), limits=CollapseLimits(warmup=40, patience=100))
    assert iteration <= latest
    assert re.search(f'collapsed .({verdict})', text)


@pytest.mark.parametrize('name, changes, text', [
    ('uniform teacher', dict(teacher_entropy=UNIFORM * 0.99999, teacher_student_kl=1e-6),
     r'teacher entropy is 99.999% of log K \(limit 99.990%\) and KL.* is 1e-06 nats'),
    ('one prototype', dict(teacher_entropy=1e-6, teacher_marginal_entropy=1e-4 * UNIFORM),
     'entropy of the mean teacher output is 0.010% of log K'),
    ('uninformative teacher', dict(teacher_information=2e-5),
     r'information of sample and prototype is 2e-05 nats \(limit 0.001\)'),
    ('constant features', dict(feature_relative_std=1e-6, effective_rank=7.0),
     r'relative deviation of the features is 1e-06 \(limit 0.0001\)'),
    ('features on a line', dict(effective_rank=1.001),
     r'effective rank of the features is 1.001 \(limit 1.01\)'),
    ('non-finite loss', dict(loss=math.nan), 'the loss is nan'),
])
def test_each_death_is_named_after_warmup_and_patience(name, changes, text):
    limits = CollapseLimits(warmup=500, patience=300)
    iteration, verdict = run(constant(**changes), limits=limits)
    assert iteration == 810  # judged from check 510 on, for 300 iterations
    assert f'collapsed ({name}) at iteration 810' in verdict
    assert 'since iteration 10 ' in verdict
    assert re.search(text, verdict)


def test_sharp_but_varied_teacher_is_no_symptom():
    # every sample sure of its prototype, prototypes all in use
    measures = dict(teacher_entropy=1e-5, teacher_marginal_entropy=5.0, teacher_student_kl=1e-5)
    assert find_symptoms(measures, CollapseLimits(), K) == []


def test_uniform_teacher_that_the_student_has_yet_to_follow_is_no_symptom():
    measures = dict(teacher_entropy=UNIFORM, teacher_student_kl=0.01)
    assert find_symptoms(measures, CollapseLimits(), K) == []


def test_one_better_check_starts_the_count_anew():
    def trace(interval):
        for i in range(interval, 2001, interval):
            yield i, {**HEALTHY, 'effective_rank': 5.0 if i % 290 == 0 else 1.0}

    assert run(trace) is None


def test_measures_that_are_rare_keep_their_count_between_looks():
    def trace(interval):
        for i in range(interval, 3001, interval):
            measures = dict(HEALTHY, effective_rank=1.0)
            if i % 100:
                del measures['effective_rank'], measures['feature_relative_std']
            yield i, measures

    iteration, verdict = run(trace)
    assert iteration == 600  # looks at 300, 400, 500, 600
    assert 'at each of 4 checks' in verdict


def test_three_checks_are_needed_however_rare_they_are():
    assert run(constant(effective_rank=1.0), interval=1000)[0] == 3000


def test_broken_weights_need_no_patience():
    detector = CollapseDetector(CollapseLimits(), K)
    assert detector.check(10, dict(loss=math.inf), weights_are_finite=True) is None
    verdict = detector.check(20, dict(loss=math.nan), weights_are_finite=False)
    assert 'non-finite loss' in verdict
    assert 'since iteration 10' in verdict


def test_a_skipped_amp_step_is_forgiven():
    detector = CollapseDetector(CollapseLimits(warmup=0, patience=0), K)
    for iteration in range(10, 1000, 10):
        loss = math.inf if iteration % 30 else 1.0
        assert detector.check(iteration, dict(loss=loss)) is None


def test_entropies_are_not_judged_without_the_number_of_prototypes():
    measures = dict(teacher_entropy=UNIFORM, teacher_student_kl=0.0, teacher_marginal_entropy=0.0)
    assert run(constant(**measures), num_prototypes=None) is None


def test_negative_limits_are_refused():
    with pytest.raises(ValueError, match='found -1 and 300'):
        CollapseLimits(warmup=-1)
