"""Cut the raw S3DIS download into the blocks of indoor3d_sem_seg_hdf5_data.

    python tools/dataset_converters/s3dis_to_blocks.py \
        data/Stanford3dDataset_v1.2_Aligned_Version data/indoor3d_sem_seg_hdf5_data --workers 4

Killed or interrupted, it goes on when the command is repeated; OUT appears when it is whole.
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
    parser.add_argument('--stride', type=float, default=0.5,
                        help='between blocks, metres: 0.5 as in the script behind the released '
                        'file (default), 1.0 for blocks that do not overlap')
    parser.add_argument('--block-size', type=float, default=1.0, help='metres (default: 1)')
    parser.add_argument('--num-points', type=int, default=4096,
                        help='points of a block (default: 4096)')
    parser.add_argument('--min-points', type=int, default=100,
                        help='blocks with fewer are left out (default: 100)')
    parser.add_argument('--areas', type=int, nargs='+', metavar='K',
                        help='numbers of the areas to convert (default: all that are there)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice of points (default: 0)')
    parser.add_argument('--gzip', action='store_true', help='compress, as the released file is: '
                        'smaller, but unpacked into a cache before training')
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
        from dcglr_mm.datasets.s3dis import BlockFormat, RawRooms, convert_rooms

        source = RawRooms(args.raw, args.areas)
        layout = BlockFormat(args.stride, args.num_points, args.block_size, args.min_points,
                             args.seed, gzip=args.gzip)
        notes = [*source.notes, *convert_rooms(source, layout, args.out, args.workers, 'blocks')]
        print(''.join(f'{note}\n' for note in notes) + f'wrote {args.out}')


if __name__ == '__main__':
    main()
