"""What the figure scripts share: arguments, loading, writing."""
import argparse
import sys
from collections.abc import Callable
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed


def parser(description: str, default_out: str, several: bool = False) -> argparse.ArgumentParser:
    """Arguments of a figure of frozen networks; ``several`` where it compares them."""
    made = argparse.ArgumentParser(
        description=description,
        epilog='The shapes are the labelled data of the (first) config: of its LinearSVMHook or '
        'test_dataloader; without these, its training data, read whole.')
    made.add_argument('config', help='path of the config file')
    if several:
        made.add_argument('checkpoints', nargs='*', metavar='CHECKPOINT',
                          help='checkpoints of that config, or state dicts of its backbone')
        made.add_argument('--untrained', action='store_true',
                          help='show the untrained network too, first')
        made.add_argument('--also', nargs=2, action='append', default=[],
                          metavar=('CONFIG', 'CHECKPOINT'),
                          help='a network of another config, seen on the same shapes; repeatable')
        made.add_argument('--names', nargs='+', metavar='NAME',
                          help='what to call the networks, in order')
    else:
        made.add_argument('checkpoint', nargs='?', metavar='CHECKPOINT',
                          help='checkpoint of that config, or a state dict of its backbone; '
                          'without one, the untrained network is shown')
        made.add_argument('--name', help='what to call the network')
    made.add_argument('--split', choices=['train', 'test'], default='test',
                      help='default: %(default)s')
    made.add_argument('--max-shapes', type=int, default=2000, metavar='N',
                      help='a random subset if there are more (default: %(default)s)')
    made.add_argument('--network', help="teacher or student (default: the LinearSVMHook's, else "
                      'teacher)')
    made.add_argument('--seed', type=int, default=0, help='of every choice (default: %(default)s)')
    made.add_argument('--batch-size', type=int, default=32)
    made.add_argument('--device', help='default: a GPU if there is one')
    made.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                      help='override config values: data_root=... reaches every data set')
    add_output(made, default_out)
    return made


def add_output(made: argparse.ArgumentParser, default: str) -> None:
    made.add_argument('--out', type=Path, default=Path(default),
                      help='picture to write: png, pdf, svg or html, which is interactive; gif '
                      'turns clouds round (default: %(default)s)')
    made.add_argument('--traceback', action='store_true',
                      help='show the full traceback of every error')


def add_clouds(made: argparse.ArgumentParser, num: int) -> None:
    """Which shapes, and from where."""
    made.add_argument('--num', type=int, default=num, help='shapes (default: %(default)s)')
    made.add_argument('--classes', nargs='+', default=[], metavar='NAME',
                      help='shapes of these classes only')
    add_camera(made)


def add_camera(made: argparse.ArgumentParser, azimuth: float | None = 30.,
               elevation: float | None = 20.) -> None:
    made.add_argument('--up', choices='xyz', default='z',
                      help='vertical axis of the data: y in ShapeNet and ModelNet40 H5 files '
                      '(default: %(default)s)')
    made.add_argument('--azimuth', type=float, default=azimuth, help='camera, degrees')
    made.add_argument('--elevation', type=float, default=elevation, help='camera, degrees')


def camera(args: argparse.Namespace):
    from dcglr_mm.visualization import Camera

    return Camera(args.azimuth, args.elevation, args.up)


def main(args: argparse.Namespace, draw: Callable) -> None:
    """Write what ``draw(args)`` returns, a figure; a user's mistake ends in one sentence."""
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.user_errors import one_sentence_errors

    with one_sentence_errors(show_traceback=args.traceback):
        from mmengine.logging import MMLogger

        from dcglr_mm.visualization import check_ending, save_figure

        check_ending(args.out)  # before the work
        MMLogger.get_current_instance().setLevel('WARNING')
        print(f'wrote {save_figure(draw(args), args.out)}')


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def load(args: argparse.Namespace) -> tuple[list, object]:
    """Return the networks and shapes that the arguments name."""
    from mmengine.registry import init_default_scope

    from dcglr_mm.apis.frozen import Shapes, load_network, shapes_config
    from dcglr_mm.apis.machine import check_device
    from dcglr_mm.engine.config_loading import load_config_with_overrides
    from dcglr_mm.evaluation.datasets import build_in_test_mode

    cfg = load_config_with_overrides(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'dcglr_mm'))
    wanted = _wanted(args, cfg, load_config_with_overrides)
    shapes = Shapes(build_in_test_mode(shapes_config(cfg, args.split)), args.max_shapes, args.seed)
    device = args.device and check_device(args.device)
    networks = [load_network(config, checkpoint, name, seed=args.seed, device=device,
                             network=args.network or svm_network(config),
                             batch_size=args.batch_size, log=log)
                for config, checkpoint, name in wanted]
    log(f'{len(shapes)} shapes of the {args.split} split')
    return networks, shapes


def svm_network(cfg) -> str:
    """The network that a config's LinearSVMHook scores, the teacher where there is none."""
    from dcglr_mm.evaluation.comparison import find_svm_hook

    try:
        return find_svm_hook(cfg).get('network', 'teacher')
    except ValueError:
        return 'teacher'


def _wanted(args: argparse.Namespace, cfg, read: Callable) -> list[tuple]:
    """``(config, checkpoint, name)`` of each network."""
    if hasattr(args, 'checkpoint'):
        name = args.name or (_short(args.checkpoint) if args.checkpoint else 'untrained')
        return [(cfg, args.checkpoint, name)]
    found = [(cfg, None, 'untrained')] if args.untrained else []
    found += [(cfg, path, _short(path)) for path in args.checkpoints]
    found += [(read(config), path, _short(path)) for config, path in args.also]
    if not found:
        raise ValueError('no network to show: give a checkpoint or --untrained')
    names = args.names or [name for *_, name in found]
    if len(names) != len(found):
        raise ValueError(f'--names: {len(names)} names for {len(found)} networks, in this order: '
                         f'{", ".join(name for *_, name in found)}')
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f'two networks are called {twice.pop()!r}; give --names')
    return [(config, path, name) for (config, path, _), name in zip(found, names)]


def _short(path: str) -> str:
    """Name a checkpoint by its folder and stem."""
    path = Path(path)
    return f'{path.resolve().parent.name}/{path.stem}'
