"""A config with other settings than imported weights were made for is told so."""
import originals
import pytest
import torch

from dcglr_mm.converters import import_weights, save
from dcglr_mm.converters.agreement import differing_settings


@pytest.fixture(scope='module')
def pct(tmp_path_factory):
    """PCT's whole network, imported."""
    folder = tmp_path_factory.mktemp('pct')
    torch.save(originals.PCT(4).state_dict(), folder / 'model.t7')
    imported = import_weights(folder / 'model.t7', with_head=True)
    save(imported.checkpoint(), folder / 'pct.pth')
    return folder / 'pct.pth', imported


def test_a_config_that_leaves_settings_at_other_defaults_is_told(pct):
    path, imported = pct
    backbone = dict(imported.backbone)
    for key in ('fps_start', 'fps_skip_origin'):
        del backbone[key]
    assert differing_settings(path, dict(type='PointClassifier', backbone=backbone)) == [
        "the weights were imported for a PCT with fps_start='first', but the config has "
        "fps_start='farthest': the network is not the one of model.t7",
        'the weights were imported for a PCT with fps_skip_origin=True, but the config has '
        'fps_skip_origin=False: the network is not the one of model.t7']


def test_the_imported_config_agrees_however_it_is_written(pct):
    path, imported = pct
    assert differing_settings(path, imported.config) == []
    written = {key: list(value) if isinstance(value, tuple) else value
               for key, value in imported.backbone.items()}
    written |= dict(type='dcglr_mm.PCT', init_cfg=dict(type='Pretrained', checkpoint='x.pth'))
    assert differing_settings(path, dict(backbone=written)) == []
    within = dict(type='dcglr_mm.PointFeatures', backbone=dict(written, num_neighbors=16))
    [line] = differing_settings(path, dict(backbone=within))
    assert 'num_neighbors=32, but the config has num_neighbors=16' in line


def test_nothing_is_said_of_other_checkpoints_and_networks(pct, tmp_path):
    path, _ = pct
    for number, model in enumerate((dict(), dict(backbone=dict(type='DGCNN', k=3)),
                                    dict(backbone='DGCNN'))):
        assert differing_settings(path, model) == [], number
    own = dict(state_dict=dict(weight=torch.ones(2)))
    metas = ({}, dict(cfg='model = dict()'), dict(backbone=dict(type='PCT')), 'text')
    for meta in metas:
        torch.save(dict(own, meta=meta), tmp_path / 'own.pth')
        assert differing_settings(tmp_path / 'own.pth', dict(backbone=dict(type='PCT'))) == []
    torch.save(own['state_dict'], tmp_path / 'plain.pth')
    assert differing_settings(tmp_path / 'plain.pth', dict(backbone=dict(type='PCT'))) == []
