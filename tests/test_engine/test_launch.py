"""One config on every kind of machine."""
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from torch import nn

from dcglr_mm.engine import launch
from dcglr_mm.engine.amp import AnyDeviceAmpOptimWrapper
from dcglr_mm.engine.launch import CPUDistributedDataParallel, enable_amp, prepare_launcher


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


@pytest.fixture
def gpu(monkeypatch):
    MMLogger.get_current_instance()  # made later, it would ask for the GPU's number
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)


@pytest.fixture
def gloo_calls(monkeypatch) -> list:
    calls = []
    monkeypatch.setattr(launch.torch.distributed, 'init_process_group',
                        lambda *args, **kwargs: calls.append((args, kwargs)))
    return calls


def amp_type(kind: str | None) -> str:
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD'))))
    if kind is not None:
        cfg.optim_wrapper.type = kind
    enable_amp(cfg)
    return cfg.optim_wrapper.type


@pytest.mark.parametrize('kind,twin', [
    (None, 'AmpOptimWrapper'), ('OptimWrapper', 'AmpOptimWrapper'),
    ('PerTensorClipOptimWrapper', 'dcglr_mm.PerTensorClipAmpOptimWrapper'),
    ('dcglr_mm.PerTensorClipAmpOptimWrapper', 'dcglr_mm.PerTensorClipAmpOptimWrapper'),
])
def test_amp_with_a_gpu_keeps_the_stock_wrapper(gpu, kind, twin):
    assert amp_type(kind) == twin


@pytest.mark.parametrize('kind,twin', [
    ('OptimWrapper', 'dcglr_mm.AnyDeviceAmpOptimWrapper'),
    ('AmpOptimWrapper', 'dcglr_mm.AnyDeviceAmpOptimWrapper'),
    ('PerTensorClipOptimWrapper', 'dcglr_mm.PerTensorClipAmpOptimWrapper'),
])
def test_amp_on_a_cpu_takes_a_wrapper_that_runs_there(no_gpu, kind, twin):
    assert amp_type(kind) == twin


def test_amp_refuses_a_wrapper_without_a_twin(no_gpu):
    with pytest.raises(ValueError, match="optim_wrapper.type is 'ApexOptimWrapper', expected"):
        amp_type('ApexOptimWrapper')


def test_cpu_amp_steps_like_float32_up_to_bfloat16(no_gpu):
    torch.manual_seed(0)
    layer, x = nn.Linear(8, 1), torch.randn(16, 8)
    twin = nn.Linear(8, 1)
    twin.load_state_dict(layer.state_dict())
    wrapper = AnyDeviceAmpOptimWrapper(torch.optim.SGD(layer.parameters(), lr=0.1))
    with wrapper.optim_context(layer):
        output = layer(x)
    assert output.dtype is torch.bfloat16
    wrapper.update_params(output.float().square().mean())
    twin(x).square().mean().backward()
    expected = twin.weight - 0.1 * twin.weight.grad
    assert layer.weight.dtype is torch.float32
    torch.testing.assert_close(layer.weight, expected, rtol=0.02, atol=0.005)


def test_with_a_gpu_or_one_process_the_stock_path_is_taken(gpu, gloo_calls):
    cfg = Config(dict(sync_bn='torch'))
    prepare_launcher(cfg, 'pytorch')
    assert cfg._cfg_dict == dict(sync_bn='torch', launcher='pytorch')
    assert gloo_calls == []


def test_cpu_ranks_get_gloo_and_a_wrapper_without_devices(no_gpu, gloo_calls, monkeypatch):
    for name, value in dict(RANK='1', LOCAL_RANK='1', WORLD_SIZE='2', MASTER_ADDR='a',
                            MASTER_PORT='1').items():
        monkeypatch.setenv(name, value)
    cfg = Config(dict(sync_bn='torch', find_unused_parameters=True,
                      env_cfg=dict(dist_cfg=dict(backend='nccl', timeout=90))))
    prepare_launcher(cfg, 'pytorch')
    (args, kwargs), = gloo_calls
    assert args == ('gloo', ) and kwargs['timeout'].total_seconds() == 90
    assert 'sync_bn' not in cfg
    assert cfg.model_wrapper_cfg == dict(type='dcglr_mm.CPUDistributedDataParallel',
                                         broadcast_buffers=False, find_unused_parameters=True)


def test_a_configs_own_wrapper_is_kept(no_gpu, gloo_calls, monkeypatch):
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '0')
    for kind, kept in (('MySeparateWrapper', 'MySeparateWrapper'),
                       ('MMDistributedDataParallel', 'dcglr_mm.CPUDistributedDataParallel')):
        cfg = Config(dict(model_wrapper_cfg=dict(type=kind, static_graph=True)))
        prepare_launcher(cfg, 'pytorch')
        assert cfg.model_wrapper_cfg == dict(type=kept, static_graph=True)


@pytest.mark.parametrize('launcher,variable,start', [
    ('pytorch', 'RANK', 'torchrun'), ('slurm', 'SLURM_PROCID', 'srun'),
    ('mpi', 'OMPI_COMM_WORLD_RANK', 'mpirun')])
def test_a_launcher_that_did_not_launch_is_named(no_gpu, monkeypatch, launcher, variable, start):
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match=f'{launcher}: .* {variable} is not set; .* {start}'):
        prepare_launcher(Config(), launcher)


def test_slurms_variables_become_torchs(no_gpu, gloo_calls, monkeypatch):
    for name, value in dict(SLURM_PROCID='5', SLURM_LOCALID='1', SLURM_NTASKS='8',
                            MASTER_ADDR='node3').items():
        monkeypatch.setenv(name, value)
    for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_PORT'):
        monkeypatch.setenv(name, 'to be replaced')
    monkeypatch.delenv('MASTER_PORT')
    prepare_launcher(Config(), 'slurm')
    names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
    assert [launch.os.environ[name] for name in names] == ['5', '1', '8', 'node3', '29500']


def test_sync_batch_norm_becomes_plain_on_cpu_ranks(tmp_path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        model = nn.Sequential(nn.Linear(3, 4), nn.SyncBatchNorm(4))
        wrapped = CPUDistributedDataParallel(model, device_ids=[0], broadcast_buffers=False)
        x = torch.randn(5, 3)
        expected = nn.functional.batch_norm(model[0](x), None, None, training=True)
        torch.testing.assert_close(wrapped(x), expected)
        assert wrapped.device_ids is None
    finally:
        torch.distributed.destroy_process_group()


def test_a_rank_ends_with_what_is_registered_for_its_end(tmp_path):
    script = f'''
import atexit, threading, time, torch
from dcglr_mm.engine.launch import end_rank
end_rank()  # of a process without ranks: nothing
torch.distributed.init_process_group('gloo', init_method='file://{tmp_path}/store', rank=0,
                                     world_size=1)
atexit.register(print, 'at exit')
threading.Thread(target=lambda: (time.sleep(0.5), print('thread'))).start()
end_rank()
print('never')
'''
    done = subprocess.run([sys.executable, '-c', script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, 'thread\nat exit\n'), done.stderr
