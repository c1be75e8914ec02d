"""Loss and SVM accuracy curves of several runs, from their logs (the paper's Fig. 5a).

    python tools/analysis/plot_curves.py work_dirs/A work_dirs/B --names DCGLR STRL --out curves.png

Resumed runs are stitched: what a resumption does again replaces what it did before.
"""
import argparse
from pathlib import Path

import figure_cli


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('runs', nargs='+', metavar='RUN',
                        help='work_dir of a run, or its vis_data/scalars.json')
    parser.add_argument('--names', nargs='+', metavar='NAME',
                        help="what to call them (default: the folders' names)")
    parser.add_argument('--scalars', nargs='+', metavar='KEY',
                        help='what to draw, e.g. loss svm/test_accuracy collapse/effective_rank '
                        '(default: loss and both SVM accuracies)')
    parser.add_argument('--smooth', type=float, default=0.6,
                        help='weight of the past in the moving average of a loss, 0 for none '
                        '(default: %(default)s)')
    figure_cli.add_output(parser, 'curves.png')
    return parser.parse_args(argv)


def draw(args: argparse.Namespace):
    from dcglr_mm.visualization import plot_runs, read_run
    from dcglr_mm.visualization.curves import RUN_PANELS

    names = args.names or [Path(run).resolve().name for run in args.runs]
    if len(names) != len(args.runs) or len(set(names)) != len(names):
        raise ValueError(f'--names: the {len(args.runs)} runs need as many different names, got '
                         f'{", ".join(names)}')
    titles = dict(RUN_PANELS)
    panels = [(key, titles.get(key, key)) for key in args.scalars or titles]
    return plot_runs({name: read_run(run) for name, run in zip(names, args.runs)}, panels=panels,
                     smooth=args.smooth)


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
