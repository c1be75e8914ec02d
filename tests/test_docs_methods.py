"""docs/methods.md can be copied: its method and configs run as they stand."""
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from dcglr_mm.engine.config_loading import load_config_with_overrides
from dcglr_mm.models import PatchDCGLR
from dcglr_mm.registry import MODELS, TRANSFORMS

TEXT = (Path(__file__).parents[1] / 'docs/methods.md').read_text()


def python_blocks():
    return re.findall(r'```python\n(.*?)```', TEXT, flags=re.DOTALL)


def block_of(file):
    return re.search(rf'`{file}`:\n\n```python\n(.*?)```', TEXT, flags=re.DOTALL)[1]


def block_with(word):
    found, = [block for block in python_blocks() if word in block]
    return found


@pytest.fixture
def project(tmp_path, monkeypatch):
    for file in ('my_method.py', 'my_config.py'):
        (tmp_path / file).write_text(block_of(file))
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop('my_method', None)
    MODELS.module_dict.pop('PartToWhole', None)


def write_h5_folder(folder):
    rng = np.random.default_rng(1)
    (folder / 'shape_names.txt').write_text('cube\nplate\n')
    for split in ('train', 'test'):
        with h5py.File(folder / f'{split}.h5', 'w') as file:
            file['data'] = rng.uniform(-1, 1, (16, 520, 3)).astype(np.float32)
            file['label'] = (np.arange(16) % 2)[:, None].astype(np.uint8)
        (folder / f'{split}_files.txt').write_text(f'{split}.h5\n')


@pytest.mark.slow
def test_the_example_trains_and_is_scored_as_written(project):
    write_h5_folder(project)
    cfg = load_config_with_overrides(str(project / 'my_config.py'), [
        f'data_root={project}', 'train_dataloader.batch_size=16', 'train_cfg.max_epochs=4'])
    cfg.work_dir = str(project / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 4 and type(runner.model).__name__ == 'PartToWhole'
    assert 0 <= runner.message_hub.get_info('svm_best_val_accuracy') <= 1
    assert runner.message_hub.get_scalar('train/loss_part').current() > 0


def test_the_example_s_loss_is_what_its_text_says(project):
    import my_method
    torch.manual_seed(0)
    model = my_method.PartToWhole(
        backbone=dict(type='dcglr_mm.PointNet', widths=(8, 8), emb_dims=8),
        projector=dict(type='dcglr_mm.Projector', hidden_channels=8, bottleneck_channels=8,
                       out_channels=6), weight=0.5).eval()
    inputs = {'global': torch.randn(3, 2, 20, 3), 'local': torch.randn(3, 4, 9, 3)}
    found = model.loss(inputs)['loss_part'].item()
    terms = []
    for b in range(3):
        for i in range(2):
            for j in range(4):
                part = model.student['projector'](
                    model.student['backbone'](inputs['local'][b:b + 1, j]))[0]
                whole = model.teacher['projector'](
                    model.teacher['backbone'](inputs['global'][b:b + 1, i]))[0]
                terms.append((part / part.norm() - whole / whole.norm()).square().sum().item())
    assert found == pytest.approx(0.5 * sum(terms) / len(terms), rel=1e-4)


def test_the_shown_views_can_be_built_and_the_patch_config_loads(tmp_path):
    views = TRANSFORMS.build(eval(block_with("type='MultiView'")))
    points = np.random.default_rng(0).uniform(-1, 1, (2048, 3)).astype(np.float32)
    out = views(dict(points=points, rng=np.random.default_rng(0)))
    assert out['views']['global'].shape == (2, 2048, 3)
    path = tmp_path / 'config.py'
    path.write_text(block_with("type='PatchDCGLR'"))
    cfg = load_config_with_overrides(str(path), [])
    assert isinstance(MODELS.build({**cfg.model, 'type': 'dcglr_mm.PatchDCGLR'}), PatchDCGLR)


def test_the_shown_part_of_strl_is_the_code():
    code = (Path(__file__).parents[1] / 'dcglr_mm/models/selfsup/strl.py').read_text()
    lines = [line.split('  #')[0].strip() for line in block_with('self.predictor(').splitlines()]
    ours = [line.split('  #')[0].strip() for line in code.splitlines()]
    assert all(line in ours for line in lines)
