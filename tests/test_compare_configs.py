"""The embedded comparison: two methods on three backbones, differing in the method alone."""
from pathlib import Path

from dcglr_mm.study import plan_rows

COMPARE = sorted(map(str, (Path(__file__).parents[1] / 'configs/compare').glob('*.py')))
DATA = dict(type='SyntheticShapes', num_points=512, rotation='so3', num_per_class=50)


def test_methods_share_backbone_data_batch_and_epochs(tmp_path):
    rows = plan_rows(COMPARE, [], tmp_path, seeds=[0])  # which also checks the labelled data
    assert [(row.method, row.backbone) for row in rows] == [
        (method, backbone) for backbone in ('DGCNN', 'PCT', 'ViT3D')
        for method in ('untrained', 'DCGLR', 'STRL')]
    for dcglr, strl in zip(rows[1::3], rows[2::3]):
        ours, theirs = dcglr.runs[0].config, strl.runs[0].config
        assert ours.model.backbone == theirs.model.backbone
        assert ours.train_cfg == theirs.train_cfg
        assert ours.train_dataloader.batch_size == theirs.train_dataloader.batch_size == 32
        for cfg, network in ((ours, 'teacher'), (theirs, 'student')):
            assert cfg.custom_hooks[-1].get('network', 'teacher') == network
            for data, split in ((cfg.train_dataloader.dataset, 'train'),
                                (cfg.custom_hooks[-1].train_dataset, 'train'),
                                (cfg.custom_hooks[-1].test_dataset, 'test')):
                assert data.split == split and len(data.classes) == 20
                assert {key: data[key] for key in DATA} == DATA
                assert not data.get('data_root')
