import itertools
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.runner import Runner

sys.path.insert(0, str(Path(__file__).parents[1] / 'test_evaluation'))
from evaluation_fakes import Clouds, TeacherStudent, run_on_two_ranks  # noqa: E402

from dcglr_mm.engine.hooks import LinearSVMHook  # noqa: E402
from dcglr_mm.engine.resume import find_checkpoint_to_resume  # noqa: E402
from dcglr_mm.evaluation import extract_features, linear_svm  # noqa: E402
from dcglr_mm.evaluation.folds import validation_fold  # noqa: E402
from dcglr_mm.registry import DATASETS, HOOKS  # noqa: E402

RUNS = itertools.count()  # MMEngine keeps loggers and hubs by the run's name
TRAIN = Clouds(np.arange(40) % 4, spread=1.5, seed=1)
TEST = Clouds(np.arange(20) % 4, spread=1.5, seed=2)


class TrainableTeacherStudent(BaseModel):
    """Trains the student towards an arbitrary target; the teacher's axes are under test control."""

    def __init__(self):
        super().__init__()
        self.networks = TeacherStudent()

    def extract_feat(self, points, network='teacher'):
        return self.networks.extract_feat(points, network)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        noise = torch.randn(3)  # draws from the global state that evaluation must not touch
        return {'loss': (self.extract_feat(inputs['points'], 'student') - noise).square().mean()}


class BlindTeacher:
    """Hook stand-in: flattens the teacher's features so that accuracy follows a script."""

    def __init__(self, visible):
        self.visible = visible

    def set(self, model, epoch):
        with torch.no_grad():
            model.networks.teacher.backbone.norm.weight.copy_(
                torch.tensor([float(i < self.visible[epoch]) for i in range(3)]))


def make_runner(work_dir, hook, epochs=3, visible=None, batch_size=8, train=TRAIN, **kwargs):
    model = TrainableTeacherStudent()
    hooks = [hook] if hook is not None else []
    if visible is not None:
        hooks.append(make_script_hook(BlindTeacher(visible)))
    return Runner(
        model=model, work_dir=str(work_dir), custom_hooks=hooks,
        train_dataloader=dict(batch_size=batch_size, collate_fn=dict(type='default_collate'),
                              sampler=dict(type='DefaultSampler', shuffle=True), dataset=train),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(logger=None, checkpoint=kwargs.pop('checkpoint', None)),
        randomness=dict(seed=0), log_level='ERROR',
        experiment_name=f'svm_hook_{next(RUNS)}', **kwargs)


def make_script_hook(script):
    from mmengine.hooks import Hook

    class ScriptHook(Hook):
        priority = 'HIGH'

        def before_train_epoch(self, runner):
            model = getattr(runner.model, 'module', runner.model)
            script.set(model, runner.epoch)

    return ScriptHook()


def logged_scalars(runner):
    lines = Path(runner.visualizer.get_backend('LocalVisBackend')._scalar_save_file)
    return [json.loads(line) for line in lines.read_text().splitlines()]


def expected_scores(model, preset='lineage', network='teacher', seed=0):
    x, y = extract_features(model, TRAIN, network=network)
    fit, fold = validation_fold(y, 0.2, seed=seed)
    val = linear_svm(x[fit], y[fit], x[fold], y[fold], preset).accuracy
    return val, linear_svm(x, y, *extract_features(model, TEST, network=network), preset).accuracy


@pytest.mark.parametrize('preset, network', [('lineage', 'teacher'), ('standardised', 'student')])
def test_scores_are_of_the_fold_and_of_the_test_split(tmp_path, preset, network):
    hook = LinearSVMHook(TRAIN, TEST, preset=preset, network=network)
    runner = make_runner(tmp_path, hook, epochs=1)
    metrics = hook.evaluate(runner)
    assert set(metrics) == {'svm/val_accuracy', 'svm/test_accuracy', 'svm/seconds'}
    val, test = expected_scores(runner.model, preset, network)
    assert metrics['svm/val_accuracy'] == val
    assert metrics['svm/test_accuracy'] == test
    assert 0.3 < test < 1
    assert metrics['svm/seconds'] > 0
    assert not list(tmp_path.glob('*.pth'))


def test_scalars_reach_the_visualizer_and_the_hub_at_the_interval_and_the_end(tmp_path):
    runner = make_runner(tmp_path, LinearSVMHook(TRAIN, TEST, interval=2, at_start=True))
    runner.train()
    lines = logged_scalars(runner)
    assert [line['step'] for line in lines] == [0, 10, 15]  # start, epoch 2, the last one
    assert all({'svm/val_accuracy', 'svm/test_accuracy', 'svm/seconds'} <= set(x) for x in lines)
    scores = runner.message_hub.get_scalar('svm/test_accuracy').data[0].tolist()
    assert scores == [line['svm/test_accuracy'] for line in lines]
    assert scores[-1] == expected_scores(runner.model)[1]


