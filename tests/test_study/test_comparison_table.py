"""The numbers of a comparison, against hand-computed ones."""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config

from dcglr_mm.study import Row, Run, Scoring, collect, format_markdown, format_text
from dcglr_mm.study import figures
from dcglr_mm.study.cost import read_cost, share_done
from dcglr_mm.study.report import draw, notes, write_report

SCORING = Scoring(presets=('strl', ), rotations=('so3', ))


def scores(strl, folds, knn, rank, converged=True):
    """What score_backbone returns, as far as the table reads it."""
    return dict(test_samples=100, rotations=dict(so3=dict(
        svm=dict(all=dict(accuracy=folds, std=0, accuracy_at_C1=0.1, fold_accuracy=0.5,
                          fold_accuracy_std=0.01)),
        presets=dict(strl=dict(accuracy=strl, converged=converged)),
        knn=dict(accuracy=knn),
        features=dict(effective_rank=rank, relative_std=0.5, effective_rank_standardised=9.0))))


def make_run(folder, networks, seeds=(), checkpoint=None):
    folder.mkdir(parents=True)
    run = Run(folder, Config(dict(train_cfg=dict(max_epochs=4))), seeds, checkpoint)
    run.scores_file.write_text(json.dumps(dict(networks={
        name: dict(scores=entry) for name, entry in networks.items()})))
    return run


def write_log(run, *records, name='20260101_000000'):
    log = run.work_dir / name / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text(''.join(json.dumps(record) + '\n' for record in records))


def at(step, seconds, **more):
    """What MMEngine logs every few steps."""
    return dict(step=step, iter=step, time=seconds, **more)


@pytest.fixture
def rows(tmp_path):
    untrained = make_run(tmp_path / 'u', {
        'untrained': [scores(.1, .2, .3, 4.), scores(.2, .2, .5, 4.)],
        'untrained, BN calibrated': [scores(.3, .1, .1, 5.), scores(.3, .3, .1, 5.)]}, (0, 1))
    trained = [make_run(tmp_path / f's{seed}', {'net': [scores(*values)]}, (seed, ))
               for seed, values in enumerate([(.5, .6, .7, 2., False), (.7, .6, .3, 3.)])]
    for run, peak in zip(trained, (1e9, 2e9)):
        (run.folder / 'trained.json').write_text(json.dumps(dict(checkpoint='c',
                                                                 peak_bytes=peak)))
    # 10 steps of 2 s, 10 of 1 s; the second run broke off after step 12 and went on from step 10.
    write_log(trained[0], at(10, 2., loss=1., epoch=1), at(20, 1., epoch=2))
    write_log(trained[1], at(10, 2., epoch=1), at(12, 90., epoch=2))
    write_log(trained[1], at(12, 1., epoch=2), at(20, 1., epoch=2), name='20260101_000001')
    return [Row('untrained', 'PCT', 'c.py', (untrained, )),
            Row('STRL', 'PCT', 'c.py', tuple(trained))]


def test_means_deviations_and_costs(rows):
    table = collect(rows, SCORING)
    untrained, calibrated, strl = table['rows']
    assert [row['method'] for row in table['rows']] == [
        'untrained', 'untrained, BN calibrated', 'STRL']
    assert untrained['scores']['strl']['values'] == [.1, .2]
    assert calibrated['scores']['C by folds']['mean'] == pytest.approx(.2)
    assert strl['scores']['strl']['mean'] == pytest.approx(.6)
    assert strl['scores']['strl']['std'] == pytest.approx(.02**.5)
    assert strl['scores']['kNN']['std'] == pytest.approx(.08**.5)
    assert strl['collapse']['effective_rank']['mean'] == 2.5
    assert strl['not_converged'] == ['strl'] and untrained['not_converged'] == []
    assert (strl['seeds'], strl['checkpoints']) == ([0, 1], [])
    cost = {name: column['values'] for name, column in strl['cost'].items()}
    np.testing.assert_allclose(cost['steps'], [20, 20])
    np.testing.assert_allclose(cost['milliseconds_a_step'], [1500, 1500])
    np.testing.assert_allclose(cost['minutes'], [.5, .5])
    np.testing.assert_allclose(cost['peak_gigabytes'], [1, 2])
    assert untrained['cost'] == {}
    assert table['test_samples'] == 100
    assert json.loads(json.dumps(table)) == table


def test_runs_that_failed_are_named_and_not_in_the_means(rows):
    failed = rows[1].runs[0].folder
    table = collect(rows, SCORING, {failed: 'training STRL: diverged'})
    assert table['failures'] == {str(failed): 'training STRL: diverged'}
    assert table['rows'][2]['seeds'] == [1]
    assert table['rows'][2]['scores']['strl']['values'] == [.7]
    nothing = collect(rows[1:], SCORING, {run.folder: 'x' for run in rows[1].runs})
    with pytest.raises(ValueError, match='no run has ended well'):
        format_text(nothing)


def test_text_and_markdown(rows):
    table = collect(rows, SCORING)
    lines = format_text(table).splitlines()
    assert lines[-1].split() == ('PCT STRL rotated 2 0.600 ± 0.141* 0.600 ± 0.000 0.500 ± 0.283 '
                                 '2.5 ± 0.7 0.500 ± 0.000 20 1500 0.5 1.50').split()
    head, rule, *body = format_markdown(table).splitlines()
    assert head.count('|') == rule.count('|') == body[0].count('|')
    assert '| **0.600** ± 0.141* |' in body[2] and '**' not in body[0]
    # The columns of cost are left out where nothing was trained.
    assert 'minutes' not in format_text(collect(rows[:1], SCORING))


