import numpy as np
import pytest
import torch
from evaluation_fakes import Clouds, MeanBackbone, TeacherStudent
from torch import nn

from dcglr_mm.evaluation import calibrate_batch_norm
from dcglr_mm.evaluation.bn_calibration import preserved_batch_norm

DATA = Clouds(np.arange(13) % 3, spread=1.0)


def means():
    return np.stack([DATA.cloud(i).mean(axis=0) for i in range(len(DATA))]).astype(np.float64)


def test_one_batch_gives_the_statistics_of_the_whole_split():
    model = MeanBackbone()
    assert calibrate_batch_norm(model, DATA, batch_size=13) == 1
    np.testing.assert_allclose(model.norm.running_mean, means().mean(0), atol=1e-6)
    np.testing.assert_allclose(model.norm.running_var, means().var(0, ddof=1), rtol=1e-5)


def test_batches_are_averaged_by_their_size_in_a_fixed_random_order():
    model = MeanBackbone()
    model.norm.running_mean.fill_(float('nan'))  # whatever was there does not matter
    calibrate_batch_norm(model, DATA, batch_size=5, seed=4)
    order = np.random.default_rng(4).permutation(13)
    batches = [means()[order[:5]], means()[order[5:10]], means()[order[10:]]]
    variance = sum(len(b) * b.var(0, ddof=1) for b in batches) / 13
    np.testing.assert_allclose(model.norm.running_mean, means().mean(0), atol=1e-6)
    np.testing.assert_allclose(model.norm.running_var, variance, rtol=1e-5)


def test_equal_batches_equal_torchs_cumulative_average():
    data = Clouds(np.arange(12) % 3, spread=1.0)
    ours, theirs = MeanBackbone(), MeanBackbone()
    calibrate_batch_norm(ours, data, batch_size=4, seed=1)
    theirs.norm.momentum = None
    for rows in np.random.default_rng(1).permutation(12).reshape(3, 4):
        theirs(torch.stack([torch.from_numpy(data.cloud(i)) for i in rows]))
    assert torch.allclose(ours.norm.running_var, theirs.norm.running_var, rtol=1e-6)


def test_a_last_single_cloud_joins_the_batch_before():
    model = MeanBackbone()
    calibrate_batch_norm(model, DATA, batch_size=4)  # 4 + 4 + 5, for 1 cannot be normalised
    assert torch.isfinite(model.norm.running_var).all()
    np.testing.assert_allclose(model.norm.running_mean, means().mean(0), atol=1e-6)


def test_everything_else_is_left_alone():
    model = TeacherStudent()
    model.train()
    model.student.eval()
    model.teacher.backbone.norm.momentum = 0.3
    model.student.backbone.norm.running_mean.fill_(2.0)
    state = torch.get_rng_state()
    assert calibrate_batch_norm(model, DATA, network='teacher') == 1
    assert torch.equal(torch.get_rng_state(), state)
    assert model.student.backbone.norm.running_mean.tolist() == [2.0] * 3
    assert model.teacher.backbone.norm.momentum == 0.3
    assert model.teacher.training
    assert not model.student.training
    assert model.teacher.backbone.norm.weight.grad is None


def test_dropout_stays_off():
    class Dropping(MeanBackbone):

        def __init__(self):
            super().__init__()
            self.dropout = nn.Dropout(0.9)

        def forward(self, points):
            return self.norm(self.dropout(points.mean(dim=1)))

    model = Dropping()
    calibrate_batch_norm(model, DATA, batch_size=13)
    np.testing.assert_allclose(model.norm.running_mean, means().mean(0), atol=1e-6)


def test_transform_is_applied():
    model = MeanBackbone()
    calibrate_batch_norm(model, DATA, transform=lambda points, index: points + 10)
    np.testing.assert_allclose(model.norm.running_mean, means().mean(0) + 10, rtol=1e-5)


def test_edge_conv_statistics_make_train_and_eval_outputs_agree():
    from dcglr_mm.models.backbones import DGCNN
    torch.manual_seed(0)
    model = DGCNN(k=3, widths=(4, 4, 4, 4), emb_dims=8)
    data = Clouds(np.arange(6) % 2, num_points=10, spread=1.0)
    clouds = torch.stack([torch.from_numpy(data.cloud(i)) for i in range(6)])
    assert calibrate_batch_norm(model, data, batch_size=6) == 5
    with torch.no_grad(), preserved_batch_norm(model):
        train_output = model.train()(clouds)
    eval_output = model.eval()(clouds)
    # they differ by the unbiased factor n / (n - 1) of the variance only, n = 60 or more
    assert torch.allclose(train_output, eval_output, rtol=0.1, atol=0.05)
    fresh = DGCNN(k=3, widths=(4, 4, 4, 4), emb_dims=8).eval()
    fresh.load_state_dict({key: value for key, value in model.state_dict().items()
                           if 'running' not in key}, strict=False)
    assert not torch.allclose(train_output, fresh(clouds), rtol=0.1, atol=0.05)


def test_statistics_can_be_lent():
    model = MeanBackbone()
    with preserved_batch_norm(model):
        calibrate_batch_norm(model, DATA)
        assert model.norm.running_mean.abs().sum() > 0
    assert model.norm.running_mean.tolist() == [0] * 3
    assert int(model.norm.num_batches_tracked) == 0


def test_failure_leaves_statistics_and_momentum():
    class Failing(MeanBackbone):

        def forward(self, points):
            super().forward(points)
            raise RuntimeError('out of memory')

    model = Failing()
    model.norm.running_mean.fill_(3.0)
    with pytest.raises(RuntimeError, match='out of memory'):
        calibrate_batch_norm(model, DATA)
    assert model.norm.running_mean.tolist() == [3.0] * 3
    assert model.norm.momentum == 0.1


def test_network_without_batch_norm_is_none_calibrated():
    assert calibrate_batch_norm(nn.Flatten(), DATA) == 0


def test_too_little_data_is_refused():
    with pytest.raises(ValueError, match='found 1 clouds and batch size 32'):
        calibrate_batch_norm(MeanBackbone(), Clouds([0]))
    with pytest.raises(ValueError, match='batch size 1$'):
        calibrate_batch_norm(MeanBackbone(), DATA, batch_size=1)
