"""STRL over several steps through MMEngine's runner, against the equations."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / 'test_models'))
import strl_reference  # noqa: E402
from strl_reference import (assert_model_equals, build_model, make_views,  # noqa: E402
                            reference_training)
from test_dcglr_training import make_runner as make_any_runner  # noqa: E402

NUM_STEPS, BATCH = 4, 8


def make_runner(work_dir, model, views, batch_size, **kwargs):
    runner = make_any_runner(work_dir, model, views, batch_size, **kwargs)
    runner.optim_wrapper['optimizer']['lr'] = strl_reference.LR
    return runner


def test_four_steps_equal_the_equations(tmp_path):
    views, model = make_views(NUM_STEPS, BATCH), build_model()
    make_runner(tmp_path, model, views, BATCH).train()
    assert_model_equals(model, reference_training(views))


def test_two_accumulated_halves_equal_the_equations(tmp_path):
    views, model = make_views(NUM_STEPS, BATCH), build_model()
    make_runner(tmp_path, model, views, BATCH // 2, accumulate=2).train()
    lambda_steps = [(2 * i + 1, 2 * NUM_STEPS) for i in range(NUM_STEPS)]
    assert_model_equals(
        model, reference_training(views, accumulate=2, lambda_steps=lambda_steps))


def test_logged_loss_equals_the_equations():
    views = make_views(1, BATCH)
    loss, = build_model().train().loss(views[0]).values()
    assert loss.item() == pytest.approx(reference_training(views)['losses'][0], rel=1e-13)


def test_lars_and_bfloat16_train_close_to_float32(tmp_path):
    ends, start = [], build_model().float().state_dict()
    for wrapper in ('OptimWrapper', 'dcglr_mm.AnyDeviceAmpOptimWrapper'):
        views = [{'global': step['global'].float()} for step in make_views(NUM_STEPS, BATCH)]
        model = build_model().float()
        runner = make_runner(tmp_path / wrapper, model, views, BATCH)
        runner.optim_wrapper.update(type=wrapper, optimizer=dict(type='dcglr_mm.LARS', lr=1e-2))
        runner.train()
        ends.append(model.state_dict())
    for name, value in ends[0].items():
        if value.is_floating_point():
            assert ends[1][name].dtype == torch.float32
            moved = (value - start[name]).norm()
            assert moved > 0, name
            assert (ends[1][name] - value).norm() < 0.35 * moved, name


@pytest.mark.slow
def test_two_gloo_ranks_equal_the_equations(tmp_path):
    """Gradients are shared, batch norms are each rank's own."""
    script = Path(__file__).with_name('strl_two_ranks.py')
    env = {**os.environ, 'PYTHONPATH': str(script.parents[2])}
    result = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2',
         str(script), str(tmp_path)], env=env, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    # DefaultSampler deals items out in turn: rank r has every second item of a batch.
    dealt = [{'global': torch.cat([views['global'][r::2] for r in range(2)])}
             for views in make_views(NUM_STEPS, BATCH)]
    expected = reference_training(dealt, ranks=2)
    for rank in range(2):
        model = build_model()
        model.load_state_dict(torch.load(tmp_path / f'rank{rank}.pth'))
        assert_model_equals(model, expected, rank=rank)
