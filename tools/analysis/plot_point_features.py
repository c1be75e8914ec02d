"""Features of points as colours: their first three principal components.

    python tools/analysis/plot_point_features.py CONFIG CHECKPOINT --num 6 --out points.png
"""
import figure_cli


def parse_args(argv: list[str] | None = None):
    parser = figure_cli.parser(__doc__.partition('\n')[0], 'point_features.png')
    figure_cli.add_clouds(parser, 6)
    parser.add_argument('--keep-means', action='store_true',
                        help="do not subtract each object's mean: colours also tell objects apart")
    parser.add_argument('--clip', type=float, default=2.,
                        help='per cent clipped at either end (default: %(default)s)')
    return parser.parse_args(argv)


def draw(args):
    from dcglr_mm.apis.figures import point_features

    return point_features(
        *figure_cli.load(args), num=args.num, seed=args.seed, classes=args.classes,
        center_objects=not args.keep_means, clip=args.clip, camera=figure_cli.camera(args))


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
