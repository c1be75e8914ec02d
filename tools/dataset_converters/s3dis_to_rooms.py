"""Convert the raw S3DIS download to the room files that mmdet3d reads.

    python tools/dataset_converters/s3dis_to_rooms.py \
        data/Stanford3dDataset_v1.2_Aligned_Version data/s3dis --workers 4

OUT is the data_root of mmdet3d's S3DISSegDataset and S3DISDataset. Killed or interrupted, the
command goes on when it is repeated; OUT appears when it is whole.
"""
import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs without being installed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('raw', type=Path, metavar='RAW',
                        help='Stanford3dDataset_v1.2_Aligned_Version: folder of Area_1 to Area_6')
    parser.add_argument('out', type=Path, metavar='OUT', help='folder to make')
    parser.add_argument('--num-points', type=int, default=4096, help='points of a training sample, '
                        'which say how often a room comes in an epoch (default: 4096)')
    parser.add_argument('--areas', type=int, nargs='+', metavar='K',
                        help='numbers of the areas to convert (default: all that are there)')
    parser.add_argument('--workers', type=int, default=0, help='processes beside this one '
                        '(default: 0); each holds one room in memory')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.user_errors import one_sentence_errors

    with one_sentence_errors(show_traceback=args.traceback), \
            clean_interrupt('repeat the command to go on'):
        from dcglr_mm.datasets.s3dis import RawRooms, RoomFolderFormat, convert_rooms

        source = RawRooms(args.raw, args.areas)
        notes = [*source.notes, *convert_rooms(source, RoomFolderFormat(args.num_points), args.out,
                                               args.workers, 'rooms')]
        print(''.join(f'{note}\n' for note in notes) + f'wrote {args.out}')


if __name__ == '__main__':
    main()
