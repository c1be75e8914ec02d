"""Own files to class names."""
import numpy as np
import pytest
import torch
from torch import nn

from dcglr_mm.apis.classify import ShapeClassifier
from dcglr_mm.registry import MODELS

CONFIG = '''
default_scope = 'dcglr_mm'
model = dict(type='PointClassifier', backbone=dict(type='WidestAxis'),
             head=dict(type='ClassificationHead', num_classes=3, hidden_channels=()))
test_dataloader = dict(dataset=dict(type='PointFolder', pipeline=[
    dict(type='SamplePoints', num_points=8, method='first'), dict(type='PackInputs')]))
'''


@MODELS.register_module()
class WidestAxis(nn.Module):
    """Feature: extent of each axis."""
    out_channels = 3

    def __init__(self, in_channels=3):
        super().__init__()
        self.in_channels = in_channels

    def forward(self, points):
        return points[..., :3].amax(1) - points[..., :3].amin(1)


@pytest.fixture
def files(tmp_path):
    """A config, and a checkpoint whose classes are the widest axis: logits are 4 times extents."""
    config = tmp_path / 'config.py'
    config.write_text(CONFIG)
    state = {'head.linear1.weight': 4 * torch.eye(3), 'head.linear1.bias': torch.zeros(3)}
    torch.save(dict(state_dict=state, meta=dict(dataset_meta=dict(classes=('x', 'y', 'z')))),
               tmp_path / 'weights.pth')
    return str(config), str(tmp_path / 'weights.pth')


def cloud(axis, scale=100.0):
    points = np.random.default_rng(axis).uniform(-0.1, 0.1, size=(10, 3))
    points[:2, axis] = -1, 1
    return scale * points + 7


def test_files_arrays_and_folders_are_named(files, tmp_path):
    folder = tmp_path / 'clouds'
    folder.mkdir()
    np.save(folder / 'b.npy', cloud(2))
    np.savetxt(folder / 'a.xyz', cloud(1))
    (folder / 'notes.md').write_text('not a cloud')
    (folder / '._a.xyz').write_bytes(b'what macOS adds')
    classify = ShapeClassifier(*files)
    assert [(r.source, r.name) for r in classify(folder)] == [
        (str(folder / 'a.xyz'), 'y'), (str(folder / 'b.npy'), 'z')]
    assert [r.name for r in classify(folder / 'a.xyz')] == ['y']
    found = classify([cloud(0), cloud(2), folder / 'a.xyz'], batch_size=2)
    assert [(r.source, r.label) for r in found] == [
        ('cloud 0', 0), ('cloud 1', 2), (str(folder / 'a.xyz'), 1)]


def test_probabilities_are_the_softmax_of_the_normalised_cloud(files):
    points = cloud(1)
    found, = ShapeClassifier(*files)(points)
    centred = points - points.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1).max()
    logits = 4 * np.ptp(unit[:8], axis=0)  # the pipeline keeps the first eight points
    expected = np.exp(logits) / np.exp(logits).sum()
    assert list(found.probabilities) == [('x', 'y', 'z')[i] for i in np.argsort(-expected)]
    for name, value in zip('xyz', expected):
        assert found.probabilities[name] == pytest.approx(value, rel=1e-4)
    assert found.probability == found.probabilities['y'] == max(found.probabilities.values())
    raw, = ShapeClassifier(*files, normalize=False)(points / 1000)
    assert raw.probabilities['y'] < found.probabilities['y'] - 0.1


def test_an_answer_does_not_depend_on_the_place_in_the_list(files, tmp_path):
    mesh = tmp_path / 'a.off'
    mesh.write_text('OFF\n4 2 0\n0 0 0\n2 0 0\n2 3 0\n0 3 0\n3 0 1 2\n3 0 2 3\n')
    found = ShapeClassifier(*files)([mesh, cloud(2), mesh, mesh])
    assert found[0] == found[2] == found[3] and found[1].name == 'z'


def test_columns_that_the_network_does_not_take_are_left_out(files, tmp_path):
    files_of_six = str(tmp_path / 'six.py'), files[1]
    (tmp_path / 'six.py').write_text(CONFIG.replace("'WidestAxis'", "'WidestAxis', in_channels=6"))
    coloured = np.concatenate((cloud(1), np.full((10, 4), 200.)), 1)
    np.save(tmp_path / 'plain.npy', cloud(1))
    np.save(tmp_path / 'coloured.npy', coloured)
    both = [tmp_path / 'plain.npy', tmp_path / 'coloured.npy']
    plain, with_colour = ShapeClassifier(*files)(both)
    assert plain.probabilities == with_colour.probabilities
    with pytest.raises(ValueError, match='plain.npy: the network takes 6 columns, found 3'):
        ShapeClassifier(*files_of_six)(both)


def test_a_shape_survives_the_coordinates_of_a_map(files):
    near, far = ShapeClassifier(*files)([cloud(1), cloud(1, scale=1) + [5e5, 5.4e6, 300.]])
    for name, value in near.probabilities.items():
        assert far.probabilities[name] == pytest.approx(value, abs=1e-4)


def test_a_checkpoint_without_names_gives_labels(files, tmp_path):
    weights = torch.load(files[1])
    torch.save(weights['state_dict'], tmp_path / 'plain.pth')
    assert ShapeClassifier(files[0], tmp_path / 'plain.pth')(cloud(2))[0].name == '2'


def test_options_and_misfits(files):
    with pytest.raises(ValueError, match='head.linear1.weight'):
        ShapeClassifier(*files, cfg_options=['model.head.num_classes=4'])
    with pytest.raises(FileNotFoundError, match='no/such.pth'):
        ShapeClassifier(files[0], 'no/such.pth')


@pytest.mark.parametrize('given, error, message', [
    (np.zeros((4, 2)), ValueError, 'cloud 0: a cloud has shape'),
    (np.zeros((4, 3)), ValueError, 'cloud 0: SamplePoints: .* has 4 points, 8 are asked for'),
    ('nowhere.ply', FileNotFoundError, 'nowhere.ply'),
])
def test_what_is_no_cloud_is_refused_by_name(files, given, error, message):
    with pytest.raises(error, match=message):
        ShapeClassifier(*files)(given)


def test_an_empty_folder_and_a_config_without_pipeline_are_refused(files, tmp_path):
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='has no file that ends with one of .npy'):
        ShapeClassifier(*files)(tmp_path / 'empty')
    config = tmp_path / 'pretrain.py'
    config.write_text("model = dict(type='DCGLR')\n")
    with pytest.raises(ValueError, match='no test_dataloader.dataset.pipeline'):
        ShapeClassifier(config, files[1])
