"""Make SyntheticRooms: procedural rooms of the 13 S3DIS classes, in S3DIS's layouts.

    python tools/dataset_converters/create_synthetic_rooms.py data/rooms
    python tools/dataset_converters/create_synthetic_rooms.py data/rooms --smallest
    python tools/dataset_converters/create_synthetic_rooms.py data/rooms --formats rooms --rooms 20

Writes into OUT, one folder a format:
  raw     Stanford3dDataset_v1.2_Aligned_Version: text files, as S3DIS is downloaded
  blocks  indoor3d_sem_seg_hdf5_data: HDF5 files of 1 m x 1 m blocks, as PointNet uses them
  rooms   s3dis: the room files that mmdet3d reads
"""
import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs without being installed

FORMATS = ('raw', 'blocks', 'rooms')
SMALLEST = {'rooms': 2, 'density': 400.0, 'stride': 1.0, 'num_points': 1024}
DEFAULTS = {'rooms': 8, 'density': 1000.0, 'stride': 1.0, 'num_points': 4096}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, metavar='OUT', help='folder to make')
    parser.add_argument('--formats', nargs='+', choices=FORMATS, default=['blocks', 'rooms'],
                        help='what to write (default: blocks rooms)')
    parser.add_argument('--rooms', type=int, help='rooms of each area (default: '
                        f'{DEFAULTS["rooms"]}; the first of each has all classes)')
    parser.add_argument('--areas', type=int, nargs='+', default=[1, 2, 3, 4, 5, 6], metavar='K',
                        help='numbers of the areas (default: 1 to 6)')
    parser.add_argument('--seed', type=int, default=0, help='chooses the rooms (default: 0)')
    parser.add_argument('--density', type=float, help='points per square metre of surface, before '
                        f'occlusion (default: {DEFAULTS["density"]:.0f})')
    parser.add_argument('--stride', type=float, help='of blocks, metres (default: '
                        f'{DEFAULTS["stride"]})')
    parser.add_argument('--num-points', type=int, help='points of a block (default: '
                        f'{DEFAULTS["num_points"]})')
    parser.add_argument('--smallest', action='store_true',
                        help='a set for a quick try, in seconds: ' +
                        ', '.join(f'{key} {value:g}' for key, value in SMALLEST.items()))
    parser.add_argument('--workers', type=int, default=0,
                        help='processes beside this one (default: 0)')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    for key, value in (SMALLEST if args.smallest else DEFAULTS).items():
        if getattr(args, key) is None:
            setattr(args, key, value)
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.user_errors import one_sentence_errors

    with one_sentence_errors(show_traceback=args.traceback), \
            clean_interrupt('repeat the command to go on'):
        from dcglr_mm.datasets.rooms import SyntheticRooms
        from dcglr_mm.datasets.s3dis import (BlockFormat, RawFormat, RoomFolderFormat,
                                             convert_rooms)

        source = SyntheticRooms(args.rooms, args.seed, args.density, args.areas)
        layouts = {'raw': ('Stanford3dDataset_v1.2_Aligned_Version', RawFormat()),
                   'blocks': ('indoor3d_sem_seg_hdf5_data',
                              BlockFormat(args.stride, args.num_points, seed=args.seed)),
                   'rooms': ('s3dis', RoomFolderFormat())}
        for name in dict.fromkeys(args.formats):
            folder, layout = layouts[name]
            for note in convert_rooms(source, layout, args.out / folder, args.workers,
                                      f'{name:<6}'):
                print(note)


if __name__ == '__main__':
    main()
