"""The main job on embedded data: pre-train without labels, score it beside the untrained network.

    python tools/demo.py                      # about five minutes on two CPU cores
    python tools/demo.py --budget smallest    # under a minute: checks that everything runs
    python tools/demo.py --resume             # go on after an interruption

Writes a table to the terminal, and to the output folder: demo.png, metrics.json, the weights before
and after (untrained.pth, pretrained.pth), features.npz, and logs that TensorBoard opens.
"""
import argparse
import io
import json
import os
import shutil
import sys
import time
from pathlib import Path

# Idle threads sleep instead of spinning. OpenMP reads this once, when torch is loaded.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
# Tensors are small here: on two cores a step took 0.31 s on one thread and 0.43 s on two.
os.environ.setdefault('OMP_NUM_THREADS', '1')
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a checkout runs without being installed

CONFIGS = {
    'default': ROOT / 'configs/demo/dcglr_vit3d-tiny_1xb32-cos-30e_synthetic-shapes.py',
    'smallest': ROOT / 'configs/demo/dcglr_vit3d-tiny_1xb32-smallest_synthetic-shapes.py',
}
# What a run writes; a fresh run removes exactly these before it starts.
SETTINGS = 'demo_config.py'
OUTPUTS = (SETTINGS, 'untrained.pth', 'pretrained.pth', 'features.npz', 'metrics.json', 'demo.png',
           'training.png', 'error.log', 'log')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Pre-train a small 3D-ViT on embedded shapes, without labels, and score it '
        'beside its untrained self.')
    parser.add_argument('--budget', choices=CONFIGS, default='default',
                        help='default: about five minutes on two cores; smallest: under a minute, '
                        'to see that everything runs (it is too short to learn much)')
    parser.add_argument('--out', type=Path, default=Path('demo_output'),
                        help='folder of the results (default: %(default)s)')
    parser.add_argument('--resume', action='store_true',
                        help='go on where an earlier run with the same --out stopped')
    parser.add_argument('--seed', type=int, default=0,
                        help='of initial weights, crops and label draws (default: %(default)s)')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    return parser.parse_args(argv)


def load_config(args: argparse.Namespace):
    """Read the budget's config with everything that the command line says."""
    from dcglr_mm.engine.config_loading import load_config_with_overrides

    return load_config_with_overrides(str(CONFIGS[args.budget]), [f'randomness.seed={args.seed}'])


def prepare_output(out: Path, cfg, resume: bool) -> None:
    """Make the output folder ready and note the settings in it.

    Raises:
        ValueError: If the folder holds something that is not a demo's, or, on resuming, a run with
            other settings.
    """
    from dcglr_mm.engine.atomic_backend import write_atomically

    settings = out / SETTINGS
    if resume and settings.is_file():
        if settings.read_text(encoding='utf-8') != cfg.pretty_text:
            raise ValueError(f'--resume: {out} holds a run with other settings (see {settings}); '
                             'give the same --budget and --seed, or another --out')
        return
    if out.exists() and not out.is_dir():
        raise ValueError(f'--out {out} is a file; give a folder')
    foreign = [p.name for p in out.iterdir() if p.name not in OUTPUTS] if out.is_dir() else []
    if foreign:
        raise ValueError(f'--out {out} holds other files ({foreign[0]}, ...); give a folder that '
                         'is empty, new, or from an earlier demo')
    for name in OUTPUTS:
        path = out / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    write_atomically(cfg.pretty_text.encode(), settings)


def extract(cfg, trained, out: Path, resume: bool) -> dict:
    """Features of both splits by both networks: ``untrained_train``, ..., and the labels."""
    import numpy as np

    from dcglr_mm.engine.atomic_backend import write_atomically
    from dcglr_mm.engine.progress import ProgressLine
    from dcglr_mm.evaluation import extract_features
    from dcglr_mm.evaluation.bn_calibration import calibrate_batch_norm

    path = out / 'features.npz'
    if resume and path.is_file():
        with np.load(path) as stored:
            return dict(stored)
    clouds = {split: build_clouds(cfg, split) for split in ('train', 'test')}
    # An untrained network has no batch-norm statistics of its own: it gets those of the train
    # split, or it would lose for a reason that has nothing to do with learning.
    calibrate_batch_norm(trained.untrained, clouds['train'])
    total = 2 * sum(map(len, clouds.values()))
    line, finished, arrays = ProgressLine('[2/3] features', total, every=0.25), 0, {}
    for name in ('untrained', 'pretrained'):
        for split, dataset in clouds.items():
            arrays[f'{name}_{split}'], arrays[f'{split}_labels'] = extract_features(
                getattr(trained, name), dataset, batch_size=64,
                progress=lambda done, _, before=finished: line.update(before + done))
            finished += len(dataset)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_atomically(buffer.getvalue(), path)
    return arrays


def build_clouds(cfg, split: str, **changes):
    """The demo's whole clouds, without views."""
    from dcglr_mm.registry import DATASETS

    return DATASETS.build({**cfg[f'{split}_data'], 'pipeline': [dict(type='PackInputs')],
                           'test_mode': True, **changes})


def score(cfg, arrays: dict, seed: int) -> list:
    """Compare the two networks by the protocols of the config."""
    from dcglr_mm.apis.comparison import Features, compare_features

    before, after = (Features(arrays[f'{name}_train'], arrays[f'{name}_test'])
                     for name in ('untrained', 'pretrained'))
    return compare_features(before, after, arrays['train_labels'], arrays['test_labels'], seed=seed,
                            **cfg.scoring)


