"""Segmentation on embedded rooms: pre-train without labels, then learn from few labelled rooms.

    python tools/demo_seg.py                      # about six minutes on two CPU cores
    python tools/demo_seg.py --budget smallest    # under a minute: checks that everything runs
    python tools/demo_seg.py --resume             # go on after an interruption

Needs mmdet3d (the extra [mmdet3d]). Writes a table to the terminal, and to the output folder:
demo_seg.png (prediction beside truth), metrics.json, the pre-trained weights, a result for each run
in runs/, and logs.
"""
import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

# Idle threads sleep instead of spinning. OpenMP reads this once, when torch is loaded.
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
os.environ.setdefault('OMP_NUM_THREADS', '1')  # tensors are small here
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # a checkout runs without being installed

DEMO = ROOT / 'configs/demo'
CONFIGS = {  # of pre-training and fine-tuning
    'default': (DEMO / 'dcglr_dgcnn-seg-small_1xb16-cos-14e_synthetic-rooms.py',
                DEMO / 'dgcnn-seg-small_1xb8-cos-100i_synthetic-rooms.py'),
    'smallest': (DEMO / 'dcglr_dgcnn-seg-small_1xb8-smallest_synthetic-rooms.py',
                 DEMO / 'dgcnn-seg-small_1xb8-smallest_synthetic-rooms.py'),
}
PICTURE_ROOM = 'Area_6_office_1'  # has all 13 classes
# What a run writes; a fresh run removes exactly these before it starts.
SETTINGS = 'demo_config.py'
OUTPUTS = (SETTINGS, 'rooms', 'rooms.partial', 'untrained.pth', 'pretrained.pth', 'runs',
           'metrics.json', 'demo_seg.png', 'error.log', 'log')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Pre-train a small per-point DGCNN on embedded rooms without labels, then '
        'fine-tune it on few labelled rooms beside the same network from scratch.')
    parser.add_argument('--budget', choices=CONFIGS, default='default',
                        help='default: about six minutes on two cores; smallest: under a minute, '
                        'to see that everything runs (it is too short to learn anything)')
    parser.add_argument('--out', type=Path, default=Path('demo_seg_output'),
                        help='folder of the results (default: %(default)s)')
    parser.add_argument('--resume', action='store_true',
                        help='go on where an earlier run with the same --out stopped')
    parser.add_argument('--seed', type=int, default=0,
                        help='of the rooms and of pre-training; fine-tuning counts on from it '
                        '(default: %(default)s)')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    return parser.parse_args(argv)


def load_configs(args: argparse.Namespace) -> tuple:
    """Read the budget's two configs with everything that the command line says."""
    from dcglr_mm.engine.config_loading import load_config_with_overrides

    pre, fine = CONFIGS[args.budget]
    root = f'data_root={args.out / "rooms"}'
    return (load_config_with_overrides(str(pre), [root, f'randomness.seed={args.seed}']),
            load_config_with_overrides(str(fine), [root]))


def prepare_output(out: Path, settings_text: str, resume: bool) -> None:
    """Make the output folder ready and note the settings in it.

    Raises:
        ValueError: If the folder holds something that is not a demo's, or, on resuming, a run with
            other settings.
    """
    from dcglr_mm.engine.atomic_backend import write_atomically

    settings = out / SETTINGS
    if resume and settings.is_file():
        if settings.read_text(encoding='utf-8') != settings_text:
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
    write_atomically(settings_text.encode(), settings)


def announce(pre, fine, out: Path) -> None:
    """Say before the work starts what will be done."""
    rooms, network = pre.rooms, pre.model.backbone
    print(f'''DCGLR segmentation: a network learns without labels, then from labels of few rooms
  data      SyntheticRooms: six areas of {rooms.rooms} rooms, cut to blocks of 1 m; x, y and z only
  network   {network.type}, stages {[list(w) for w in network.stage_widths]}, in mmdet3d's segmentor
  labels    of {" and of ".join(str(n) for n in fine.labelled_rooms)} room(s) of the other areas,
            {fine.seeds} draws each; scored on Area 6
  results   {out}/   (Ctrl-C at any time; --resume goes on)''', flush=True)


def make_rooms(pre, out: Path, seed: int):
    """Write the blocks of all areas, unless they are there."""
    from dcglr_mm.datasets.rooms import SyntheticRooms
    from dcglr_mm.datasets.s3dis import BlockFormat, convert_rooms

    source = SyntheticRooms(seed=seed, **pre.rooms)
    convert_rooms(source, BlockFormat(**pre.blocks), out / 'rooms', label='[1/4] rooms')
    return source


def make_trials(fine, seed: int) -> list:
    """Both starts of every draw of labelled rooms."""
    from dcglr_mm.apis.segmentation import Trial

    return [Trial(num_rooms, seed + draw, pretrained) for num_rooms in fine.labelled_rooms
            for draw in range(fine.seeds) for pretrained in (False, True)]


