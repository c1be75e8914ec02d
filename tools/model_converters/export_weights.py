"""Export the backbone of one of our checkpoints for other authors' code.

    python tools/model_converters/export_weights.py dgcnn work_dirs/NAME/epoch_300.pth dgcnn.pth

Writes a state dict with those authors' names, in the layout that their evaluation reads, and prints
what became of every key.
"""
import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # runs without being installed

TARGETS = ('strl', 'strl-seg', 'strl-pointnet', 'pos-bert', 'pct', 'dgcnn', 'dgcnn-seg',
           'pointnet')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('target', choices=TARGETS, metavar='TARGET',
                        help=f'for whose code: {", ".join(TARGETS)}')
    parser.add_argument('input', help='checkpoint of pre-training, fine-tuning or a backbone')
    parser.add_argument('output', help='file to write')
    parser.add_argument('--network', choices=['teacher', 'student'], default='teacher',
                        help='of a pre-training checkpoint (default: %(default)s)')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.user_errors import one_sentence_errors

    with one_sentence_errors(show_traceback=args.traceback):
        from dcglr_mm.converters import check_two_files, export_weights, save

        check_two_files(args.input, args.output)
        exported = export_weights(args.input, args.target, args.network)
        save(exported.content, args.output)
        print('\n'.join([f'{args.input}: for the {exported.title}', *exported.report.lines(),
                         f'wrote {args.output}']))


if __name__ == '__main__':
    main()
