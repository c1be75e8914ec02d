"""tools/dataset_converters: what the commands write and print."""
import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from .conftest import ROOT, environment

TOOLS = ROOT / 'tools' / 'dataset_converters'


def run_tool(name: str, *args: str | Path) -> None:
    spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(arg) for arg in args])


def test_synthetic_rooms_then_blocks_and_rooms_of_their_raw_files(tmp_path, capsys):
    run_tool('create_synthetic_rooms', tmp_path / 'made', '--rooms', '1', '--areas', '1', '6',
             '--density', '120', '--num-points', '256', '--formats', 'raw', 'blocks', 'rooms')
    raw = tmp_path / 'made/Stanford3dDataset_v1.2_Aligned_Version'
    stairs = raw / 'Area_6/office_1/Annotations/stairs_1.txt'
    stairs.write_text('0 0 0 1 2 3\n')
    capsys.readouterr()
    run_tool('s3dis_to_blocks', raw, tmp_path / 'blocks', '--stride', '1', '--num-points', '256')
    printed = capsys.readouterr().out
    assert ("Area_6/office_1/Annotations/stairs_1.txt: 'stairs' is none of the 13 classes, taken as"
            ' clutter') in printed and printed.endswith(f'wrote {tmp_path / "blocks"}\n')
    run_tool('s3dis_to_rooms', tmp_path / 'made', tmp_path / 'rooms', '--areas', '1')
    # The same rooms, straight and by way of the text: points in another order, and no other ones.
    made, read = (np.fromfile(folder / 'points/Area_1_office_1.bin', np.float32).reshape(-1, 6)
                  for folder in (tmp_path / 'made/s3dis', tmp_path / 'rooms'))
    np.testing.assert_array_equal(made[np.lexsort(made.T)], read[np.lexsort(read.T)])
    blocks = [folder / 'ply_data_all_0.h5' for folder in
              (tmp_path / 'made/indoor3d_sem_seg_hdf5_data', tmp_path / 'blocks')]
    rooms = [(b.parent / 'room_filelist.txt').read_text().split() for b in blocks]
    assert rooms[0].count('Area_1_office_1') == rooms[1].count('Area_1_office_1') > 4
    with h5py.File(blocks[1]) as file:
        assert file['data'].shape == (len(rooms[1]), 256, 9)


def test_smallest_sets_what_was_not_given(capsys):
    spec = importlib.util.spec_from_file_location('tool', TOOLS / 'create_synthetic_rooms.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    args = tool.parse_args(['out', '--smallest', '--rooms', '5'])
    assert (args.rooms, args.density, args.num_points) == (5, 400.0, 1024)
    args = tool.parse_args(['out'])
    assert (args.rooms, args.density, args.num_points, args.stride) == (8, 1000.0, 4096, 1.0)


@pytest.mark.parametrize('tool', ['s3dis_to_blocks', 's3dis_to_rooms'])
def test_a_wrong_folder_is_one_sentence(tool, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        run_tool(tool, tmp_path, tmp_path / 'out')
    assert stop.value.code == 1
    assert capsys.readouterr().err.startswith(f'error: {tmp_path} has no folder Area_1; expected ')


@pytest.mark.slow
def test_an_interrupted_command_says_how_to_go_on_and_does(tmp_path):
    command = [sys.executable, str(TOOLS / 'create_synthetic_rooms.py'), str(tmp_path / 'out'),
               '--rooms', '6', '--areas', '1', '--density', '300', '--num-points', '64',
               '--formats', 'blocks', '--workers', '2']
    records = tmp_path / 'out/indoor3d_sem_seg_hdf5_data.partial/.rooms'
    process = subprocess.Popen(command, env=environment(), text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    while process.poll() is None and not list(records.glob('*.json')):
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 130 and errors == 'interrupted: repeat the command to go on\n'
    done = subprocess.run(command, env=environment(), text=True, capture_output=True, check=True,
                          timeout=600)
    assert 'goes on' in done.stdout
    assert (tmp_path / 'out/indoor3d_sem_seg_hdf5_data/room_filelist.txt').is_file()
