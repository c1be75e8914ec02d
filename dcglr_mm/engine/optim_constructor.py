"""Parameter groups for pre-training."""
from mmengine.optim import BaseOptimWrapper
from torch import nn

from dcglr_mm.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class DecayGroupsConstructor:
    """Two groups of trainable parameters: with weight decay, and without.

    Biases and one-dimensional tensors (norm scales) get no weight decay, as in DINO. MMEngine's
    default constructor can say the same but makes a group of every tensor, which denies the
    optimiser its fused kernels.

    Args:
        optim_wrapper_cfg (dict): ``type``, ``optimizer`` and the wrapper's arguments.
        paramwise_cfg (dict | None): Must be empty; MMEngine's constructor serves per-layer rules.

    Raises:
        TypeError: If ``optim_wrapper_cfg`` has no ``optimizer`` dict.
        ValueError: If ``paramwise_cfg`` is given, or a model has nothing to train.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if not isinstance(optim_wrapper_cfg.get('optimizer'), dict):
            raise TypeError('optim_wrapper must be a dict that holds an optimizer dict, got '
                            f'{optim_wrapper_cfg}')
        if paramwise_cfg:
            raise ValueError('DecayGroupsConstructor takes no paramwise_cfg; remove '
                             "optim_wrapper.constructor to use MMEngine's DefaultOptimWrapper"
                             f'Constructor with {paramwise_cfg}')
        self.wrapper_cfg = dict(optim_wrapper_cfg)
        self.optimizer_cfg = dict(self.wrapper_cfg.pop('optimizer'))

    def __call__(self, model: nn.Module) -> BaseOptimWrapper:
        """Build the optimiser over ``model``'s trainable parameters and wrap it."""
        model = getattr(model, 'module', model)
        decayed, plain = [], []
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                no_decay = parameter.ndim <= 1 or name.endswith('.bias')
                (plain if no_decay else decayed).append(parameter)
        if not decayed and not plain:
            raise ValueError(f'{type(model).__name__} has no trainable parameter')
        groups = [dict(params=decayed), dict(params=plain, weight_decay=0.0)]
        optimizer = OPTIMIZERS.build(
            {**self.optimizer_cfg, 'params': [group for group in groups if group['params']]})
        wrapper_cfg = {'type': 'OptimWrapper', **self.wrapper_cfg}
        return OPTIM_WRAPPERS.build(wrapper_cfg, default_args=dict(optimizer=optimizer))