def test_iterations_can_be_counted_instead(tmp_path):
    runner = make_runner(tmp_path, LinearSVMHook(TRAIN, interval=6, by_epoch=False))
    runner.train()
    assert [line['step'] for line in logged_scalars(runner)] == [6, 12, 15]
    assert all('svm/test_accuracy' not in line for line in logged_scalars(runner))
    [best] = tmp_path.glob('best_*.pth')
    assert best.name in {f'best_svm_val_accuracy_iter_{i}.pth' for i in (6, 12, 15)}


def test_best_validation_score_decides_and_the_former_best_goes(tmp_path):
    # Axes of the features that the teacher shows in epoch 1, 2, 3, 4: the third is best.
    hook = LinearSVMHook(TRAIN, TEST)
    runner = make_runner(tmp_path, hook, epochs=4, visible=[1, 1, 3, 1])
    runner.train()
    values = [line['svm/val_accuracy'] for line in logged_scalars(runner)]
    assert max(values) == values[2] > values[0]
    assert [path.name for path in tmp_path.glob('*.pth')] == ['best_svm_val_accuracy_epoch_3.pth']
    checkpoint = torch.load(tmp_path / 'best_svm_val_accuracy_epoch_3.pth', weights_only=True)
    assert checkpoint['meta']['epoch'] == 3
    assert checkpoint['meta']['iter'] == 15
    assert checkpoint['message_hub']['runtime_info']['svm_best_val_accuracy'] == values[2]


def test_best_score_survives_a_resume(tmp_path):
    checkpoint = dict(type='CheckpointHook', interval=1)
    hook = LinearSVMHook(TRAIN, TEST)
    make_runner(tmp_path, hook, epochs=2, visible=[3, 1], checkpoint=checkpoint).train()
    best = tmp_path / 'best_svm_val_accuracy_epoch_1.pth'
    assert best.is_file()
    make_runner(tmp_path, LinearSVMHook(TRAIN, TEST, at_start=True), epochs=4,
                visible=[3, 1, 1, 1], checkpoint=checkpoint,
                load_from=str(tmp_path / 'epoch_2.pth'), resume=True).train()
    assert best.is_file()  # worse epochs 3 and 4 replace nothing
    assert len(list(tmp_path.glob('best_*.pth'))) == 1
    # both runs together: none evaluated anew at the start of the resumed one
    lines = [line for file in tmp_path.rglob('scalars.json')
             for line in file.read_text().splitlines()]
    assert sorted(json.loads(line)['step'] for line in lines) == [5, 10, 15, 20]


def test_training_is_the_same_with_and_without_the_hook(tmp_path):
    weights = []
    for name, hook in (('without', None),
                       ('with', LinearSVMHook(TRAIN, TEST, at_start=True, num_workers=2))):
        runner = make_runner(tmp_path / name, hook, epochs=2)
        runner.train()
        weights.append(runner.model.state_dict())
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])


def test_modes_are_restored(tmp_path):
    hook = LinearSVMHook(TRAIN)
    runner = make_runner(tmp_path, hook)
    runner.model.train()
    runner.model.networks.student.eval()
    hook.evaluate(runner)
    assert runner.model.networks.teacher.backbone.norm.training
    assert not runner.model.networks.student.backbone.norm.training


