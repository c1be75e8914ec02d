import pytest
import torch
from evaluation_fakes import MeanBackbone, TeacherStudent
from torch import nn

from dcglr_mm.evaluation.checkpoint import find_backbone, load_for_scoring
from dcglr_mm.models.backbones import PointNet
from dcglr_mm.state_dicts import read_state_dict


def filled(model, value):
    return {key: torch.full_like(tensor, value) for key, tensor in model.state_dict().items()}


def save(tmp_path, content, name='model.pth'):
    torch.save(content, tmp_path / name)
    return tmp_path / name


def test_backbone_is_found_by_network():
    model = TeacherStudent()
    assert find_backbone(model, 'student') == ('student.backbone.', model.student['backbone'])
    classifier = nn.ModuleDict({'backbone': MeanBackbone(), 'head': nn.Linear(3, 2)})
    assert find_backbone(classifier, 'teacher') == ('backbone.', classifier['backbone'])
    plain = MeanBackbone()
    assert find_backbone(plain, 'teacher') == ('', plain)
    with pytest.raises(ValueError, match=r"no network 'target', expected one of \['student'"):
        find_backbone(model, 'target')


@pytest.mark.parametrize('wrap', [
    lambda state: state,
    lambda state: dict(meta=dict(epoch=1), state_dict=state),
    lambda state: dict(state_dict={f'module.{key}': value for key, value in state.items()}),
])
def test_whole_checkpoint_loads_every_key(tmp_path, wrap):
    model = TeacherStudent()
    report = load_for_scoring(model, save(tmp_path, wrap(filled(model, 2))))
    assert report.loaded == len(model.state_dict())
    assert report.lines() == [f'{report.loaded} keys loaded']
    assert all((value == 2).all() for value in model.state_dict().values())


def test_state_dict_of_a_plain_backbone_goes_into_the_chosen_network(tmp_path):
    model = TeacherStudent()
    path = save(tmp_path, filled(MeanBackbone(), 5))
    report = load_for_scoring(model, path, 'student')
    assert model.student.backbone.norm.weight.tolist() == [5.0] * 3
    assert model.teacher.backbone.norm.weight.tolist() == [1.0] * 3
    assert report.missing == [f'teacher.backbone.norm.{name}'
                              for name in ('weight', 'bias', 'running_mean', 'running_var')]


def test_keys_that_do_not_load_are_listed(tmp_path):
    model = TeacherStudent()
    weights = filled(model, 2)
    del weights['student.backbone.norm.bias']
    weights['teacher.projector.weight'] = torch.ones(2)
    report = load_for_scoring(model, save(tmp_path, weights), 'teacher')
    assert report.unexpected == ['teacher.projector.weight']
    assert report.missing == ['student.backbone.norm.bias']
    assert report.lines()[1:] == [
        '1 keys of the checkpoint have no place in the model: teacher.projector.weight',
        '1 keys of the model are not in the checkpoint: student.backbone.norm.bias']


def test_backbone_weight_that_would_stay_random_is_an_error(tmp_path):
    model = TeacherStudent()
    weights = filled(model, 2)
    del weights['teacher.backbone.norm.running_mean'], weights['teacher.backbone.norm.weight']
    path = save(tmp_path, weights)
    with pytest.raises(ValueError, match=r'leaves 2 of 5 tensors of the teacher backbone random: '
                       r'teacher.backbone.norm.weight, teacher.backbone.norm.running_mean'):
        load_for_scoring(model, path, 'teacher')
    load_for_scoring(model, path, 'student')


def test_missing_batch_count_of_an_old_batch_norm_is_no_random_weight(tmp_path):
    model = TeacherStudent()
    weights = {k: v for k, v in filled(model, 2).items() if 'num_batches' not in k}
    assert load_for_scoring(model, save(tmp_path, weights)).lines() == ['8 keys loaded']


def test_other_shapes_are_an_error(tmp_path):
    model = TeacherStudent()
    weights = filled(model, 2)
    weights['teacher.backbone.norm.weight'] = torch.ones(7)
    with pytest.raises(ValueError, match=r'teacher.backbone.norm.weight \(7,\) \(model: \(3,\)\)'):
        load_for_scoring(model, save(tmp_path, weights))


@pytest.mark.parametrize('pretraining', [False, True])
def test_a_release_whose_names_the_backbone_itself_changes_is_loaded(tmp_path, pretraining):
    backbone = PointNet(widths=(4, 4), emb_dims=8)
    # The published PointNet has conv1.weight and bn1.*, ours conv1.0.weight and conv1.1.*.
    released = {key.replace('.0.', '.') if '.0.' in key else key.replace('conv', 'bn', 1).replace(
        '.1.', '.', 1): torch.full_like(value, 3) for key, value in backbone.state_dict().items()}
    assert not released.keys() & backbone.state_dict().keys()
    model = backbone
    if pretraining:
        model = TeacherStudent()
        model.teacher['backbone'] = backbone
    report = load_for_scoring(model, save(tmp_path, released))
    assert report.loaded == len(released) and report.unexpected == []
    assert all((value == 3).all() for value in backbone.state_dict().values())
    released['conv1.weight'] = torch.ones(7)
    with pytest.raises(ValueError, match=r'model.pth does not fit the config: .*size mismatch'):
        load_for_scoring(model, save(tmp_path, released))


def test_an_error_names_five_keys_and_counts_the_others(tmp_path):
    backbone = PointNet(widths=(4, 4), emb_dims=8)
    path = save(tmp_path, {'conv1.0.weight': backbone.state_dict()['conv1.0.weight']})
    with pytest.raises(ValueError, match=r'leaves 14 of 18 tensors .* random: (\S+, ){4}\S+ and 9 '
                       'more$'):
        load_for_scoring(backbone, path)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pth does not exist'):
        read_state_dict(tmp_path / 'none.pth')
    whole = save(tmp_path, filled(TeacherStudent(), 1)).read_bytes()
    (tmp_path / 'half.pth').write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match='half.pth cannot be read'):
        read_state_dict(tmp_path / 'half.pth')
    (tmp_path / 'text.pth').write_text('not a checkpoint')
    with pytest.raises(ValueError, match='text.pth cannot be read'):
        read_state_dict(tmp_path / 'text.pth')
    with pytest.raises(ValueError, match='holds no state dict'):
        read_state_dict(save(tmp_path, [torch.ones(2)], 'list.pth'))


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    class Attack:

        def __reduce__(self):
            return (open, (str(tmp_path / 'ran'), 'w'))

    with pytest.raises(ValueError, match='evil.pth cannot be read'):
        read_state_dict(save(tmp_path, dict(state_dict=Attack()), 'evil.pth'))
    assert not (tmp_path / 'ran').exists()
