import gc

import pytest

from dcglr_mm.datasets.transforms.kernels import compiled_kernels
from dcglr_mm.models.ops.kernel_choice import SWITCHES, one_cloud_kernels


@pytest.fixture(autouse=True, scope='session')
def _leave_imported_modules_out_of_garbage_collection():
    # MMEngine collects garbage for every data set that it fills, a third of a second each with
    # torch's modules loaded.
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=['numpy', 'numba'])
def compiled(request, monkeypatch):
    """Every case by numpy, and by compiled kernels."""
    if request.param == 'numba':
        pytest.importorskip('numba', reason='Numba is not installed')
        monkeypatch.delenv(SWITCHES['one_cloud'], raising=False)
    else:
        monkeypatch.setenv(SWITCHES['one_cloud'], '0')
    for choice in (one_cloud_kernels, compiled_kernels):
        choice.cache_clear()
    assert (compiled_kernels() is not None) == (request.param == 'numba')
    yield request.param
    for choice in (one_cloud_kernels, compiled_kernels):
        choice.cache_clear()
