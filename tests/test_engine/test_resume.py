"""Checkpoints are whole or absent, and a damaged one is named."""
import os

import pytest
import torch
from mmengine.optim import CosineAnnealingLR

import dcglr_mm  # noqa: F401
from dcglr_mm.engine.resume import (check_checkpoint, check_optimizer, check_schedules,
                                    find_checkpoint_to_resume)


def save(path, epoch: int, seconds: int = 0, **extra) -> str:
    torch.save(dict(meta=dict(epoch=epoch), state_dict=dict(weight=torch.arange(100.0)),
                    message_hub={}, optimizer={}, **extra), path)
    os.utime(path, (seconds, seconds))
    return str(path)


def damage(path: str) -> None:
    """Overwrite a few bytes in the middle of a stored tensor."""
    data = bytearray(open(path, 'rb').read())
    at = data.index(torch.arange(100.0).numpy().tobytes()) + 40
    data[at:at + 4] = b'\xff' * 4
    with open(path, 'wb') as file:
        file.write(data)


def test_a_whole_checkpoint_passes(tmp_path):
    check_checkpoint(save(tmp_path / 'a.pth', 1), to_resume=True)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='checkpoint .*a.pth does not exist'):
        check_checkpoint(tmp_path / 'a.pth')


@pytest.mark.parametrize('keep', [0.0, 0.1, 0.5, 0.99])
def test_a_half_written_checkpoint_is_named(tmp_path, keep):
    path = tmp_path / 'a.pth'
    data = open(save(path, 1), 'rb').read()
    path.write_bytes(data[:int(keep * len(data))])
    with pytest.raises(ValueError, match=r'a\.pth \(\d+ bytes\) is damaged or half-written'):
        check_checkpoint(path)


def test_flipped_bytes_inside_a_tensor_are_found(tmp_path):
    path = save(tmp_path / 'a.pth', 1)
    damage(path)
    torch.load(path)  # torch itself does not notice
    with pytest.raises(ValueError, match="the checksum of its part '.*data/0' is wrong"):
        check_checkpoint(path)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / 'a.pth').write_text('<html>404</html>')
    with pytest.raises(ValueError, match='or not a PyTorch checkpoint'):
        check_checkpoint(tmp_path / 'a.pth')
    torch.save([1, 2], tmp_path / 'b.pth')
    with pytest.raises(ValueError, match='holds a list, not a dict'):
        check_checkpoint(tmp_path / 'b.pth')


def test_bare_weights_can_be_loaded_but_not_resumed(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={}), path)
    check_checkpoint(path)
    with pytest.raises(ValueError, match='lacks meta, message_hub, optimizer; .* load_from='):
        check_checkpoint(path, to_resume=True)


def test_nothing_saved_yet_is_no_error(tmp_path):
    assert find_checkpoint_to_resume(tmp_path / 'not_there') == (None, [])


def test_last_checkpoint_decides_even_if_another_file_is_newer(tmp_path):
    last = save(tmp_path / 'epoch_2.pth', 2, seconds=100)
    save(tmp_path / 'epoch_1.pth', 1, seconds=200)
    (tmp_path / 'last_checkpoint').write_text(last)
    assert find_checkpoint_to_resume(tmp_path) == (last, [])


def test_a_moved_run_folder_is_resumed_from_its_new_place(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('/somewhere/else/epoch_2.pth')
    last = save(tmp_path / 'epoch_2.pth', 2)
    assert find_checkpoint_to_resume(tmp_path) == (last, [])


def test_the_newest_whole_checkpoint_serves_where_the_last_is_damaged(tmp_path):
    save(tmp_path / 'epoch_1.pth', 1, seconds=100)
    whole = save(tmp_path / 'epoch_2.pth', 2, seconds=200)
    save(tmp_path / 'best_acc_epoch_3.pth', 3, seconds=400)
    last = save(tmp_path / 'epoch_3.pth', 3, seconds=300)
    damage(last)
    (tmp_path / 'last_checkpoint').write_text(last)
    found, problems = find_checkpoint_to_resume(tmp_path)
    assert found == whole
    assert len(problems) == 1 and last in problems[0]


def test_only_damaged_checkpoints_are_an_error_not_a_fresh_start(tmp_path):
    damage(save(tmp_path / 'epoch_1.pth', 1))
    with pytest.raises(ValueError, match='nothing to resume from in .*epoch_1.pth'):
        find_checkpoint_to_resume(tmp_path)


def test_a_checkpoint_whose_meta_mmengine_would_execute_is_not_resumed(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save(dict(meta=dict(config="raise SystemExit('executed')"), state_dict={},
                    message_hub={}, optimizer={}), path)
    check_checkpoint(path)
    with pytest.raises(ValueError, match="its meta has a 'config', which MMEngine would run"):
        check_checkpoint(path, to_resume=True)


def schedules(*ends: int) -> list[CosineAnnealingLR]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    return [CosineAnnealingLR(optimizer, T_max=end, end=end) for end in ends]


def states(several: list[CosineAnnealingLR]) -> list[dict]:
    return [schedule.state_dict() for schedule in several]


def test_schedules_of_the_first_run_are_resumed():
    check_schedules(schedules(3, 9), states(schedules(3, 9)))
    check_schedules(dict(a=schedules(3), b=schedules(9)),
                    dict(a=states(schedules(3)), b=states(schedules(9))))
    check_schedules(None, None)


@pytest.mark.parametrize('ends', [(3, 12), (3,), (3, 9, 9)])
def test_other_schedules_than_the_first_runs_are_refused(ends):
    with pytest.raises(ValueError, match=r'has schedules that end at steps \[3, 9\], those of'):
        check_schedules(schedules(*ends), states(schedules(3, 9)))


def groups(scheduled: int = 0, **settings) -> list[dict]:
    """Of an AdamW whose learning rate a schedule has moved some steps."""
    optimizer = torch.optim.AdamW([torch.zeros(1)], **settings)
    schedule = CosineAnnealingLR(optimizer, T_max=9)
    for _ in range(scheduled):
        optimizer.step()
        schedule.step()
    return optimizer.state_dict()['param_groups']


def test_settings_of_the_optimiser_are_compared_as_they_were_begun():
    check_optimizer(groups(lr=0.1), groups(lr=0.1, scheduled=5))
    for wrong, message in ((dict(lr=0.2), 'has lr=0.1 in its group 0, that of the config lr=0.2'),
                           (dict(lr=0.1, betas=(0.8, 0.999)), r'has betas=\(0.9, 0.999\) in its'),
                           (dict(lr=0.1, amsgrad=True), 'has amsgrad=False in its group 0')):
        with pytest.raises(ValueError, match=message):
            check_optimizer(groups(**wrong), groups(lr=0.1, scheduled=5))
    with pytest.raises(ValueError, match=r'has groups of \[1\] parameters, that of the config has'):
        check_optimizer(2 * groups(lr=0.1), groups(lr=0.1))
