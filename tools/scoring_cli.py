"""What the scripts that score frozen networks share: arguments, the run, what it prints and writes.

Standard library only until the arguments are read, so that --help is instant.
"""
import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed


def parser(description: str, epilog: str) -> argparse.ArgumentParser:
    """Arguments of a config's networks and of a run; a script adds those of its protocol."""
    made = argparse.ArgumentParser(description=description, epilog=epilog)
    made.add_argument('config', help='path of the config file')
    made.add_argument('checkpoints', nargs='*', metavar='CHECKPOINT',
                      help='checkpoints of that config, or state dicts of its backbone')
    made.add_argument('--merge', metavar='NAME',
                      help='the checkpoints are seeds of one run: show them as one row')
    made.add_argument('--untrained', action='store_true', help='score the untrained network too')
    made.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='SEED',
                      help='of the untrained network (default: 0 1 2)')
    made.add_argument('--network', help="teacher or student (default: the LinearSVMHook's)")
    run = made.add_argument_group('the run')  # shown last, whatever a script adds
    run.add_argument('--batch-size', type=int, default=32)
    run.add_argument('--num-workers', type=int, default=0)
    run.add_argument('--device', help='default: a GPU if there is one')
    run.add_argument('--out', metavar='JSON', help='write every number to this file')
    run.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                     help='override config values: key=value, nested.key=value')
    run.add_argument('--traceback', action='store_true',
                     help='show the full traceback of every error')
    return made


def parse(made: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """Read the arguments and refuse those that name no network."""
    args = made.parse_args(argv)
    if not args.checkpoints and not args.untrained:
        made.error('nothing to score: give a checkpoint or --untrained')
    if args.merge and not args.checkpoints:
        made.error('--merge needs checkpoints')
    return args


def main(args: argparse.Namespace, score: Callable) -> None:
    """Run ``score(cfg, args)``; print its table, and write what it found.

    Args:
        args: Of :func:`parse`.
        score: Gives the result, with ``notes``, and the rows of the table: values by name and
            column. A user's mistake ends in one sentence.
    """
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    log(tune_cpu())
    with (one_sentence_errors(show_traceback=args.traceback),
          clean_interrupt('no scores were written; repeat the command')):
        from mmengine.logging import MMLogger

        from dcglr_mm.engine.atomic_backend import write_atomically
        from dcglr_mm.engine.config_loading import load_config_with_overrides
        from dcglr_mm.evaluation.table import format_table

        # Initialising a model would log every parameter.
        MMLogger.get_current_instance().setLevel('WARNING')
        result, rows = score(load_config_with_overrides(args.config, args.cfg_options), args)
        print(format_table(rows))
        print(result['notes'])
        if args.out:
            write_atomically(f'{json.dumps(result, indent=2)}\n'.encode(), args.out)


def networks(args: argparse.Namespace) -> dict:
    """Which networks are scored and where, as keyword arguments of every protocol."""
    from dcglr_mm.apis.machine import check_device

    return dict(checkpoints=args.checkpoints, merge=args.merge, network=args.network,
                untrained_seeds=args.seeds if args.untrained else (),
                device=args.device and check_device(args.device), log=log)


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
