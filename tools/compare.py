"""Compare methods on backbones: train or load each, score all alike, print and draw one table.

    python tools/compare.py                             # embedded data: DCGLR, STRL and untrained
    python tools/compare.py CONFIG CONFIG ... --cfg-options data_root=/path/to/folder
    python tools/compare.py --load CONFIG CHECKPOINT CHECKPOINT --load OTHER_CONFIG CHECKPOINT

Every config is trained once a seed by tools/train.py and scored by tools/evaluate.py, in processes
of their own. The output folder gets comparison.md, comparison.json, comparison_*.png and, a folder
a run, all logs and checkpoints. Ctrl-C at any time; --resume goes on, and may add configs, seeds,
checkpoints or presets.
"""
import argparse
import os
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed

EMBEDDED = sorted(str(path) for path in (TOOLS.parent / 'configs/compare').glob('*.py'))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        epilog='The labelled data are those of the LinearSVMHook of the configs, the same in all.')
    parser.add_argument('configs', nargs='*', metavar='CONFIG',
                        help='pre-training configs to train; default without --load: '
                        'configs/compare/*.py, on embedded data, half an hour a seed on one core')
    parser.add_argument('--load', nargs='+', action='append', default=[],
                        metavar=('CONFIG', 'CHECKPOINT'),
                        help='networks to load instead, seeds of one row; repeatable')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='SEED',
                        help='of trainings and untrained networks (default: 0 1 2)')
    parser.add_argument('--no-untrained', action='store_true',
                        help='leave out the untrained networks')
    parser.add_argument('--presets', nargs='+', default=['strl', 'lineage', 'standardised'],
                        metavar='NAME', help='SVM presets: strl, lineage, pointglr, crosspoint, '
                        'point2vec, standardised (default: strl lineage standardised)')
    parser.add_argument('--rotations', nargs='+', choices=['none', 'z', 'so3'],
                        help='of the scored shapes (default: none so3; of the embedded shapes, '
                        'which are rotated already, none)')
    parser.add_argument('--folds', type=int, default=5, help='of train, to choose C (default: 5)')
    parser.add_argument('--groups', metavar='CSV', help='table with the columns split, h5_row and '
                        "group: folds do not cut groups (default: the LinearSVMHook's)")
    parser.add_argument('--figures', action='store_true',
                        help='also draw t-SNE, spectrum, curves and attention of the first seeds')
    parser.add_argument('--out', type=Path, default=Path('compare_output'),
                        help='folder of the results (default: %(default)s)')
    parser.add_argument('--resume', action='store_true', help='go on with what is in --out')
    parser.add_argument('--jobs', type=int, metavar='N', help='runs at a time (default: one a GPU '
                        'or, without GPUs, one a core, four at most)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override values of every config: data_root=... reaches all data sets')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    if any(len(load) < 2 for load in args.load):
        parser.error('--load needs a config and at least one checkpoint of it')
    if args.jobs is not None and args.jobs < 1:
        parser.error(f'--jobs: expected at least 1, found {args.jobs}')
    return args


def choose_execution(jobs: int | None):
    """How many runs at a time, with how many threads, on which GPUs."""
    import torch

    from dcglr_mm.study.execution import Execution, name_gpus

    cores = (len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity')
             else os.cpu_count() or 1)
    gpus = name_gpus(torch.cuda.device_count() if torch.cuda.is_available() else 0,
                     os.environ.get('CUDA_VISIBLE_DEVICES'))
    jobs = jobs or len(gpus) or min(4, cores)
    given = os.environ.get('OMP_NUM_THREADS', '').partition(',')[0]  # a number a nesting level
    return Execution(jobs, int(given) if given.isdigit() else max(1, cores // jobs), gpus)


def run(args: argparse.Namespace) -> int:
    """Plan, carry out, report; 1 if a run or a picture failed."""
    from dcglr_mm.apis.machine import describe_machine
    from dcglr_mm.study import (Scoring, alone_in, carry_out, collect, format_text, plan_rows,
                                prepare_folders)
    from dcglr_mm.study.figures import draw_figures
    from dcglr_mm.study.report import notes, write_report
    from dcglr_mm.study.scoring import check_labelled_data

    embedded = not args.configs and not args.load
    rotations = args.rotations or (['none'] if embedded else ['none', 'so3'])
    scoring = Scoring(tuple(dict.fromkeys(args.presets)), tuple(dict.fromkeys(rotations)),
                      args.folds, args.groups)
    rows = plan_rows(EMBEDDED if embedded else args.configs, args.load, args.out, seeds=args.seeds,
                     options=args.cfg_options, untrained=not args.no_untrained)
    groups = check_labelled_data(rows, args.groups)
    prepare_folders(rows, args.out, args.resume)
    execution, start = choose_execution(args.jobs), time.monotonic()
    announce(rows, execution, args.out)

    with alone_in(args.out):
        failures = carry_out(rows, scoring, execution, say)
        table = collect(
            rows, scoring, failures, command=['python', 'tools/compare.py', *sys.argv[1:]],
            jobs=execution.jobs, threads=execution.threads, machine=describe_machine(),
            grouped=bool(groups))
        for reason in failures.values():
            print(f'failed: {reason}', file=sys.stderr)
        print(f'\n{format_text(table)}\n\n{notes(table, scoring)}\n')
        files, undrawn = write_report(table, rows, scoring, args.out), []
        if args.figures:
            pictures, undrawn = draw_figures(rows, args.out, failures, say)
            files += pictures
    for reason in undrawn:
        print(f'failed: {reason}', file=sys.stderr)
    print(f'wrote {", ".join(map(str, files))}\nin all {(time.monotonic() - start) / 60:.1f} min')
    return 1 if failures or undrawn else 0


def announce(rows, execution, out: Path) -> None:
    """Say before the work starts what will be done."""
    trained = sum(len(row.runs) for row in rows if row.is_trained_here)
    where = f'GPUs {", ".join(execution.gpus)}' if execution.gpus else 'the CPU'
    print(f'{len(rows)} rows, {trained} trainings, {execution.jobs} at a time on {where}, '
          f'{execution.threads} threads each; all of it in {out}/ (Ctrl-C at any time; --resume '
          'goes on)', flush=True)


def say(line: str) -> None:
    print(line, flush=True)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.user_errors import one_sentence_errors

    again = 'what is finished is kept; the same command with --resume goes on'
    with one_sentence_errors(show_traceback=args.traceback), clean_interrupt(again):
        from mmengine.logging import MMLogger
        from mmengine.registry import init_default_scope

        MMLogger.get_current_instance().setLevel('WARNING')
        init_default_scope('dcglr_mm')
        status = run(args)
    sys.exit(status)


if __name__ == '__main__':
    main()
