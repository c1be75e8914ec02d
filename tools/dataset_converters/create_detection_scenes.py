"""Make procedural indoor scenes with boxes, in SUN RGB-D's format as mmdet3d reads it.

    python tools/dataset_converters/create_detection_scenes.py data/scenes
    python tools/dataset_converters/create_detection_scenes.py data/scenes --smallest

Writes points/*.bin, sunrgbd_infos_train.pkl and sunrgbd_infos_val.pkl into OUT. Any SUN RGB-D
config of mmdet3d then runs on them by ``--cfg-options data_root=OUT/``.
"""
import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs without being installed

SMALLEST = {'train': 8, 'val': 4, 'num_points': 2048}
DEFAULTS = {'train': 400, 'val': 100, 'num_points': 20000}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, metavar='OUT', help='folder to make')
    parser.add_argument('--train', type=int, help='training scenes (default: '
                        f'{DEFAULTS["train"]})')
    parser.add_argument('--val', type=int, help=f'test scenes (default: {DEFAULTS["val"]})')
    parser.add_argument('--num-points', type=int, help='points of a scene (default: '
                        f'{DEFAULTS["num_points"]})')
    parser.add_argument('--seed', type=int, default=0, help='chooses the scenes (default: 0)')
    parser.add_argument('--smallest', action='store_true',
                        help='a set for a quick try, in seconds: ' +
                        ', '.join(f'{key} {value:g}' for key, value in SMALLEST.items()))
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
            clean_interrupt('repeat the command to make it anew'):
        from dcglr_mm.datasets.detection_scenes import write_detection_scenes
        from dcglr_mm.engine.progress import ProgressLine

        lines = {'train': ProgressLine('train', args.train), 'val': ProgressLine('val  ', args.val)}
        write_detection_scenes(args.out, args.train, args.val, args.seed, args.num_points,
                               lambda split, done, _: lines[split].update(done))
        print(f'{args.out}: {args.train} scenes to train on, {args.val} to test on')


if __name__ == '__main__':
    main()
