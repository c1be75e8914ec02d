"""Unequal work is refused; the plain code and the library agree on every kind of work."""
from dataclasses import replace

import pytest
import torch
from torch import nn

from dcglr_mm.benchmark import runner
from dcglr_mm.benchmark.case import Case, Setup, Side, Sides, Workload
from dcglr_mm.benchmark.verify import UnequalError, build, compare, small_settings, verified_sides
from dcglr_mm.benchmark.workloads import WORKLOADS

# The smallest sizes at which a piece of work is still what it is.
TINY = {
    'knn': dict(batch=2, num_points=70, channels=5, k=6),
    'fps': dict(batch=2, num_points=60, num_samples=20),
    'gather': dict(batch=2, num_points=30, channels=4, k=5),
    'maximum': dict(batch=2, num_points=30, channels=4, k=5, winner=True),
    'interpolate': dict(batch=2, num_points=40, num_sources=12, channels=5),
    'crop': dict(batch=2, num_points=60, num=20),
    'edge_conv': dict(batch=2, num_points=40, channels=3, out_channels=8, k=5),
    'backbone': dict(backbone='DGCNN', batch=2, num_points=40, backward=True, k=5,
                     widths=(8, 12), emb_dims=16),
    'dcglr_step': dict(backbone='DGCNN', batch=2, num_points=24, k=4, widths=(4, ), emb_dims=8,
                       hidden=16),
    'views': dict(num_points=128, fill='interpolate'),
    'loader_fps': dict(num_points=300, num_samples=150),
    'loader_crop': dict(num_points=300, num=100),
    'features': dict(backbone='ViT3D', num_clouds=5, batch=2, num_points=64, embed_dims=24,
                     depth=1, num_heads=4),
}


def make_case(work: str, **settings) -> Case:
    return Case('ops', work, f'tiny {work}', settings or TINY[work])


@pytest.mark.parametrize('work', WORKLOADS)
def test_plain_code_and_library_do_the_same_work(work):
    sides, differences = verified_sides(make_case(work), Setup())
    assert differences
    assert all(value <= 1e-7 for name, value in differences.items() if 'float64' in name)
    for side in (sides.ours, sides.plain):  # what is timed can be called again
        side.run()


@pytest.mark.parametrize('settings', [
    dict(backbone='PCT', batch=2, num_points=40, backward=True),
    dict(backbone='ViT3D', batch=2, num_points=96, backward=True, embed_dims=24, depth=2,
         num_heads=4),
    dict(backbone='DGCNN', batch=2, num_points=40, backward=False, training=False, k=5,
         widths=(8, 12), emb_dims=16),
], ids=lambda settings: settings['backbone'])
def test_every_backbone_has_its_plain_twin(settings):
    _, differences = verified_sides(make_case('backbone', **settings), Setup())
    assert differences['float64 output'] < 1e-10


@pytest.mark.parametrize('fill', ['repeat', 'subsample'])
def test_every_fill_has_its_plain_twin(fill):
    _, differences = verified_sides(make_case('views', num_points=128, fill=fill), Setup())
    assert differences and max(differences.values()) <= 1e-6


def test_autocast_is_judged_by_what_plain_autocast_loses():
    case = replace(make_case('backbone'), variant='bfloat16')
    _, differences = verified_sides(case, runner.setup_of(case, 'cpu'))
    assert min(differences['output'], differences['plain output']) > 1e-4  # both in bfloat16


def test_a_batch_norm_with_another_epsilon_is_refused(monkeypatch):
    def wrong(setup: Setup, **settings) -> Sides:
        sides = WORKLOADS['edge_conv'].build(setup, **settings)
        for cell in sides.plain.run.__closure__:
            if isinstance(cell.cell_contents, nn.Module):
                cell.cell_contents[1].eps = 1.1e-5
        return sides

    monkeypatch.setitem(WORKLOADS, 'wrong', Workload(wrong, tolerance=1e-3))
    with pytest.raises(UnequalError, match='their output differs in float64'):
        verified_sides(make_case('wrong', **TINY['edge_conv']), Setup())


def unequal_sides(setup: Setup, batch: int) -> Sides:
    return Sides(Side(lambda: torch.ones(batch), lambda found: {'output': found}),
                 Side(lambda: torch.full((batch, ), 1.5), lambda found: {'output': found}))


def test_unequal_work_is_not_timed(monkeypatch):
    def no_timing(*args, **kwargs):
        raise AssertionError('timed')

    monkeypatch.setitem(WORKLOADS, 'unequal', Workload(unequal_sides, exact=False))
    monkeypatch.setattr(runner, 'interleaved', no_timing)
    with pytest.raises(UnequalError, match='output differs as timed by 3.3e-01, at most 1.0e-02'):
        runner.measure_case(make_case('unequal', batch=4), runner.Options())


def test_an_unknown_workload_is_named():
    with pytest.raises(ValueError, match="no workload is called 'sorting', only knn"):
        build(make_case('sorting', batch=1), Setup())


def test_differences_by_hand():
    a, b = torch.tensor([3., 4.5]), torch.tensor([3., 4.])
    assert compare({'x': a}, {'x': b}) == {'x': pytest.approx(0.1)}
    assert compare({'i': torch.tensor([1, 2, 3, 4])}, {'i': torch.tensor([1, 2, 3, 5])}) == {
        'i': 0.25}
    assert compare({'x': b}, {'x': b}) == {'x': 0}
    assert compare({'x': a - a}, {'x': a - a}) == {'x': 0}


def test_a_tensor_that_vanishes_is_measured_by_its_group():
    # 1e-5 beside a tensor of norm 5: a thousandth of 5 is what it is held against.
    found = {'g/a': torch.tensor([3., 4.]), 'g/b': torch.tensor([1e-5])}
    expected = {'g/a': torch.tensor([3., 4.]), 'g/b': torch.tensor([0.])}
    assert compare(found, expected, each=True) == {'g': pytest.approx(2e-3)}
    assert compare(found, expected) == {'g': pytest.approx(2e-6)}
    assert compare(found, {**expected, 'g/b': torch.tensor([-1.])}, each=True) == {
        'g': pytest.approx(1, abs=1e-4)}


@pytest.mark.parametrize('found, expected', [
    (torch.tensor([float('nan')]), torch.tensor([1.])),
    (torch.tensor([1.]), torch.tensor([float('nan')])),
    (torch.tensor([1.]), torch.tensor([0.])),
])
def test_nan_and_something_for_nothing_are_infinitely_different(found, expected):
    for each in (True, False):
        assert compare({'x': found}, {'x': expected}, each) == {'x': float('inf')}


def test_results_of_other_names_or_shapes_are_refused():
    with pytest.raises(UnequalError, match=r"only one of them has \['b'\]"):
        compare({'a': torch.ones(1)}, {'a': torch.ones(1), 'b': torch.ones(1)})
    with pytest.raises(UnequalError, match=r'a is \(2,\) and, by the plain code, \(1,\)'):
        compare({'a': torch.ones(2)}, {'a': torch.ones(1)})


def test_small_settings_shrink_sizes_and_nothing_else():
    found = small_settings(dict(batch=8, num_points=2048, num_samples=1024, k=20, channels=64))
    assert found == dict(batch=2, num_points=384, num_samples=96, k=20, channels=64)
    assert small_settings(dict(batch=1, num_points=10)) == dict(batch=1, num_points=10)
