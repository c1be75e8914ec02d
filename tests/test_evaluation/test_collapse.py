import math
import re

import numpy as np
import pytest

from dcglr_mm.evaluation.collapse import CollapseDetector, CollapseLimits, find_symptoms

K = 512
UNIFORM = math.log(K)
HEALTHY = dict(loss=6.0, teacher_entropy=4.0, teacher_marginal_entropy=5.5, teacher_student_kl=0.3,
               feature_relative_std=0.4, effective_rank=12.0)


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


def healthy_start(interval, iterations=3000):
    """Entropy starts a hair below log K, KL decays at once, and differences grow slowly."""
    rng = np.random.default_rng(0)
    for i in range(interval, iterations + 1, interval):
        grown = 1 / (1 + math.exp(-(i - 700) / 80))  # late: a slow, warmed-up learning rate
        entropy = UNIFORM * (0.99995 - 0.35 * grown) - 0.001 * rng.random()
        yield i, dict(
            loss=entropy + 0.02, teacher_entropy=entropy,
            teacher_marginal_entropy=UNIFORM * (0.9999 - 0.05 * grown),
            teacher_student_kl=0.2 * math.exp(-i / 30) + 3e-5 + 0.3 * grown,
            feature_relative_std=0.003 + 0.3 * grown, effective_rank=1.3 + 10 * grown)


def test_healthy_run_is_never_stopped():
    assert run(constant()) is None
    for interval in (1, 10, 50):
        assert run(healthy_start, interval) is None


@pytest.mark.parametrize('name, changes, text', [
    ('uniform teacher', dict(teacher_entropy=UNIFORM * 0.99999, teacher_student_kl=1e-6),
     r'teacher entropy is 99.999% of log K \(limit 99.990%\) and KL.* is 1e-06 nats'),
    ('one prototype', dict(teacher_entropy=1e-6, teacher_marginal_entropy=1e-4 * UNIFORM),
     'entropy of the mean teacher output is 0.010% of log K'),
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
    assert iteration == 900  # looks at 600, 700, 800, 900
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