def draw(cfg, arrays: dict, rows: list, out: Path) -> None:
    """Write demo.png, and training.png from the log."""
    import numpy as np

    from dcglr_mm.registry import TRANSFORMS
    from dcglr_mm.visualization import plot_summary, plot_training_log, read_run, save_figure

    # The object stands upright and its views are cut but not turned, stretched or shifted, so that
    # one sees which part of it each of them is.
    shapes = build_clouds(cfg, 'test', pipeline=[], rotation='none', noise=0.0)
    item = shapes[list(shapes.metainfo['classes']).index(cfg.picture_class)]
    multi_crop = TRANSFORMS.build({**cfg.train_dataloader.dataset.pipeline[0], 'augment': ['crop']})
    item['rng'] = np.random.default_rng(0)
    names = [row.name.replace('SVM, ', '').replace(', k = ', '\nk = ') for row in rows]
    bars = [{name: (np.mean(values), np.std(values, ddof=1) if len(values) > 1 else np.nan)
             for name, values in zip(names, accuracies)}
            for accuracies in ([row.before for row in rows], [row.after for row in rows])]
    classes = shapes.metainfo['classes']
    figure = plot_summary(
        item['points'], multi_crop(item)['views'], cfg.picture_class, arrays['untrained_test'],
        arrays['pretrained_test'], arrays['test_labels'], classes, *bars, backdrop=True,
        title='What the network is shown, without labels, and what it makes of shapes it never saw',
        note=f'{len(arrays["test_labels"])} test shapes of {len(classes)} classes, randomly '
        'rotated; linear SVM (labels a class) and kNN on frozen features')
    save_figure(figure, out / 'demo.png')
    save_figure(plot_training_log(read_run(out / 'log')), out / 'training.png')


def announce(cfg, out: Path) -> None:
    """Say before the work starts what will be done, and what cannot be expected of it."""
    data, model = cfg.train_data, cfg.model
    print(f'''DCGLR demo: a point-cloud network learns from shapes without labels, then is scored.
  data     {data.type}: {data.num_points} points, random rotations; never trained on test shapes
  network  {model.backbone.type}, {model.backbone.embed_dims} wide, {model.backbone.depth} deep
  teacher  lambda (Eq. 13) starts at {model.teacher_lambda}, decided beforehand: the paper's 0.996
           is made for 300 epochs; in minutes that teacher would hardly leave its random start
  results  {out}/   (Ctrl-C at any time; --resume goes on)''', flush=True)


def report(cfg, rows: list, trained, out: Path, seconds: float) -> None:
    """Print the closing table and write metrics.json, which holds the same numbers."""
    import numpy as np

    from dcglr_mm.apis.comparison import format_table, verdict
    from dcglr_mm.apis.machine import describe_machine
    from dcglr_mm.engine.atomic_backend import write_atomically

    machine, seed, draws = describe_machine(), cfg.randomness.seed, cfg.scoring.draws
    scores = {row.name: dict(
        untrained=dict(mean=np.mean(row.before), accuracies=row.before),
        pretrained=dict(mean=np.mean(row.after), accuracies=row.after),
        gain=row.gain, gain_standard_error=row.error, outcome=row.outcome) for row in rows}
    metrics = dict(scores=scores, verdict=verdict(rows), seed=seed, num_test=rows[0].num_test,
                   iterations=trained.iterations, training_seconds=round(trained.seconds, 1),
                   seconds=round(seconds, 1), machine=machine)
    write_atomically(json.dumps(metrics, indent=2).encode(), out / 'metrics.json')
    print(f'''
{format_table(rows)}
labels: per class; ±: deviation over {draws} draws of the labelled shapes; features standardised;
untrained network with batch-norm statistics calibrated on the train split
{verdict(rows)}

training  {trained.iterations} steps in {trained.seconds / 60:.1f} min; seed {seed}
in all    {seconds / 60:.1f} min
machine   {machine['device']}, {machine['cores']} cores, {machine['threads']} threads
versions  Python {machine['python']}, torch {machine['torch']}, MMEngine {machine['mmengine']}
picture   {out / 'demo.png'}
numbers   {out / 'metrics.json'}
curves    {out / 'training.png'}, or: tensorboard --logdir {out / 'log'}
weights   {out / 'pretrained.pth'}''', flush=True)


def run(args: argparse.Namespace) -> None:
    """All stages; one that an earlier run finished is not done again on resuming."""
    start = time.monotonic()
    cfg = load_config(args)
    prepare_output(args.out, cfg, args.resume)
    announce(cfg, args.out)

    from dcglr_mm.apis.pretrain import pretrain
    from dcglr_mm.engine.atomic_backend import use_atomic_writes

    use_atomic_writes()
    trained = pretrain(cfg, args.out, args.resume, label='[1/3] training')
    arrays = extract(cfg, trained, args.out, args.resume)
    print('[3/3] linear SVMs, kNN and pictures', flush=True)
    rows = score(cfg, arrays, args.seed)
    draw(cfg, arrays, rows, args.out)
    report(cfg, rows, trained, args.out, time.monotonic() - start)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    tune_cpu()
    again = f'python tools/demo.py --budget {args.budget} --out {args.out} --resume'
    with (one_sentence_errors(str(args.out), args.traceback),
          clean_interrupt(f'go on with: {again}')):
        run(args)


if __name__ == '__main__':
    main()
