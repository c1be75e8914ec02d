"""Import weights that other authors released.

    python tools/model_converters/import_weights.py auto epoch=59.ckpt strl.pth
    python tools/model_converters/import_weights.py dgcnn model.cls.2048.t7 dgcnn.pth --set k=40
    python tools/model_converters/import_weights.py dgcnn model.cls.1024.t7 dgcnn.pth --with-head

Writes a state dict of the backbone, or of the whole network, and prints what became of every key of
the input, and the config that builds the network. Nothing in the input is executed.
"""
import argparse
import ast
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs without being installed

SOURCES = ('auto', 'strl', 'strl-seg', 'strl-pointnet', 'pos-bert', 'pct', 'dgcnn', 'dgcnn-seg',
           'pointnet')


def setting(text: str) -> tuple[str, object]:
    key, equals, value = text.partition('=')
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f'expected KEY=VALUE, got {text!r}')
    try:
        return key, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return key, value


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0], formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('source', choices=SOURCES, metavar='SOURCE',
                        help=f'whose weights: {SOURCES[0]}, which tells by the keys, or\n'
                        f'{", ".join(SOURCES[1:])}')
    parser.add_argument('input', help='released checkpoint')
    parser.add_argument('output', help='file to write')
    parser.add_argument('--network', metavar='NAME',
                        help='network of a pair: online (default) or target (strl),\n'
                        'teacher (default) or student (pos-bert)')
    parser.add_argument('--set', nargs='+', type=setting, default=[], metavar='KEY=VALUE',
                        help='what weights do not show: k (DGCNN), patch_size, num_heads\n'
                        '(pos-bert)')
    parser.add_argument('--with-head', action='store_true',
                        help='import the whole network, as tools/test.py scores it, and not its\n'
                        'backbone alone: classifiers (dgcnn, pct, pointnet) and, where\n'
                        'mmdet3d is installed, segmentation networks (dgcnn-seg)')
    parser.add_argument('--classes', metavar='FILE',
                        help='with --with-head: names of the classes, one a line in the order of\n'
                        "the labels, such as ModelNet40's shape_names.txt")
    parser.add_argument('--prefix', default='',
                        help="put before every key, e.g. 'teacher.backbone.' for configs that\n"
                        'expect a pre-training checkpoint')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    if args.with_head and args.prefix:
        parser.error('--prefix is for a backbone; --with-head imports a whole network')
    if args.classes and not args.with_head:
        parser.error('--classes names the classes of a head; add --with-head')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.user_errors import one_sentence_errors

    with one_sentence_errors(show_traceback=args.traceback):
        from dcglr_mm.converters import check_two_files, config_text, import_weights, save
        from dcglr_mm.datasets.checks import read_list

        check_two_files(args.input, args.output)
        classes = read_list(Path(args.classes), 'one class a line') if args.classes else ()
        imported = import_weights(args.input, args.source, args.network, dict(args.set),
                                  args.with_head)
        save(imported.checkpoint(args.prefix, classes), args.output)
        print('\n'.join([f'{args.input}: {imported.title}', *imported.report.lines(),
                         f'wrote {args.output}', '',
                         config_text(imported, args.output, args.prefix)]))


if __name__ == '__main__':
    main()
