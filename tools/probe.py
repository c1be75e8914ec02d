"""Score frozen features by few-shot episodes, a linear probe and kNN.

    python tools/probe.py CONFIG CHECKPOINT ... --untrained --out metrics.json

Few-shot episodes follow Sharma and Kaul (2020) as CrossPoint runs them: 5 or 10 classes with 10 or
20 labelled and 20 other shapes of each, drawn from the train split; a linear SVM on frozen
features; mean and deviation over 10 episodes, the same ones for every network. The linear probe is
a softmax regression on the whole train split, kNN is weighted by cosine similarity; both are scored
on the test split.
"""
import argparse
import json
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.partition('\n')[0],
        epilog="The data sets are those of the config's LinearSVMHook or, of a classification "
        'config, of its test_dataloader (and the train split of the same).')
    parser.add_argument('config', help='path of the config file')
    parser.add_argument('checkpoints', nargs='*', metavar='CHECKPOINT',
                        help='checkpoints of that config, or state dicts of its backbone')
    parser.add_argument('--protocols', nargs='+', default=['few-shot', 'linear', 'knn'],
                        choices=['few-shot', 'linear', 'knn'], help='default: all three')
    parser.add_argument('--ways', type=int, nargs='+', default=[5, 10], metavar='N',
                        help='classes of an episode (default: 5 10)')
    parser.add_argument('--shots', type=int, nargs='+', default=[10, 20], metavar='N',
                        help='labelled shapes of a class (default: 10 20)')
    parser.add_argument('--queries', type=int, default=20,
                        help='scored shapes of a class (default: 20)')
    parser.add_argument('--episodes', type=int, default=10, help='of each kind (default: 10)')
    parser.add_argument('--split', choices=['train', 'test'], default='train',
                        help='where episodes are drawn from (default: train)')
    parser.add_argument('--k', type=int, default=20, help='neighbours of kNN (default: 20)')
    parser.add_argument('--rotation', default='none', choices=['none', 'z', 'so3'],
                        help='turn each shape by a rotation of its own (default: none)')
    parser.add_argument('--seed', type=int, default=0, help='of all draws (default: 0)')
    parser.add_argument('--merge', metavar='NAME',
                        help='the checkpoints are seeds of one run: show them as one row')
    parser.add_argument('--untrained', action='store_true', help='score the untrained network too')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], metavar='SEED',
                        help='of the untrained network (default: 0 1 2)')
    parser.add_argument('--network', help="teacher or student (default: the LinearSVMHook's)")
    parser.add_argument('--groups', metavar='CSV', help='table with the columns split, h5_row and '
                        "group: the probe's fold of train does not cut groups")
    parser.add_argument('--batch-size', type=int, default=32)
    parser.add_argument('--num-workers', type=int, default=0)
    parser.add_argument('--device', help='default: a GPU if there is one')
    parser.add_argument('--out', metavar='JSON', help='write every number to this file')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override config values: key=value, nested.key=value')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    if not args.checkpoints and not args.untrained:
        parser.error('nothing to score: give a checkpoint or --untrained')
    if args.merge and not args.checkpoints:
        parser.error('--merge needs checkpoints')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    print(tune_cpu(), file=sys.stderr)
    with one_sentence_errors(show_traceback=args.traceback):
        from mmengine.logging import MMLogger

        from dcglr_mm.apis.machine import check_device
        from dcglr_mm.engine.atomic_backend import write_atomically
        from dcglr_mm.engine.config_loading import load_config_with_overrides
        from dcglr_mm.evaluation.probing import merge_networks, probe
        from dcglr_mm.evaluation.table import format_table

        # Initialising a model would log every parameter.
        MMLogger.get_current_instance().setLevel('WARNING')
        cfg = load_config_with_overrides(args.config, args.cfg_options)
        result = probe(
            cfg, args.checkpoints, rotation=args.rotation, seed=args.seed, merge=args.merge,
            untrained_seeds=args.seeds if args.untrained else (), network=args.network,
            groups=args.groups, device=args.device and check_device(args.device),
            loader=dict(batch_size=args.batch_size, num_workers=args.num_workers),
            log=lambda line: print(line, file=sys.stderr, flush=True),
            protocols=args.protocols, ways=args.ways, shots=args.shots, queries=args.queries,
            episodes=args.episodes, split=args.split, k=args.k)
        print(format_table({name: {args.rotation: merge_networks(entry['scores'])}
                            for name, entry in result['networks'].items()}))
        print(result['notes'])
        if args.out:
            write_atomically(f'{json.dumps(result, indent=2)}\n'.encode(), args.out)


if __name__ == '__main__':
    main()
