"""Settings that every test shares."""
import os

# Two threads on tiny tensors fight when cores are shared; OpenMP reads these when torch is loaded.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fixed_seed() -> None:
    """Every test starts from the same random state, whichever tests ran before it."""
    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True)
def _no_default_scope():
    """A runner leaves its scope behind, where the next test's bare type names would be sought."""
    yield
    DefaultScope._instance_dict.clear()
