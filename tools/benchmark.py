"""Measure this library against the field's usual code: time, peak memory, growth.

    python tools/benchmark.py --list                                  # what would be measured
    python tools/benchmark.py --out bench/results.json --markdown bench/results.md
    python tools/benchmark.py --suite scaling --out bench/scaling.json --plot bench/scaling.png
    python tools/benchmark.py --device cuda --out bench/gpu.json --markdown bench/gpu.md

Every case is checked first: two sides that do not give the same result are not timed. Ctrl-C is
safe at any time; the same command with --resume goes on.
"""
import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs without being installed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    suites = ('ops', 'backbones', 'step', 'pipeline', 'features', 'scaling')
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--suite', nargs='+', default=suites, choices=suites, metavar='NAME',
                        help=f'of {", ".join(suites)} (default: all)')
    parser.add_argument('--filter', default='', metavar='TEXT',
                        help='only cases with this text in their name')
    parser.add_argument('--variant', nargs='+', default=['float32'], metavar='NAME',
                        help='of float32, bfloat16 (autocast), compile, compile-bfloat16 '
                        '(default: float32)')
    parser.add_argument('--batch', type=int, metavar='CLOUDS',
                        help='batch of backbones and steps instead of the usual ones')
    parser.add_argument('--device', default='cpu', help='torch device (default: %(default)s)')
    parser.add_argument('--allocator', choices=['both', 'plain', 'tuned'],
                        help='glibc as it comes, keeping freed blocks of up to 1 GiB, or both, '
                        'one process each (default: both; on a GPU tuned)')
    parser.add_argument('--threads', type=int, help='of torch (default: its own choice)')
    parser.add_argument('--wait-policy', choices=['BRIEF', 'PASSIVE', 'ACTIVE'], default='BRIEF',
                        help='idle OpenMP threads spin for 1 to 3 ms and then sleep, as in '
                        'tools/train.py on a free machine; sleep at once; or spin '
                        '(default: %(default)s)')
    parser.add_argument('--repeats', type=int, default=15,
                        help='most rounds of a case (default: %(default)s)')
    parser.add_argument('--budget', type=float, default=20., metavar='SECONDS',
                        help='for the rounds of a case; five rounds are always made, or --repeats '
                        'if less (default: %(default)s)')
    parser.add_argument('--no-memory', action='store_true', help='leave peak memory out')
    parser.add_argument('--out', type=Path, default=Path('benchmark.json'),
                        help='results, written after every case (default: %(default)s)')
    parser.add_argument('--markdown', type=Path, metavar='FILE', help='write the tables here')
    parser.add_argument('--plot', type=Path, metavar='FILE',
                        help='draw the scaling suite here (PNG, PDF, SVG)')
    parser.add_argument('--resume', action='store_true', help='skip cases that --out holds')
    parser.add_argument('--list', action='store_true', help='only name the cases')
    for internal in ('--in-process', '--after-kill'):
        parser.add_argument(internal, action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    if min(args.repeats, args.threads or 1, args.batch or 1) < 1 or 0 in (args.threads, args.batch):
        parser.error('--repeats, --threads and --batch must be at least 1')
    return args


def measure(args: argparse.Namespace, cases: list) -> int:
    """Measures in this process, which was started with the allocator's settings."""
    import torch

    from dcglr_mm.benchmark import memory
    from dcglr_mm.benchmark.runner import Options, run_cases
    from dcglr_mm.benchmark.store import ResultStore

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    store = ResultStore(args.out, args.resume, args.after_kill)
    options = Options(args.device, args.allocator, args.repeats, args.budget, not args.no_memory)
    if options.memory and args.device == 'cpu':
        memory.start_server()
    try:
        return 0 if run_cases(cases, store, options) else 1
    except KeyboardInterrupt:
        return 130  # the process that started this one says how to go on


def write_reports(args: argparse.Namespace) -> None:
    """Tables and figures of all that the results file holds by now."""
    from dcglr_mm.benchmark.curves import growth_table, plot_results, scaling_curves
    from dcglr_mm.benchmark.report import to_markdown
    from dcglr_mm.benchmark.store import read_results

    content = read_results(args.out)
    runs, results = content['runs'], content['results']
    allocator = runs[-1]['allocator']
    if args.markdown:
        text = to_markdown(runs, results)
        growth = growth_table(runs, results, allocator)
        if growth:
            text += f'\n**Growth, {allocator} allocator**\n\n{growth}\n'
        args.markdown.parent.mkdir(parents=True, exist_ok=True)
        args.markdown.write_text(text, encoding='utf-8')
    if args.plot and not scaling_curves(runs, results, allocator):
        print('no case of the scaling suite is finished yet: nothing to plot', file=sys.stderr)
    elif args.plot:
        from dcglr_mm.visualization import save_figure

        save_figure(plot_results(runs, results, allocator), args.plot)


def benchmark(args: argparse.Namespace, argv: list[str]) -> int:
    from dcglr_mm.benchmark.suites import select_cases

    cases = select_cases(args.suite, args.variant, args.filter, args.batch)
    if args.list:
        for case in cases:
            print(case.suite, case.label, f'[{case.target}]' if case.target else '', sep='\t')
        return 0
    if args.in_process:
        return measure(args, cases)
    from dcglr_mm.apis.machine import check_device
    from dcglr_mm.benchmark.launch import ALLOCATORS, run_children

    check_device(args.device)
    if args.out.exists() and not args.resume:
        raise FileExistsError(f'{args.out} exists: give --resume to go on with it, or another '
                              '--out')
    allocator = args.allocator or ('both' if args.device == 'cpu' else 'tuned')
    allocators = ALLOCATORS if allocator == 'both' else (allocator, )
    command = [str(Path(__file__).resolve()), *(flag for flag in argv if flag != '--resume')]
    try:
        return run_children(command, allocators, args.threads, args.wait_policy, args.resume)
    finally:
        if args.out.exists():
            write_reports(args)


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    if not args.in_process:  # this process only waits for those that measure
        os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.user_errors import one_sentence_errors

    again = f'all finished cases are in {args.out}; go on with --resume'
    with one_sentence_errors(show_traceback=args.traceback), clean_interrupt(again):
        status = benchmark(args, argv)
    sys.exit(status)


if __name__ == '__main__':
    main()