def test_a_loaded_networks_cost_comes_from_the_log_beside_it(tmp_path):
    work_dir = tmp_path / 'work'
    run = make_run(tmp_path / 'r', {}, checkpoint=work_dir / 'epoch_4.pth')
    assert read_cost(run) == (None, None, None)
    # An evaluation after step 8, which is counted in epochs, has a time as well.
    write_log(run, at(5, .5, memory=100), at(8, 1., memory=300),
              dict(step=1, accuracy=.5, time=70.), at(13, 2., memory=900))

    def cost_at(step):
        torch.save(dict(meta=dict(iter=step), state_dict={}), run.checkpoint)
        return read_cost(run)
    assert cost_at(8) == (8, pytest.approx(5.5), 300 * 2**20)  # not what followed it
    assert cost_at(10) == (10, pytest.approx(7.5), 300 * 2**20)
    assert cost_at(15) == (15, pytest.approx(19.5), 900 * 2**20)
    assert cost_at(19) == (None, None, None)  # the log does not reach that far: it is another's
    torch.save({'weight': torch.ones(1)}, run.checkpoint)
    assert read_cost(run) == (None, None, None)


def test_share_done(tmp_path):
    run = make_run(tmp_path / 'r', {})
    assert share_done(run) == 0
    write_log(run, at(10, 1., epoch=3), {'accuracy': .5, 'time': 1., 'step': 3})
    log, = run.work_dir.glob('*/vis_data/scalars.json')
    log.write_text(log.read_text() + '{"step": 11, "ti')  # cut off in the middle of a write
    assert share_done(run) == 2.5 / 4
    run.config.train_cfg = dict(type='IterBasedTrainLoop', max_iters=40)
    assert share_done(run) == 10 / 40
    run.config.train_cfg = dict(type='LoopOfMyOwn')
    assert share_done(run) == 0
    (run.folder / 'trained.json').write_text('{}')
    assert share_done(run) == 1


def test_the_picture_shows_these_numbers(rows):
    figure = draw(collect(rows, SCORING), 'so3')
    panels = {axes.get_title('left'): axes for axes in figure.axes if axes.get_title('left')}
    assert list(panels) == ['SVM, strl, %', 'SVM, C by folds, %', 'kNN, %', 'effective rank']
    heights = [bar.get_height() for bar in panels['SVM, strl, %'].patches]
    np.testing.assert_allclose(heights, [15, 30, 60])
    heights = [bar.get_height() for bar in panels['effective rank'].patches]
    np.testing.assert_allclose(heights, [4, 5, 2.5])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        'untrained', 'untrained, BN calibrated', 'STRL']


def test_long_names_stay_within_the_picture(rows):
    table = collect(rows, SCORING)
    for number in range(3):
        name = f'STRL (a_config_with_a_long_name_{number})'
        table['rows'].append(table['rows'][2] | {'method': name})
    figure = draw(table, 'so3')
    figure.canvas.draw()
    legend, = figure.legends
    assert len(legend.get_texts()) == 6
    extent = legend.get_window_extent()
    assert extent.x0 >= 0 and extent.x1 <= figure.bbox.x1
    assert extent.y0 >= max(axes.get_tightbbox().y1 for axes in figure.axes)  # with their titles
    # A single seed has no deviation to show.
    single = draw(collect(rows, SCORING, {rows[1].runs[0].folder: 'x'}), 'so3')
    whiskers = [container.errorbar.lines[2][0].get_segments() for container in
                single.axes[0].containers if hasattr(container, 'errorbar')]
    assert [sum(map(len, segments)) for segments in whiskers] == [2, 2, 0]


def test_the_report_names_what_its_table_lacks(rows, tmp_path):
    machine = dict(device='CPU', cores=2, torch='2')
    table = collect(rows, SCORING, {rows[1].runs[0].folder: 'training STRL, PCT, seed 0: diverged'},
                    command=['a', 'b c'], jobs=1, threads=1, machine=machine, grouped=False)
    write_report(table, rows[:1], SCORING, tmp_path / 'out')
    text = (tmp_path / 'out/comparison.md').read_text()
    assert '- not in the table: training STRL, PCT, seed 0: diverged' in text
    assert "# a 'b c'\n" in text and 'Costs of loaded networks' not in text
    table['rows'][2]['checkpoints'] = ['c.pth']
    assert 'Costs of loaded networks are those of their own logs' in notes(table, SCORING)


def test_a_picture_that_fails_does_not_keep_the_others_from_being_drawn(rows, tmp_path,
                                                                        monkeypatch):
    monkeypatch.setattr(figures, 'TOOLS', tmp_path)
    (tmp_path / 'analysis').mkdir()
    for name in ('tsne', 'spectrum', 'curves'):
        said = "import sys; print('error: no ' + sys.argv[-1][-5:-4])"
        (tmp_path / f'analysis/plot_{name}.py').write_text(
            f"{said}; sys.exit({int(name == 'tsne')})")
    for row in rows:
        for run in row.runs:
            run.config.model = dict(backbone=dict(type='PCT'))
    out = tmp_path / 'out (1)'
    out.mkdir()
    files, reasons = figures.draw_figures(rows, out, {}, lambda line: None)
    assert files == [out / 'spectrum_PCT.png', out / 'curves_PCT.png']
    assert reasons == ['drawing tsne_PCT.png: no T']
