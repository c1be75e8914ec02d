"""Score frozen features by few-shot episodes, a linear probe and kNN.

    python tools/probe.py CONFIG CHECKPOINT ... --untrained --out metrics.json

Few-shot episodes follow Sharma and Kaul (2020) as CrossPoint runs them: 5 or 10 classes with 10 or
20 labelled and 20 other shapes of each, drawn from the train split; a linear SVM on frozen
features; mean and deviation over 10 episodes, the same ones for every network. The linear probe is
a softmax regression on the whole train split, kNN is weighted by cosine similarity; both are scored
on the test split.
"""
import argparse

import scoring_cli


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = scoring_cli.parser(
        __doc__.partition('\n')[0],
        "The data sets are those of the config's LinearSVMHook or, of a classification config, of "
        'its test_dataloader (and the train split of the same).')
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
    parser.add_argument('--groups', metavar='CSV', help='table with the columns split, h5_row and '
                        "group: the probe's fold of train does not cut groups")
    return scoring_cli.parse(parser, argv)


def score(cfg, args: argparse.Namespace) -> tuple[dict, dict]:
    """All numbers, and the rows of the table."""
    from dcglr_mm.evaluation.probing import merge_networks, probe

    result = probe(
        cfg, **scoring_cli.networks(args), rotation=args.rotation, seed=args.seed,
        groups=args.groups, loader=dict(batch_size=args.batch_size, num_workers=args.num_workers),
        protocols=args.protocols, ways=args.ways, shots=args.shots, queries=args.queries,
        episodes=args.episodes, split=args.split, k=args.k)
    return result, {name: {args.rotation: merge_networks(entry['scores'])}
                    for name, entry in result['networks'].items()}


def main(argv: list[str] | None = None) -> None:
    scoring_cli.main(parse_args(argv), score)


if __name__ == '__main__':
    main()