def test_groups_are_held_out_whole(tmp_path, monkeypatch):
    table = tmp_path / 'groups.csv'
    rows = [f'train,{i},family{i // 8}' for i in range(40)]
    table.write_text('split,h5_row,group\n' + '\n'.join(rows))
    seen = {}
    hook = LinearSVMHook(TRAIN, groups=str(table))
    module = sys.modules[LinearSVMHook.__module__]

    def spy(train_x, train_y, test_x, test_y, **kwargs):
        seen['held_out'] = test_x
        return linear_svm(train_x, train_y, test_x, test_y, **kwargs)

    monkeypatch.setattr(module, 'linear_svm', spy)
    runner = make_runner(tmp_path, hook)
    hook.evaluate(runner)
    features = extract_features(runner.model, TRAIN)[0]
    position = {features[i].tobytes(): i for i in range(40)}
    held_out = sorted(position[row.tobytes()] for row in seen['held_out'])
    assert {i // 8 for i in held_out} == {held_out[0] // 8}
    assert len(held_out) == 8


def test_data_sets_are_built_from_configs_once_and_in_test_mode(tmp_path):
    built = []

    @DATASETS.register_module(force=True)
    class CountedClouds(Clouds):

        def __init__(self, test_mode=False, **kwargs):
            built.append(test_mode)
            super().__init__(**kwargs)

    @DATASETS.register_module(force=True)
    class Wrapper(torch.utils.data.ConcatDataset):

        def __init__(self, datasets):
            super().__init__([DATASETS.build(part) for part in datasets])

    part = dict(type='dcglr_mm.CountedClouds', labels=[0, 1] * 10)
    hook = HOOKS.build(dict(
        type='dcglr_mm.LinearSVMHook', train_dataset=part,
        test_dataset=dict(type='dcglr_mm.Wrapper', datasets=[part, part])))
    assert built == []
    runner = make_runner(tmp_path, hook)
    hook.evaluate(runner)
    hook.evaluate(runner)
    assert built == [True, True, True]
    assert 'test_mode' not in part


def test_unfinished_fit_and_other_point_count_are_logged(tmp_path):
    hook = LinearSVMHook(TRAIN, preset='pointglr', max_iter=1)
    runner = make_runner(tmp_path, hook)
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    logger.setLevel('INFO')
    try:
        hook.evaluate(runner)
    finally:
        logger.removeHandler(handler)
    assert any('met its limit of 1 iterations' in text and 'val' in text for text in records)
    assert any("'pointglr' is defined for 1024 points" in text and 'gives 8' in text
               for text in records)


@pytest.mark.parametrize('arguments, message', [
    (dict(interval=0), 'interval must be at least 1, found 0'),
    (dict(val_fraction=1.0), 'val_fraction must be between 0 and 1, found 1.0'),
    (dict(missing_data='skip'), "missing_data must be 'error' or 'warn', found 'skip'"),
    (dict(preset='best'), "unknown SVM preset 'best'"),
])
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LinearSVMHook(TRAIN, **arguments)


def test_unlabelled_data_is_an_error(tmp_path):
    hook = LinearSVMHook([(np.zeros((4, 3)), ) for _ in range(6)])
    with pytest.raises(ValueError, match='train split: 6 of 6 samples have no label'):
        hook.evaluate(make_runner(tmp_path, hook))


class Absent(Clouds):

    def __init__(self, test_mode=False):
        raise FileNotFoundError('data/modelnet40 does not exist')


def test_missing_data_ends_the_run_before_it_starts_or_is_warned_of(tmp_path):
    DATASETS.register_module(module=Absent, force=True)
    config = dict(type='dcglr_mm.Absent')
    runner = make_runner(tmp_path / 'error', LinearSVMHook(config))
    with pytest.raises(FileNotFoundError, match='modelnet40 does not exist'):
        runner.train()
    assert runner.iter == 0
    hook = LinearSVMHook(TRAIN, config, missing_data='warn', at_start=True)
    runner = make_runner(tmp_path / 'warn', hook)
    runner.train()
    assert runner.iter == 15
    assert not list((tmp_path / 'warn').glob('*.pth'))
    with pytest.raises(FileNotFoundError, match='modelnet40 does not exist'):
        hook.evaluate(runner)  # asked for a score, there is no way around the data


@pytest.mark.parametrize('train, test, message', [
    (np.arange(6), None, 'none of its 6 classes has two samples'),
    (np.zeros(6, int), None, 'needs two classes or more'),
    (np.arange(6) % 2, np.arange(6) % 3, 'classes that have no train sample: labels .2.'),
])
def test_labels_that_allow_no_score_are_refused_before_training(tmp_path, train, test, message):
    hook = LinearSVMHook(Clouds(train), None if test is None else Clouds(test))
    runner = make_runner(tmp_path, hook)
    with pytest.raises(ValueError, match=message):
        runner.train()
    assert runner.iter == 0


class BrokenCloud(Clouds):

    def __getitem__(self, index):
        if index == 5:
            raise ValueError('row 5: 1 of 8 points are NaN')
        return super().__getitem__(index)


def test_training_is_saved_when_its_evaluation_fails(tmp_path):
    hook = LinearSVMHook(TRAIN, BrokenCloud(np.arange(20) % 4), interval=2)
    runner = make_runner(tmp_path / 'run', hook, checkpoint=dict(type='CheckpointHook', interval=2))
    with pytest.raises(ValueError, match='row 5'):
        runner.train()
    path, _ = find_checkpoint_to_resume(tmp_path / 'run')
    assert Path(path).name == 'epoch_2.pth'
    checkpoint = torch.load(path, weights_only=True)
    assert (checkpoint['meta']['epoch'], checkpoint['meta']['iter']) == (2, 10)
    state = runner.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in checkpoint['state_dict'].items())
    resumed = make_runner(tmp_path / 'run', None, load_from=path, resume=True)
    resumed.train()
    assert (resumed.epoch, resumed.iter) == (3, 15)


def _train_on_two_ranks(rank, work_dir):
    hook = LinearSVMHook(TRAIN, TEST)
    runner = make_runner(
        work_dir, hook, epochs=2, visible=[3, 1], batch_size=4, launcher='pytorch',
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None,
                                        find_unused_parameters=True)))
    runner.train()
    metrics = hook.evaluate(runner)
    val, test = expected_scores(runner.model)
    assert (metrics['svm/val_accuracy'], metrics['svm/test_accuracy']) == (val, test)
    assert [path.name for path in Path(work_dir).glob('*.pth')] == [
        'best_svm_val_accuracy_epoch_1.pth']
    # Only rank 0 fits: both have to hear that it could not.
    hook._configs['train'] = hook._datasets['train'] = Clouds(np.zeros(6, int))
    error = ValueError if rank == 0 else RuntimeError
    with pytest.raises(error, match='needs two classes or more'):
        hook.evaluate(runner)


@pytest.mark.slow
def test_two_ranks_share_the_work_and_the_result(tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    run_on_two_ranks(tmp_path, _train_on_two_ranks, str(tmp_path / 'run'))
