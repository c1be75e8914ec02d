"""Histogram of the log eigenvalues of the feature covariance (the paper's Fig. 5b).

    python tools/analysis/plot_spectrum.py CONFIG CHECKPOINT --untrained \\
        --also OTHER_CONFIG OTHER_CHECKPOINT --names untrained DCGLR STRL --out spectrum.png
"""
import figure_cli


def parse_args(argv: list[str] | None = None):
    parser = figure_cli.parser(__doc__.partition('\n')[0], 'spectrum.png', several=True)
    parser.add_argument('--bins', type=int, default=30, help='default: %(default)s')
    return parser.parse_args(argv)


def draw(args):
    from dcglr_mm.apis.figures import spectrum

    return spectrum(*figure_cli.load(args), bins=args.bins)


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
