"""Compare checkpoints of a pre-training config with the untrained network, by one protocol.

    python tools/evaluate.py CONFIG CHECKPOINT ... --untrained --out metrics.json

Features are standardised with statistics of the train split. Every linear SVM has the C that five
folds of the train split choose; the test split is scored only. Shapes are taken as they stand and
randomly rotated, each always by the same rotation. The untrained network is scored as initialised
and, where it has batch norm, with the statistics of the train split, for several seeds.
"""
import argparse
import json
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed


def labels_a_class(text: str) -> int | None:
    if text == 'all':
        return None
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive whole number or 'all', got {text!r}")
    return number


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        epilog='The data sets are those of the LinearSVMHook in the config.')
    parser.add_argument('config', help='path of the config file')
    parser.add_argument('checkpoints', nargs='*', metavar='CHECKPOINT',
                        help='checkpoints of that config, or state dicts of its backbone')
    parser.add_argument('--merge', metavar='NAME',
                        help='the checkpoints are seeds of one run: show them as one row')
    parser.add_argument('--untrained', action='store_true', help='score the untrained network too')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='SEED',
                        help='of the untrained network (default: 0 1 2)')
    parser.add_argument('--network', help="teacher or student (default: the LinearSVMHook's)")
    parser.add_argument('--rotations', nargs='+', default=['none', 'so3'],
                        choices=['none', 'z', 'so3'], help='default: none so3')
    parser.add_argument('--labels', nargs='+', type=labels_a_class, default=[2, 10, None],
                        metavar='K', help='labels a class (default: 2 10 all)')
    parser.add_argument('--draws', type=int, default=10,
                        help='draws of the labelled shapes (default: 10)')
    parser.add_argument('--folds', type=int, default=5, help='folds of train (default: 5)')
    parser.add_argument('--groups', metavar='CSV', help='table with the columns split, h5_row and '
                        "group: folds do not cut groups (default: the LinearSVMHook's)")
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--num-workers', type=int, default=0)
    parser.add_argument('--device', help='default: a GPU if there is one')
    parser.add_argument('--out', metavar='JSON', help='write every number to this file')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override config values: key=value, nested.key=value')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    if not args.checkpoints and not args.untrained:
        parser.error('nothing to score: give a checkpoint or --untrained')
    if args.merge and not args.checkpoints:
        parser.error('--merge needs checkpoints')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    print(tune_cpu(), file=sys.stderr)
    with one_sentence_errors(show_traceback=args.traceback):
        from mmengine.logging import MMLogger

        from dcglr_mm.apis.machine import check_device
        from dcglr_mm.engine.atomic_backend import write_atomically
        from dcglr_mm.engine.config_loading import load_config_with_overrides
        from dcglr_mm.evaluation.comparison import compare
        from dcglr_mm.evaluation.table import format_table

        # Initialising a model would log every parameter.
        MMLogger.get_current_instance().setLevel('WARNING')
        cfg = load_config_with_overrides(args.config, args.cfg_options)
        result = compare(
            cfg, args.checkpoints, merge=args.merge,
            untrained_seeds=args.seeds if args.untrained else (), network=args.network,
            rotations=args.rotations, labels=args.labels, draws=args.draws, num_folds=args.folds,
            groups=args.groups, batch_size=args.batch_size, num_workers=args.num_workers,
            device=args.device and check_device(args.device),
            log=lambda line: print(line, file=sys.stderr, flush=True))
        print(format_table({name: entry['summary'] for name, entry in result['networks'].items()}))
        print(result['notes'])
        if args.out:
            write_atomically(f'{json.dumps(result, indent=2)}\n'.encode(), args.out)


if __name__ == '__main__':
    main()
