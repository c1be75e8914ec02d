"""Train any config of this package, on one CPU, one GPU or many ranks.

    python tools/train.py CONFIG --cfg-options data_root=...
    bash tools/dist_train.sh CONFIG GPUS
"""
import argparse
import os
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train a model from a config.')
    parser.add_argument('config', help='path of the config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints (default: the '
                        "config's work_dir, or work_dirs/<name of the config>)")
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CHECKPOINT',
                        help='go on from this checkpoint, or, without one or with "auto", from '
                        'the newest whole one in the work dir')
    parser.add_argument('--amp', action='store_true',
                        help='mixed precision (bfloat16 on a CPU)')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate by the real batch size over the config\'s '
                        'auto_scale_lr.base_batch_size')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override config values: key=value, nested.key=value, '
                        'key="[a,b]", list.0.key=value')
    parser.add_argument('--allow-new-keys', action='store_true',
                        help='let --cfg-options add keys that nothing is known to read')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='how several processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help='set by old launchers')
    parser.add_argument('--traceback', action='store_true',
                        help='show the full traceback of every error')
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace):
    """Read the config and merge everything that the command line says into it."""
    from dcglr_mm.engine.config_loading import load_config_with_overrides, set_work_dir
    from dcglr_mm.engine.launch import enable_amp, prepare_launcher

    cfg = load_config_with_overrides(args.config, args.cfg_options, args.allow_new_keys)
    set_work_dir(cfg, args.config, args.work_dir)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError('--auto-scale-lr: the config has no auto_scale_lr.base_batch_size')
        cfg.auto_scale_lr.enable = True
    prepare_launcher(cfg, args.launcher)
    return cfg


def choose_start(cfg, resume: str | None) -> None:
    """Set what the run starts from: a checkpoint to resume, weights, or nothing."""
    from mmengine.logging import print_log

    from dcglr_mm.engine.resume import check_checkpoint, find_checkpoint_to_resume

    if resume == 'auto' or (resume is None and cfg.get('resume') and not cfg.get('load_from')):
        checkpoint, problems = find_checkpoint_to_resume(cfg.work_dir)
        for problem in problems:
            print_log(f'passed over: {problem}', level='WARNING')
        cfg.resume = checkpoint is not None
        if checkpoint is not None:
            cfg.load_from = checkpoint
            return
        print_log(f'--resume: no checkpoint in {cfg.work_dir} yet, training starts '
                  + (f'from {cfg.load_from}' if cfg.get('load_from') else 'afresh'))
    elif resume is not None:
        check_checkpoint(resume, to_resume=True)
        cfg.resume, cfg.load_from = True, resume
        return
    if cfg.get('load_from'):
        check_checkpoint(cfg.load_from, to_resume=bool(cfg.get('resume')))


def check_batches(runner) -> None:
    """Refuse training data that give no batch at all.

    Raises:
        ValueError: With the numbers to change.
    """
    if runner.train_loop is None or len(runner.train_dataloader) > 0:
        return
    loader = runner.train_dataloader
    raise ValueError(f'train_dataloader gives no batch: the {len(loader.dataset)} samples do not '
                     f'fill one batch of batch_size={loader.batch_size} on each of '
                     f'{runner.world_size} processes, and drop_last=True leaves out smaller ones; '
                     'lower train_dataloader.batch_size')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.interrupt import InterruptHook, clean_interrupt
    from dcglr_mm.engine.launch import end_rank
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    settings = tune_cpu()
    with one_sentence_errors(show_traceback=args.traceback):
        cfg = load_config(args)
    again = f'the last whole checkpoint stays in {cfg.work_dir}; go on with --resume'
    with one_sentence_errors(cfg.work_dir, args.traceback), clean_interrupt(again):
        choose_start(cfg, args.resume)

        from mmengine.registry import RUNNERS
        from mmengine.runner import Runner

        from dcglr_mm.engine.atomic_backend import use_atomic_writes
        from dcglr_mm.evaluation.state import unwrap
        from dcglr_mm.models.adapters import check_head_channels
        from dcglr_mm.models.pretrained import forget_pretrained

        use_atomic_writes()
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
        runner.logger.info(settings)
        check_batches(runner)
        check_head_channels(unwrap(runner.model))
        if cfg.get('resume'):
            for path in forget_pretrained(runner.model):
                runner.logger.info(f'{path} is not read again: all weights are in the checkpoint '
                                   'that the run goes on from')
        runner.register_hook(InterruptHook())
        runner.train()
    end_rank()


if __name__ == '__main__':
    main()