def draw(fine, source, trials: list, results: list[dict], out: Path) -> None:
    """Write demo_seg.png: one room of Area 6, true and as the first draw's networks label it."""
    import numpy as np

    from dcglr_mm.apis.segmentation import rows_of_room
    from dcglr_mm.registry import DATASETS
    from dcglr_mm.visualization import plot_segmentation, save_figure

    # The last three columns are shares of the room's extent.
    data = DATASETS.build({**fine.test_dataloader.dataset, 'pipeline': [],
                           'columns': (6, 7, 8)})
    items = [data[row] for row in rows_of_room(data, PICTURE_ROOM)]
    points = np.concatenate([item['points'] for item in items])
    points = points * source.load(PICTURE_ROOM).from_origin().max(axis=0)
    truth = np.concatenate([item['pts_semantic_mask'] for item in items])
    most = max(fine.labelled_rooms)
    labelings = {'truth': truth}
    for trial, result in zip(trials, results):
        if (trial.num_rooms, trial.seed) == (most, trials[0].seed):
            labels = result['labels'].reshape(-1)
            start = 'pre-trained' if trial.pretrained else 'from scratch'
            labelings[f'{start}: {100 * np.mean(labels == truth):.0f} % of the points'] = labels
    figure = plot_segmentation(
        points, labelings, data.metainfo['classes'], data.metainfo['palette'],
        title=f'A room that no network was trained on, after learning from {most} labelled '
        f'room{"s" if most > 1 else ""}',
        note=f'{PICTURE_ROOM} of SyntheticRooms, without its ceiling; draw {trials[0].seed}')
    save_figure(figure, out / 'demo_seg.png')


def report(fine, rows: list, trials: list, results: list[dict], trained, out: Path,
           args: argparse.Namespace, seconds: float) -> None:
    """Print the closing table and write metrics.json, which holds the same numbers."""
    import numpy as np

    from dcglr_mm.apis.comparison import format_table, verdict
    from dcglr_mm.apis.machine import describe_machine
    from dcglr_mm.engine.atomic_backend import write_atomically

    machine = describe_machine()
    words = verdict(rows, bound='what a paired t-test at 5 % asks')
    scores = {row.name: dict(scratch=dict(mean=np.mean(row.before), values=row.before),
                             pretrained=dict(mean=np.mean(row.after), values=row.after),
                             gain=row.gain, outcome=row.outcome) for row in rows}
    runs = {trial.name: dict(metrics=result['metrics'], train_rooms=result['train_rooms'],
                             seconds=result['seconds'])
            for trial, result in zip(trials, results)}
    metrics = dict(scores=scores, verdict=words, runs=runs, seed=args.seed,
                   pretraining_steps=trained.iterations,
                   pretraining_seconds=round(trained.seconds, 1), seconds=round(seconds, 1),
                   machine=machine)
    write_atomically(json.dumps(metrics, indent=2).encode(), out / 'metrics.json')
    print(f'''
{format_table(rows, ('scratch', 'pre-trained'), 'on Area 6, %')}
±: deviation over {fine.seeds} draws of the labelled rooms; both networks of a draw have the same
rooms, settings and {fine.train_cfg.max_iters} steps. mIoU: mean over classes of the IoU in Area 6
{words}

pre-training  {trained.iterations} steps in {trained.seconds / 60:.1f} min; seed {args.seed}
in all        {seconds / 60:.1f} min
machine       {machine['device']}, {machine['cores']} cores, {machine['threads']} threads
versions      Python {machine['python']}, torch {machine['torch']}, MMEngine {machine['mmengine']}
picture       {out / 'demo_seg.png'}
numbers       {out / 'metrics.json'}
weights       {out / 'pretrained.pth'}''', flush=True)


def run(args: argparse.Namespace) -> None:
    """All stages; one that an earlier run finished is not done again on resuming."""
    start = time.monotonic()
    pre, fine = load_configs(args)
    prepare_output(args.out, pre.pretty_text + fine.pretty_text, args.resume)
    announce(pre, fine, args.out)

    from dcglr_mm.apis.pretrain import pretrain
    from dcglr_mm.apis.segmentation import compare_trials, run_trials
    from dcglr_mm.engine.atomic_backend import use_atomic_writes

    use_atomic_writes()
    source = make_rooms(pre, args.out, args.seed)
    trained = pretrain(pre, args.out, args.resume, label='[2/4] pre-training')
    trials = make_trials(fine, args.seed)
    results = run_trials(fine, trials, args.out / 'pretrained.pth', args.out, PICTURE_ROOM,
                         label='[3/4] fine-tuning')
    print('[4/4] table and picture', flush=True)
    draw(fine, source, trials, results, args.out)
    report(fine, compare_trials(trials, results), trials, results, trained, args.out, args,
           time.monotonic() - start)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    tune_cpu()
    again = f'python tools/demo_seg.py --budget {args.budget} --out {args.out} --resume'
    with (one_sentence_errors(str(args.out), args.traceback),
          clean_interrupt(f'go on with: {again}')):
        run(args)


if __name__ == '__main__':
    main()
