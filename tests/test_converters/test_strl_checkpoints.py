"""Weights go from our STRL to the authors' layout and back, and into our configs."""
import pytest
import torch

from dcglr_mm.converters import export_weights, import_weights
from dcglr_mm.evaluation.checkpoint import load_for_scoring
from dcglr_mm.models import STRL


def build(seed=0):
    torch.manual_seed(seed)
    return STRL(backbone=dict(type='dcglr_mm.DGCNN', k=40),
                projector=dict(type='dcglr_mm.BYOLMLP', hidden_channels=8, out_channels=4),
                predictor=dict(hidden_channels=8))


@pytest.fixture(scope='module')
def model():
    model = build()
    for value in model.teacher.state_dict().values():
        value.add_(1)  # tells the two networks apart
    return model


def test_our_checkpoint_is_exported_and_imported_again(model, tmp_path):
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'epoch_1.pth')
    exported = export_weights(tmp_path / 'epoch_1.pth', 'strl', network='student')
    theirs = exported.content['state_dict']
    assert torch.equal(theirs['online_network.conv1.0.weight'].flatten(1),
                       model.student['backbone'].conv1[0].weight.flatten(1))
    assert {name.split('.')[0] for name in theirs} == {'online_network'}
    torch.save(exported.content, tmp_path / 'theirs.ckpt')
    imported = import_weights(tmp_path / 'theirs.ckpt', 'strl')
    own = model.student['backbone'].state_dict()
    assert imported.state_dict.keys() == own.keys()
    for name, value in own.items():
        assert torch.equal(imported.state_dict[name], value), name


@pytest.mark.parametrize('prefix', ['', 'student.backbone.'])
def test_imported_weights_are_scored_as_the_student(model, tmp_path, prefix):
    weights = {prefix + name: value
               for name, value in model.student['backbone'].state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'strl.pth')
    other = build(seed=1)
    load_for_scoring(other, tmp_path / 'strl.pth', network=other.downstream)
    for name, value in model.student['backbone'].state_dict().items():
        assert torch.equal(other.student['backbone'].state_dict()[name], value), name


def test_heads_have_the_names_of_the_released_checkpoints():
    """``online_network.projector.0.weight`` and so on, beside the backbone's names."""
    state = build().state_dict()
    for ours, theirs in (('student.projector', 'online_network.projector'),
                         ('predictor', 'online_network.predictor'),
                         ('teacher.projector', 'target_network.projector')):
        names = {key.removeprefix(f'{ours}.') for key in state if key.startswith(f'{ours}.')}
        assert names == {'0.weight', '1.weight', '1.bias', '1.running_mean', '1.running_var',
                         '1.num_batches_tracked', '3.weight'}, theirs
