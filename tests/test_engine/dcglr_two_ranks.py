"""Trains the tiny DCGLR on two gloo ranks; started by test_dcglr_training.py through torchrun."""
import sys
from pathlib import Path

import torch
from mmengine.dist import get_rank

from dcglr_mm.engine.launch import end_rank

from test_dcglr_training import BATCH, NUM_STEPS, make_runner
sys.path.insert(0, str(Path(__file__).parents[1] / 'test_models'))
from dcglr_reference import build_model, make_clouds


def main() -> None:
    out = Path(sys.argv[1])
    torch.distributed.init_process_group('gloo')
    model = build_model()
    # DefaultSampler deals items out in turn, so every global batch keeps its items.
    runner = make_runner(
        out, model, make_clouds(NUM_STEPS, BATCH), BATCH // 2, launcher='pytorch',
        cfg=dict(model_wrapper_cfg=dict(type='MMDistributedDataParallel', device_ids=None)))
    runner.train()
    torch.save(model.state_dict(), out / f'rank{get_rank()}.pth')
    end_rank()


if __name__ == '__main__':
    main()
