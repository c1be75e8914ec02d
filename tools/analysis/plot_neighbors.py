"""Shapes beside their nearest neighbours in feature space.

    python tools/analysis/plot_neighbors.py CONFIG CHECKPOINT --num 5 --k 6 --out neighbors.png
"""
import figure_cli


def parse_args(argv: list[str] | None = None):
    parser = figure_cli.parser(__doc__.partition('\n')[0], 'neighbors.png')
    figure_cli.add_clouds(parser, 5)
    parser.add_argument('--k', type=int, default=6, help='neighbours (default: %(default)s)')
    return parser.parse_args(argv)


def draw(args):
    from dcglr_mm.apis.figures import neighbors

    return neighbors(*figure_cli.load(args), num=args.num, k=args.k, seed=args.seed,
                     classes=args.classes, camera=figure_cli.camera(args))


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
