"""Keeps the projector's last layer still at the start of training."""
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper

from dcglr_mm.registry import HOOKS


@HOOKS.register_module()
class LastLayerFreezeHook(Hook):
    """Drops the gradients of one module during the first epochs, DINO's ``freeze_last_layer``.

    The gradients are dropped right before the optimiser's step: switching ``requires_grad`` during
    training would break DistributedDataParallel. Such a parameter gets no weight decay either.

    Args:
        num_epochs (int): Epochs to freeze, 1 in POS-BERT's released code. Defaults to 1.
        num_iters (int | None): Iterations to freeze instead, for short runs. Defaults to None.
        module (str): Dotted name of the module. Defaults to ``'student.projector.last_layer'``.
    """

    def __init__(self,
                 num_epochs: int = 1,
                 num_iters: int | None = None,
                 module: str = 'student.projector.last_layer') -> None:
        self.num_epochs = num_epochs
        self.num_iters = num_iters
        self.module = module

    def before_train(self, runner) -> None:
        """Attach to the optimiser.

        Raises:
            ValueError: If the model has no such module.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        try:
            frozen = list(model.get_submodule(self.module).parameters())
        except AttributeError as error:
            raise ValueError(f'LastLayerFreezeHook: {type(model).__name__} has no module '
                             f'{self.module!r} ({error})') from None

        def drop_gradients(*_) -> None:
            if self._is_frozen(runner):
                for parameter in frozen:
                    parameter.grad = None

        self._handle = runner.optim_wrapper.optimizer.register_step_pre_hook(drop_gradients)

    def _is_frozen(self, runner) -> bool:
        if self.num_iters is not None:
            return runner.iter < self.num_iters
        return runner.epoch < self.num_epochs

    def after_train(self, runner) -> None:
        """Detach from the optimiser."""
        self._handle.remove()
