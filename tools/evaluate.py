"""Compare checkpoints of a pre-training config with the untrained network, by one protocol.

    python tools/evaluate.py CONFIG CHECKPOINT ... --untrained --out metrics.json

Features are standardised with statistics of the train split. Every linear SVM has the C that five
folds of the train split choose; the test split is scored only. Shapes are taken as they stand and
randomly rotated, each always by the same rotation. The untrained network is scored as initialised
and, where it has batch norm, with the statistics of the train split, for several seeds.
"""
import argparse

import scoring_cli


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
    parser = scoring_cli.parser(__doc__.partition('\n')[0],
                                'The data sets are those of the LinearSVMHook in the config.')
    parser.add_argument('--rotations', nargs='+', default=['none', 'so3'],
                        choices=['none', 'z', 'so3'], help='default: none so3')
    parser.add_argument('--labels', nargs='+', type=labels_a_class, default=[2, 10, None],
                        metavar='K', help='labels a class (default: 2 10 all)')
    parser.add_argument('--presets', nargs='+', default=[], metavar='NAME',
                        help='score all labels by these published SVM presets too, each with its '
                        'own C and features: strl, lineage, pointglr, crosspoint, point2vec, '
                        'standardised')
    parser.add_argument('--draws', type=int, default=10,
                        help='draws of the labelled shapes (default: 10)')
    parser.add_argument('--folds', type=int, default=5, help='folds of train (default: 5)')
    parser.add_argument('--groups', metavar='CSV', help='table with the columns split, h5_row and '
                        "group: folds do not cut groups (default: the LinearSVMHook's)")
    return scoring_cli.parse(parser, argv)


def score(cfg, args: argparse.Namespace) -> tuple[dict, dict]:
    """All numbers, and the rows of the table."""
    from dcglr_mm.evaluation.comparison import compare

    result = compare(
        cfg, **scoring_cli.networks(args), rotations=args.rotations, labels=args.labels,
        presets=args.presets, draws=args.draws, num_folds=args.folds, groups=args.groups,
        batch_size=args.batch_size, num_workers=args.num_workers)
    return result, {name: entry['summary'] for name, entry in result['networks'].items()}


def main(argv: list[str] | None = None) -> None:
    scoring_cli.main(parse_args(argv), score)


if __name__ == '__main__':
    main()
