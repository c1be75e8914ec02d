"""Loss, centre and EMA over several steps through MMEngine's runner, against the equations."""
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_models'))
from dcglr_reference import (LR, assert_model_equals, build_model, make_clouds,  # noqa: E402
                             reference_training)

NUM_STEPS, BATCH = 5, 8


class ViewDataset(torch.utils.data.Dataset):
    """Serves prepared batches item by item, in order."""

    def __init__(self, batches):
        self.items = [{kind: views[kind][i] for kind in views}
                      for views in batches for i in range(len(views['global']))]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return dict(inputs=self.items[index], data_samples=dict(sample_idx=index))


def make_runner(work_dir, model, batches, batch_size, accumulate=1, hooks=(), **kwargs):
    return Runner(
        model=model,
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=batch_size,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
            dataset=ViewDataset(batches)),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=LR),
                           accumulative_counts=accumulate),
        custom_hooks=[dict(type='dcglr_mm.TeacherUpdateHook'), *hooks],
        default_hooks=dict(logger=None, checkpoint=None),
        log_level='ERROR',
        experiment_name=f'{Path(work_dir).name}_{batch_size}_{accumulate}',
        **kwargs)


def test_five_steps_equal_the_equations(tmp_path):
    batches = make_clouds(NUM_STEPS, BATCH)
    model = build_model()
    make_runner(tmp_path, model, batches, BATCH).train()
    assert_model_equals(model, reference_training(batches))


def test_two_accumulated_halves_equal_one_step_on_the_whole(tmp_path):
    batches = make_clouds(NUM_STEPS, BATCH)
    model = build_model()
    make_runner(tmp_path, model, batches, BATCH // 2, accumulate=2).train()
    # Two iterations a step: lambda follows the iteration at which the optimiser stepped.
    lambda_steps = [(2 * i + 1, 2 * NUM_STEPS) for i in range(NUM_STEPS)]
    assert_model_equals(model, reference_training(batches, lambda_steps))


def test_logged_losses_equal_the_equations():
    batches = make_clouds(1, BATCH)
    losses = build_model().loss(batches[0])
    assert sum(losses.values()).item() == pytest.approx(
        reference_training(batches)['losses'][0], rel=1e-13)


def test_training_without_the_hook_is_refused():
    model = build_model().train()
    with pytest.raises(RuntimeError, match='TeacherUpdateHook'):
        model(make_clouds(1, 2)[0], mode='loss')


def test_forward_passes_move_neither_teacher_nor_centre():
    model = build_model().train()
    model.loss(make_clouds(1, BATCH)[0])
    start = reference_training([])
    assert_model_equals(model, start)


@pytest.mark.slow
def test_two_gloo_ranks_equal_one_process_on_the_whole_batch(tmp_path):
    """Each rank sees half of every batch; weights and centre of both equal the equations'."""
    script = Path(__file__).with_name('dcglr_two_ranks.py')
    env = {**os.environ, 'PYTHONPATH': str(script.parents[2])}  # an installation may be older
    result = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node=2',
         str(script), str(tmp_path)], env=env, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    expected = reference_training(make_clouds(NUM_STEPS, BATCH))
    for rank in range(2):
        model = build_model()
        model.load_state_dict(torch.load(tmp_path / f'rank{rank}.pth'))
        assert_model_equals(model, expected)
