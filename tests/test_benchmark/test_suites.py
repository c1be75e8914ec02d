import inspect

import pytest

from dcglr_mm.benchmark.suites import SUITES, select_cases
from dcglr_mm.benchmark.workloads import WORKLOADS

# What the project set itself to reach, case by case: plain allocator (tuned), memory.
PROMISED = {
    'DGCNN B8 N1024 k20, forward + backward': '10x (6x), memory 6x',
    'DGCNN B8 N1024 k40, forward + backward': '15x (9x), memory 10x',
    'DGCNN B4 N2048 k40, forward + backward': '15x (9x), memory 10x',
    'DGCNN B8 N1024 k20, forward without gradient': '10x (6x)',
    'PCT B8 N1024, forward + backward': '3.3x (2.4x)',
    'ViT3D 256x8 B8 N1024, forward + backward': '1.7x',
    'ViT3D 384x12 B8 N1024, forward + backward': '1.7x',
    'kNN B8 N1024 C3 k20': '3x',
    'kNN B8 N1024 C64 k20': '3x',
    'kNN B8 N2048 C3 k20': '3x',
    'kNN B8 N2048 C64 k20': '3x',
    'farthest-point sampling B8 2048 to 64': '6x',
    'farthest-point sampling B8 2048 to 512': '6x',
    'farthest-point sampling B8 2048 to 1024': '6x',
    "12 views of a sample, N1024, fill='interpolate'": 'under 2.5 ms',
    "12 views of a sample, N2048, fill='interpolate'": 'under 2.5 ms',
    'DCGLR step, DGCNN k20, B4 N1024': '9x (5x)',
}


def test_every_promise_has_its_case():
    targets = {case.label: str(case.target) for case in select_cases(SUITES) if case.target}
    assert targets.items() >= PROMISED.items()


def test_cases_differ_and_their_workloads_take_their_settings():
    cases = select_cases(SUITES)
    assert len({case.key for case in cases}) == len(cases)
    for case in cases:
        signature = inspect.signature(WORKLOADS[case.work].build)
        signature.bind(None, **case.settings)


def test_scaling_has_the_points_and_batches_that_are_asked_for():
    curves = {}
    for case in select_cases(['scaling']):
        name, axis = case.curve
        curves.setdefault((name, axis), []).append(case.settings[axis])
    assert curves['DGCNN k20, B1', 'num_points'] == [512, 1024, 2048, 4096, 8192, 16384]
    assert curves['DGCNN k20, N1024', 'batch'] == [1, 2, 4, 8, 16]


def test_variants_are_of_networks_and_bear_no_target():
    cases = select_cases(['ops', 'backbones'], ['bfloat16', 'compile'])
    assert {case.work for case in cases} == {'backbone'}
    assert {case.variant for case in cases} == {'bfloat16', 'compile'}
    assert not any(case.target for case in cases)
    assert len({case.label for case in cases}) == len(cases)


def test_another_batch_is_said_and_takes_the_target_away():
    cases = select_cases(['backbones', 'step'], contains='DGCNN', batch=32)
    assert {case.settings['batch'] for case in cases} == {32}
    assert 'DGCNN B32 N1024 k40, forward + backward' in {case.label for case in cases}
    assert not any(case.target for case in cases)
    case, = select_cases(['step'], contains='DGCNN', batch=4)
    assert str(case.target) == '9x (5x)'


@pytest.mark.parametrize('arguments, message', [
    ((['speed'], ), "suite must be of ops, .*, got 'speed'"),
    ((['ops'], ['float8']), "variant must be of float32, .*, got 'float8'"),
    ((['ops'], ['float32'], 'PCT'), "no case of ops has 'PCT' in its name"),
])
def test_a_wrong_choice_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        select_cases(*arguments)
