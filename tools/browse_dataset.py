"""Show what a config's training data set holds, and the views that a network gets of it.

    python tools/browse_dataset.py CONFIG --out browse.png
    python tools/browse_dataset.py CONFIG --num 3 --classes chair mug --up y --out browse.pdf

One row an item: the whole cloud as it is before views are made, then its views, all by one camera
and at one scale. Where no views are made, the cloud as read and as the pipeline leaves it.
"""
import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs without being installed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw clouds, crops and views of a config.')
    parser.add_argument('config', help='path of the config file')
    parser.add_argument('--out', type=Path, default=Path('browse.png'),
                        help='picture to write; its ending names the format (default: %(default)s)')
    parser.add_argument('--num', type=int, default=4, help='items (default: %(default)s)')
    parser.add_argument('--classes', nargs='+', metavar='NAME',
                        help='show items of these classes only')
    parser.add_argument('--max-views', type=int, default=3,
                        help='views of each kind to show (default: %(default)s)')
    parser.add_argument('--epoch', type=int, default=0,
                        help='whose random crops to show (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of crops and choice of items')
    parser.add_argument('--up', choices='xyz', default='z',
                        help='vertical axis of the data: y in ShapeNet and ModelNet40 H5 files '
                        '(default: %(default)s)')
    parser.add_argument('--azimuth', type=float, default=30., help='camera, degrees')
    parser.add_argument('--elevation', type=float, default=20., help='camera, degrees')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override config values, e.g. data_root=...')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    return parser.parse_args(argv)


def build_dataset(cfg):
    """The training data set of a config.

    Raises:
        ValueError: If the config has none.
    """
    from mmengine.registry import init_default_scope

    from dcglr_mm.registry import DATASETS

    if not cfg.get('train_dataloader'):
        raise ValueError(f'{cfg.filename} has no train_dataloader, so there is nothing to browse')
    init_default_scope(cfg.get('default_scope', 'dcglr_mm'))
    return DATASETS.build(cfg.train_dataloader.dataset)


def choose_items(dataset, classes: list[str] | None, num: int, seed: int) -> list[int]:
    """Indices of ``num`` random items, of different classes as far as they go.

    Raises:
        ValueError: If ``num`` is not positive or a class is unknown.
    """
    import numpy as np

    if num < 1:
        raise ValueError(f'--num has to be at least 1, found {num}')
    names = tuple(dataset.metainfo.get('classes') or ())
    unknown = [name for name in classes or () if name not in names]
    if unknown:
        raise ValueError(f'--classes: the data set has no class {unknown[0]!r}, only '
                         f'{", ".join(names) or "none at all"}')
    order = np.random.default_rng(seed).permutation(len(dataset))
    if not names:
        return order[:num].tolist()
    labels = [dataset.get_data_info(int(index))['gt_label'] for index in order]
    wanted = {names.index(name) for name in classes} if classes else set(range(len(names)))
    rounds: dict[int, int] = {}  # how often a class was met: first items of all classes go first
    ranked = []
    for index, label in zip(order.tolist(), labels):
        if label in wanted:
            rounds[label] = rounds.get(label, 0) + 1
            ranked.append((rounds[label], len(ranked), index))
    return [index for *_, index in sorted(ranked)[:num]]


def trace_item(dataset, index: int) -> list[tuple[str, str, object]]:
    """Panels of one item: ``(kind, title, points (N, C))``, the whole cloud first."""
    from dcglr_mm.datasets.transforms import MultiCrop, MultiView

    steps = dataset.pipeline.transforms
    cuts = [i for i, step in enumerate(steps) if isinstance(step, (MultiCrop, MultiView))]
    seen: dict = {}

    def watch(results: dict) -> dict:
        seen['before'] = results
        return results

    # The data set makes the item's random generator, so the views are those of training.
    if cuts:
        transforms = [*steps[:cuts[0]], watch, *steps[cuts[0]:cuts[-1] + 1]]
    else:
        transforms = [watch, *(s for s in steps if type(s).__name__ != 'PackInputs')]
    dataset.pipeline.transforms = transforms
    try:
        after = dataset[index]
    finally:
        dataset.pipeline.transforms = steps
    whole, label = seen['before']['points'], seen['before'].get('gt_label')
    names = dataset.metainfo.get('classes') or ()
    name = str(names[label]) if label is not None and names else f'item {index}'
    panels = [('cloud', f'{name}, {len(whole)} points', whole)]
    if not cuts:
        return [*panels, ('global', f'after the pipeline, {len(after["points"])}', after['points'])]
    for kind, views in after['views'].items():
        panels += [(kind, f'{i}/{len(views)}, {len(view)}', view)
                   for i, view in enumerate(views, 1)]
    return panels


def limit_views(panels: list, most: int) -> list:
    """At most ``most`` panels of each kind."""
    kept: dict[str, int] = {}
    shown = []
    for panel in panels:
        kept[panel[0]] = kept.get(panel[0], 0) + 1
        if kept[panel[0]] <= most:
            shown.append(panel)
    return shown


def draw(rows: list[list], camera):
    """One figure with a row of panels for each item."""
    from dcglr_mm.visualization import plot_clouds
    from dcglr_mm.visualization.clouds import CLOUD_COLOR, VIEW_COLORS, VIEW_TITLES

    panels = [panel for row in rows for panel in row]
    titles = [f'{VIEW_TITLES[kind]} {title}' if kind in VIEW_TITLES and '/' in title else title
              for kind, title, _ in panels]
    return plot_clouds([points for *_, points in panels], titles, camera=camera,
                       colors=[VIEW_COLORS.get(kind, CLOUD_COLOR) for kind, *_ in panels],
                       columns=len(rows[0]))


def browse(args: argparse.Namespace) -> None:
    from dcglr_mm.engine.config_loading import load_config_with_overrides
    from dcglr_mm.visualization import Camera, save_figure

    cfg = load_config_with_overrides(args.config, args.cfg_options)
    dataset = build_dataset(cfg)
    dataset.set_epoch(args.epoch, args.seed)
    chosen = choose_items(dataset, args.classes, args.num, args.seed)
    rows = [limit_views(trace_item(dataset, index), args.max_views) for index in chosen]
    save_figure(draw(rows, Camera(args.azimuth, args.elevation, args.up)), args.out)
    print(f'{len(dataset)} items; {len(chosen)} of them in {args.out}')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.user_errors import one_sentence_errors

    with one_sentence_errors(show_traceback=args.traceback):
        browse(args)


if __name__ == '__main__':
    main()
