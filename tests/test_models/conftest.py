"""Settings that tests of models share."""
import importlib
import sys

import pytest
import torch

from dcglr_mm.models.ops import kernel_choice

# Work from which on compiled kernels are used.
THRESHOLDS = [('dcglr_mm.models.ops.knn', '_KERNEL_PAIRS'),
              ('dcglr_mm.models.ops.sampling', '_KERNEL_STEPS'),
              ('dcglr_mm.models.layers.edge_conv_function', '_KERNEL_VALUES'),
              ('dcglr_mm.models.layers.linear_max', '_KERNEL_OUTPUTS'),
              ('dcglr_mm.models.layers.pooled_rows', '_KERNEL_VALUES')]


@pytest.fixture(params=['torch', 'numba'])
def cpu_kernels(request, monkeypatch):
    """Every case with torch's operations, and with compiled kernels however small it is."""
    switch = kernel_choice.SWITCHES['numba_kernels']
    monkeypatch.setenv(switch, '0')
    if request.param == 'numba':
        pytest.importorskip('numba', reason='Numba is not installed')
        monkeypatch.delenv(switch)
        assert kernel_choice.numba_kernels(torch.device('cpu')) is not None
        for module, name in THRESHOLDS:
            importlib.import_module(module)
            monkeypatch.setattr(sys.modules[module], name, 0)
    return request.param


@pytest.fixture(params=[1, 2, 5], ids='threads{}'.format)
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)
