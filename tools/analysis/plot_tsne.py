"""t-SNE of frozen features with kNN purity, one map a network (the paper's Fig. 4).

    python tools/analysis/plot_tsne.py CONFIG CHECKPOINT --untrained --out tsne.png
"""
import figure_cli


def parse_args(argv: list[str] | None = None):
    parser = figure_cli.parser(__doc__.partition('\n')[0], 'tsne.png', several=True)
    parser.add_argument('--max-classes', type=int, default=12,
                        help='classes in colour, the rest grey (default: %(default)s)')
    parser.add_argument('--k', type=int, default=10,
                        help='neighbours of the purity (default: %(default)s)')
    parser.add_argument('--perplexity', type=float, default=30.)
    return parser.parse_args(argv)


def draw(args):
    from dcglr_mm.apis.figures import tsne

    return tsne(*figure_cli.load(args), max_classes=args.max_classes, k=args.k,
                perplexity=args.perplexity, seed=args.seed)


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
