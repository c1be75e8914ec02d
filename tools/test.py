"""Score a checkpoint: by the config's test loop, or by the linear SVM of a pre-training config.

    python tools/test.py CONFIG CHECKPOINT
    bash tools/dist_test.sh CONFIG CHECKPOINT GPUS
"""
import argparse
import json
import math
import os
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parent
sys.path[:0] = [str(TOOLS.parent), str(TOOLS)]  # a checkout runs without being installed


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Score a checkpoint.')
    parser.add_argument('config', help='path of the config file')
    parser.add_argument('checkpoint', help='the checkpoint to score')
    parser.add_argument('--work-dir', help='folder for the log and test_metrics.json (default: '
                        "the config's work_dir, or work_dirs/<name of the config>)")
    parser.add_argument('--ignore-keys', metavar='REGEX',
                        help='weights that may be missing or left over; by default none may')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override config values: key=value, nested.key=value')
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


def score(runner) -> dict[str, float]:
    """Metrics of the test loop where the config has one, else of its `LinearSVMHook`.

    Raises:
        ValueError: If the config has neither.
    """
    if runner.cfg.get('test_dataloader') is not None:
        return runner.test()
    for hook in runner.hooks:
        if hasattr(hook, 'evaluate'):
            return hook.evaluate(runner)
    raise ValueError('this config has nothing to score with: neither test_dataloader, test_cfg '
                     'and test_evaluator nor a LinearSVMHook in custom_hooks')


def _strict(value: object) -> object:
    """What is no number becomes null: JSON has no other word for it."""
    if isinstance(value, dict):
        return {key: _strict(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(entry) for entry in value]
    if value is None or isinstance(value, str | int):
        return value
    number = float(value)  # of torch's and NumPy's types, too
    return number if math.isfinite(number) else None


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)  # before the heavy imports, so that --help is instant
    from idle_threads import choose_waiting

    choose_waiting()
    from dcglr_mm.engine.config_loading import load_config_with_overrides, set_work_dir
    from dcglr_mm.engine.interrupt import clean_interrupt
    from dcglr_mm.engine.launch import end_rank, prepare_launcher
    from dcglr_mm.engine.runtime import tune_cpu
    from dcglr_mm.engine.user_errors import one_sentence_errors

    settings = tune_cpu()
    with one_sentence_errors(show_traceback=args.traceback):
        cfg = load_config_with_overrides(args.config, args.cfg_options, args.allow_new_keys)
        set_work_dir(cfg, args.config, args.work_dir)
        cfg.load_from, cfg.resume = None, False
        prepare_launcher(cfg, args.launcher)
    with (one_sentence_errors(cfg.work_dir, args.traceback),
          clean_interrupt('no metrics were written; repeat the command')):
        from mmengine.dist import is_main_process
        from mmengine.model import is_model_wrapper
        from mmengine.runner import Runner

        from dcglr_mm.converters.agreement import differing_settings
        from dcglr_mm.engine.atomic_backend import write_atomically
        from dcglr_mm.engine.class_names import check_same_classes, class_names, read_class_names
        from dcglr_mm.engine.resume import check_checkpoint
        from dcglr_mm.engine.strict_loading import load_strictly

        check_checkpoint(args.checkpoint)
        runner = Runner.from_cfg(cfg)
        runner.logger.info(settings)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        for line in load_strictly(model, args.checkpoint, args.ignore_keys):
            runner.logger.warning(line)
        for line in differing_settings(args.checkpoint, cfg.model):
            runner.logger.warning(line)
        if cfg.get('test_dataloader') is not None:
            check_same_classes(read_class_names(args.checkpoint),
                               class_names(runner.test_dataloader.dataset), 'test_dataloader')
        runner.logger.info(f'Scoring {args.checkpoint}')
        metrics = score(runner)
        if is_main_process():
            text = json.dumps(_strict(metrics), indent=2)
            path = Path(cfg.work_dir) / 'test_metrics.json'
            write_atomically(f'{text}\n'.encode(), path)
            runner.logger.info(f'Metrics, also in {path}:\n{text}')
    end_rank()


if __name__ == '__main__':
    main()
