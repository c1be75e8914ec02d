"""tools/browse_dataset.py: what it shows is what training gets."""
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import DefaultScope

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
default_scope = 'dcglr_mm'
custom_imports = dict(imports=['dcglr_mm'], allow_failed_imports=False)
train_dataloader = dict(dataset=dict(
    type='SyntheticShapes', classes=['chair', 'mug', 'gear'], num_per_class=4, num_points=64,
    pipeline=[{steps}]))
"""
CROPS = "dict(type='MultiCrop', num_local=3, num_resolution=1), dict(type='PackInputs')"


@pytest.fixture(scope='module')
def browse():
    path = ROOT / 'tools' / 'browse_dataset.py'
    spec = importlib.util.spec_from_file_location('browse_dataset', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tmp_path):
    def write(steps=CROPS):
        path = tmp_path / 'config.py'
        path.write_text(CONFIG.format(steps=steps), encoding='utf-8')
        return path

    with DefaultScope.overwrite_default_scope('dcglr_mm'):
        yield write


def dataset_of(browse, path):
    from dcglr_mm.engine.config_loading import load_config_with_overrides

    dataset = browse.build_dataset(load_config_with_overrides(str(path)))
    dataset.set_epoch(2, 7)
    return dataset


def test_panels_are_the_cloud_and_the_very_views_of_training(browse, config):
    dataset = dataset_of(browse, config())
    panels = browse.trace_item(dataset, 4)
    fed = dataset[4]['inputs']  # what the training loop collates
    assert [kind for kind, *_ in panels] == ['cloud', 'global', 'global', 'local', 'local', 'local',
                                             'resolution']
    for kind, views in fed.items():
        shown = [points for panel_kind, _, points in panels if panel_kind == kind]
        np.testing.assert_array_equal(np.stack(shown), views.numpy())
    whole = dataset.read_points(dataset.get_data_info(4))
    np.testing.assert_array_equal(panels[0][2], whole)
    assert panels[0][1] == 'mug, 64 points'


def test_views_of_all_transforms_that_make_some_are_shown(browse, config):
    view = "dict(type='MultiView', kind='{}', transforms=[dict(type='RandomJitter')])"
    dataset = dataset_of(browse, config(
        f"dict(type='SamplePoints', num_points=40), {view.format('global')}, "
        f"{view.format('mine')}, dict(type='PackInputs')"))
    panels, fed = browse.trace_item(dataset, 1), dataset[1]['inputs']
    assert [(kind, len(points)) for kind, _, points in panels] == [
        ('cloud', 40), ('global', 40), ('global', 40), ('mine', 40), ('mine', 40)]
    np.testing.assert_array_equal(np.stack([p[2] for p in panels[3:]]), fed['mine'].numpy())


def test_without_crops_it_shows_before_and_after(browse, config):
    steps = "dict(type='SamplePoints', num_points=20), dict(type='PackInputs')"
    dataset = dataset_of(browse, config(steps))
    before, after = browse.trace_item(dataset, 0)
    assert len(before[2]) == 64
    np.testing.assert_array_equal(after[2], dataset[0]['inputs']['points'].numpy())


def test_items_are_of_different_classes_first(browse, config):
    dataset = dataset_of(browse, config())
    labels = dataset.labels[browse.choose_items(dataset, None, 6, seed=3)]
    assert sorted(labels[:3]) == sorted(labels[3:]) == [0, 1, 2]


def test_asked_classes_only(browse, config):
    dataset = dataset_of(browse, config())
    chosen = browse.choose_items(dataset, ['gear'], 3, seed=0)
    assert (dataset.labels[chosen] == 2).all() and len(set(chosen)) == 3


def test_views_of_a_kind_are_limited(browse):
    panels = [('cloud', '', 0), *(('local', str(i), i) for i in range(4)), ('global', '', 9)]
    assert [p[2] for p in browse.limit_views(panels, 2)] == [0, 0, 1, 9]


def test_picture_is_written(browse, config, tmp_path, capsys):
    out = tmp_path / 'deep' / 'b.png'
    browse.main([str(config()), '--num', '2', '--out', str(out)])
    assert out.read_bytes().startswith(b'\x89PNG')
    assert '12 items; 2 of them' in capsys.readouterr().out


@pytest.mark.parametrize('arguments, message', [
    (['--classes', 'sphinx'], "no class 'sphinx', only chair, mug, gear"),
    (['--num', '0'], '--num has to be at least 1'),
    (['--out', 'b.xyz'], "'b.xyz'"),
])
def test_mistakes_end_in_one_sentence(browse, config, capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        browse.main([str(config()), *arguments])
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1


def test_a_config_without_training_data_is_named(browse, tmp_path, capsys):
    path = tmp_path / 'empty.py'
    path.write_text("default_scope = 'dcglr_mm'\n")
    with pytest.raises(SystemExit):
        browse.main([str(path)])
    assert 'empty.py has no train_dataloader' in capsys.readouterr().err
