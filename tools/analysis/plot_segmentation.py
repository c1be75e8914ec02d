"""A room or shapes of the test data, segmented, beside the truth.

    python tools/analysis/plot_segmentation.py CONFIG CHECKPOINT --room Area_6_office_1
    python tools/analysis/plot_segmentation.py PARTSEG_CONFIG CHECKPOINT --num 4 --out parts.html
"""
import argparse

import figure_cli


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        epilog='The data are those of the test_dataloader of the config.')
    parser.add_argument('config', help='path of a segmentation config')
    parser.add_argument('checkpoint', metavar='CHECKPOINT')
    parser.add_argument('--room', help="a room's name or number (default: the first)")
    parser.add_argument('--num', type=int, default=4,
                        help='shapes with parts (default: %(default)s)')
    parser.add_argument('--hide', nargs='*', default=['ceiling'], metavar='CLASS',
                        help='classes to look through (default: ceiling)')
    parser.add_argument('--seed', type=int, default=0, help='of every choice')
    parser.add_argument('--device', help='default: a GPU if there is one')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override config values, e.g. data_root=...')
    figure_cli.add_camera(parser, None, None)
    figure_cli.add_output(parser, 'segmentation.png')
    return parser.parse_args(argv)


def draw(args: argparse.Namespace):
    from mmengine.registry import init_default_scope

    from dcglr_mm.apis.machine import check_device
    from dcglr_mm.apis.segmentation_figures import draw_segmentation
    from dcglr_mm.engine.config_loading import load_config_with_overrides
    from dcglr_mm.visualization import Camera

    cfg = load_config_with_overrides(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'dcglr_mm'))
    # Rooms are seen from above a corner, shapes from the side, unless something is said.
    camera = None
    if args.azimuth is not None or args.elevation is not None or args.up != 'z':
        camera = Camera(30. if args.azimuth is None else args.azimuth,
                        20. if args.elevation is None else args.elevation, args.up)
    return draw_segmentation(
        cfg, args.checkpoint, room=args.room, num=args.num, seed=args.seed, hide=args.hide,
        camera=camera, device=args.device and check_device(args.device), log=figure_cli.log)


def main(argv: list[str] | None = None) -> None:
    figure_cli.main(parse_args(argv), draw)


if __name__ == '__main__':
    main()
