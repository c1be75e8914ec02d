"""Class-token attention of each head of a 3D-ViT over objects (the paper's Fig. 6).

    python tools/analysis/plot_attention.py CONFIG CHECKPOINT --num 4 --out attention.png
    python tools/analysis/plot_attention.py CONFIG CHECKPOINT --out attention.gif   # a turntable
"""
import figure_cli


def parse_args(argv: list[str] | None = None):
    parser = figure_cli.parser(__doc__.partition('\n')[0], 'attention.png')
    figure_cli.add_clouds(parser, 4)
    parser.add_argument('--layer', type=int, default=-1,
                        help='whose attention, from 0 (default: the last)')
    parser.add_argument('--shared-scale', action='store_true',
                        help='one scale of colours for all panels')
    return parser.parse_args(argv)


def draw(args):
    from dcglr_mm.apis.figures import attention

    return attention(
        *figure_cli.load(args), num=args.num, seed=args.seed, classes=args.classes,
        layer=args.layer, shared_scale=args.shared_scale, camera=figure_cli.camera(args))


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
