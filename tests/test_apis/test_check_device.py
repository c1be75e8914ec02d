"""A device that is not here is refused in one sentence."""
import pytest
import torch

from dcglr_mm.apis.machine import check_device


def test_the_cpu_is_always_there():
    assert check_device('cpu') == 'cpu'


@pytest.mark.parametrize('name', ['gpu', 'cuda:99', 'meta:x'])
def test_another_device_is_named(name):
    with pytest.raises(ValueError, match=f"device '{name}' cannot be used here: "):
        check_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_cuda_without_a_gpu_is_refused():
    with pytest.raises(ValueError, match="device 'cuda' cannot be used here"):
        check_device('cuda')
