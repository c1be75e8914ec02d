"""Trains the tiny STRL on two gloo ranks; started by test_strl_training.py through torchrun."""
import sys
from pathlib import Path

import torch
from mmengine.dist import get_rank

from dcglr_mm.engine.launch import end_rank

from test_strl_training import BATCH, NUM_STEPS, build_model, make_runner, make_views


def main() -> None:
    out = Path(sys.argv[1])
    torch.distributed.init_process_group('gloo')
    model = build_model()
    # Buffers are each rank's own, as in the shipped schedules, which average them after an epoch.
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    runner = make_runner(out, model, make_views(NUM_STEPS, BATCH), BATCH // 2, launcher='pytorch',
                         cfg=dict(model_wrapper_cfg=wrapper))
    runner.train()
    torch.save(model.state_dict(), out / f'rank{get_rank()}.pth')
    end_rank()


if __name__ == '__main__':
    main()
