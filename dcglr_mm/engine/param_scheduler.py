"""Weight-decay schedule."""
from mmengine.optim.scheduler.param_scheduler import INF, _ParamScheduler

from dcglr_mm.registry import PARAM_SCHEDULERS
from dcglr_mm.schedules import cosine_schedule


@PARAM_SCHEDULERS.register_module()
class CosineWeightDecay(_ParamScheduler):
    """Cosine from each group's weight decay to ``end_value``, DINO's schedule (0.04 to 0.4).

    Groups without weight decay stay without it, which MMEngine's own cosine does not grant.

    Args:
        optimizer (BaseOptimWrapper | Optimizer): The optimiser; its weight decay is the start.
        end_value (float): Weight decay after the last step.
        begin (int): First step. Defaults to 0.
        end (int): Step at which ``end_value`` is reached; must be given.
        last_step (int): For resuming without state. Defaults to -1.
        by_epoch (bool): Whether steps are epochs. Defaults to True.
        verbose (bool): Print every update. Defaults to False.

    Raises:
        ValueError: If ``end`` is not given.
    """

    def __init__(self,
                 optimizer,
                 end_value: float,
                 begin: int = 0,
                 end: int = INF,
                 last_step: int = -1,
                 by_epoch: bool = True,
                 verbose: bool = False) -> None:
        if end >= INF:
            raise ValueError("CosineWeightDecay needs `end`, the schedule's last step")
        self.end_value = end_value
        super().__init__(optimizer, 'weight_decay', begin, end, last_step, by_epoch, verbose)

    @classmethod
    def build_iter_from_epoch(cls,
                              *args,
                              begin: int = 0,
                              end: int = INF,
                              by_epoch: bool = True,
                              epoch_length: int | None = None,
                              **kwargs) -> 'CosineWeightDecay':
        """Build an iteration-based scheduler from a config in epochs."""
        if not by_epoch or not epoch_length:
            raise ValueError('convert_to_iter_based needs by_epoch=True and a known epoch length, '
                             f'got by_epoch={by_epoch}, epoch_length={epoch_length}')
        return cls(*args, begin=begin * epoch_length, end=end * epoch_length, by_epoch=False,
                   **kwargs)

    def _get_value(self) -> list[float]:
        length = self.end - self.begin
        return [cosine_schedule(self.last_step, length, base, self.end_value) if base else 0.0
                for base in self.base_values]
