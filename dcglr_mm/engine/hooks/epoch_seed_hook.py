"""Ties all randomness of an epoch to the seed and the epoch's number."""
import torch
from mmengine.dataset import ConcatDataset
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import Dataset, Subset

from dcglr_mm.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Announces seed and epoch to the training data set and seeds torch anew each epoch.

    Crops and augmentations then depend on (seed, epoch, item) only, not on the number of loader
    workers, and a run resumed at an epoch's end continues exactly as if it had never stopped:
    MMEngine's checkpoints hold no random state. Give ``randomness=dict(seed=...)``, or a resumed
    run draws another seed. Data sets of mmdet3d are told through a transform with ``set_epoch`` in
    their pipeline (``dcglr_mm.SeedItem``).

    While a model is validated or tested, torch is seeded by (seed, batch over all ranks): a network
    that draws points, as sliding windows do, is scored alike in training, by tools/test.py, and on
    any number of ranks where a batch is one sample.

    Iteration-based loops have no epochs, and ``RepeatDataset`` shows an item several times an
    epoch; there the items keep their fresh randomness.
    """

    def before_train_epoch(self, runner) -> None:
        """Announce seed and epoch to the data sets."""
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            return
        for dataset in _leaf_datasets(runner.train_dataloader.dataset):
            transforms = getattr(getattr(dataset, 'pipeline', None), 'transforms', ())
            for part in (dataset, *transforms):
                if hasattr(part, 'set_epoch'):
                    part.set_epoch(runner.epoch, runner.seed)

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Seed torch at an epoch's first step.

        Not earlier: starting the loader draws from torch's generator or not, depending on whether
        its workers persist.
        """
        if batch_idx == 0 and isinstance(runner.train_loop, EpochBasedTrainLoop):
            torch.manual_seed(_mix(runner.seed, runner.epoch, get_rank()))

    def before_val(self, runner) -> None:
        """Keep the state that training goes on from."""
        self._training_state = torch.get_rng_state()
        self._cuda_states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def before_val_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Seed torch for one batch of validation."""
        torch.manual_seed(_mix(runner.seed, batch_idx * get_world_size() + get_rank()))

    def after_val(self, runner) -> None:
        """Go on with the state of before."""
        torch.set_rng_state(self._training_state)
        if self._cuda_states:  # manual_seed has changed them too
            torch.cuda.set_rng_state_all(self._cuda_states)

    before_test_iter = before_val_iter


def _leaf_datasets(dataset: Dataset) -> list[Dataset]:
    """Data sets under wrappers that show every item at most once an epoch."""
    if isinstance(dataset, ConcatDataset):
        return [leaf for part in dataset.datasets for leaf in _leaf_datasets(part)]
    if isinstance(dataset, Subset):
        return _leaf_datasets(dataset.dataset)
    return [dataset]


def _mix(*values: int) -> int:
    """One well-spread 63-bit seed from several integers."""
    mixed = 0
    for value in values:
        mixed = (mixed ^ (value + 1)) * 0x9E3779B97F4A7C15 & (2**64 - 1)
        mixed ^= mixed >> 29
    return mixed >> 1
