import random

import numpy as np
import pytest
import torch
from evaluation_fakes import Clouds, MeanBackbone, TeacherStudent, run_on_two_ranks
from torch import nn

from dcglr_mm.evaluation import extract_features
from dcglr_mm.evaluation.features import UNLABELLED

LABELS = [2, 0, 1, 1, 0, 2, 2]


def expected_means(dataset):
    return np.stack([dataset.cloud(i).mean(axis=0) for i in range(len(dataset))])


@pytest.mark.parametrize('batch_size', [1, 3, 7, 100])
def test_features_are_in_order_whatever_the_batch_size(batch_size):
    dataset = Clouds(LABELS)
    features, labels = extract_features(MeanBackbone(), dataset, batch_size=batch_size)
    np.testing.assert_allclose(features, expected_means(dataset), atol=1e-6)
    assert features.dtype == np.float32
    assert labels.dtype == np.int64
    assert labels.tolist() == LABELS


def test_workers_give_the_same_features():
    dataset = Clouds(LABELS)
    features, labels = extract_features(MeanBackbone(), dataset, batch_size=2, num_workers=2)
    np.testing.assert_allclose(features, expected_means(dataset), atol=1e-6)
    assert labels.tolist() == LABELS


def test_network_chooses_teacher_or_student():
    model, dataset = TeacherStudent(), Clouds(LABELS)
    with torch.no_grad():
        model.student.backbone.norm.bias.fill_(5.0)
    means = expected_means(dataset)
    np.testing.assert_allclose(extract_features(model, dataset)[0], means, atol=1e-6)
    np.testing.assert_allclose(extract_features(model, dataset, network='student')[0], means + 5,
                               atol=1e-5)


def test_clouds_of_different_sizes_keep_their_order():
    clouds = [torch.full((size, 3), float(i)) for i, size in enumerate([4, 2, 4, 1])]
    dataset = [dict(points=cloud, gt_label=i) for i, cloud in enumerate(clouds)]
    features, labels = extract_features(MeanBackbone(), dataset, batch_size=4)
    np.testing.assert_allclose(features, [[i] * 3 for i in range(4)])
    assert labels.tolist() == [0, 1, 2, 3]


def test_pairs_and_unlabelled_items_are_read():
    dataset = [(np.ones((4, 3)), 7), (np.zeros((4, 3)), )]
    features, labels = extract_features(MeanBackbone(), dataset)
    np.testing.assert_allclose(features, [[1, 1, 1], [0, 0, 0]])
    assert labels.tolist() == [7, UNLABELLED]


def test_modes_buffers_and_random_states_are_left_as_they_were():
    model = TeacherStudent()
    model.train()
    model.student.backbone.eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    expected = torch.rand(2), np.random.rand(2), random.random()
    torch.manual_seed(3), np.random.seed(3), random.seed(3)

    class Noisy(Clouds):

        def __getitem__(self, index):
            np.random.rand(), random.random(), torch.rand(1)
            return super().__getitem__(index)

    extract_features(model, Noisy(LABELS), num_workers=0)
    assert torch.equal(torch.rand(2), expected[0])
    assert np.array_equal(np.random.rand(2), expected[1])
    assert random.random() == expected[2]
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_gradients_that_are_being_accumulated_are_left_alone():
    model = MeanBackbone()
    model.norm.weight.grad = torch.ones(3)
    extract_features(model, Clouds(LABELS))
    assert torch.equal(model.norm.weight.grad, torch.ones(3))


def test_transform_sees_each_cloud_and_its_index():
    dataset = Clouds(LABELS)
    features, _ = extract_features(MeanBackbone(), dataset, batch_size=3,
                                   transform=lambda points, index: points + 10 * index)
    shift = 10 * np.arange(len(LABELS))[:, None]
    np.testing.assert_allclose(features, expected_means(dataset) + shift, rtol=1e-5)


def test_progress_is_reported_to_a_callable_and_not_shown_by_default(capsys):
    calls = []
    extract_features(MeanBackbone(), Clouds(LABELS), batch_size=3,
                     progress=lambda done, total: calls.append((done, total)))
    assert calls == [(3, 7), (6, 7), (7, 7)]
    assert capsys.readouterr().out == ''
    extract_features(MeanBackbone(), Clouds(LABELS), batch_size=3, progress=True)
    assert '7/7' in capsys.readouterr().out


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match='data set is empty'):
        extract_features(MeanBackbone(), [])
    views = [dict(inputs={'global': torch.zeros(2, 4, 3)}, data_samples={})]
    with pytest.raises(ValueError, match="item 0 .* no 'points', only .'global'"):
        extract_features(MeanBackbone(), views)
    with pytest.raises(ValueError, match=r'\(B, D\) with B = 7, found \(7, 8, 3\)'):
        extract_features(nn.Identity(), Clouds(LABELS))


class BrokenOnOneRank(Clouds):

    def __getitem__(self, index):
        if index == 3:
            raise OSError('disk on fire')
        return super().__getitem__(index)


def _two_ranks(rank):
    for length in (1, 2, 7):
        dataset = Clouds(LABELS[:length])
        features, labels = extract_features(MeanBackbone(), dataset, batch_size=2)
        np.testing.assert_allclose(features, expected_means(dataset), atol=1e-6)
        assert labels.tolist() == LABELS[:length]
    # Every rank scores the network of rank 0 and keeps its own statistics.
    model = MeanBackbone()
    model.norm.running_mean.fill_(float(rank + 1))
    features, _ = extract_features(model, dataset)
    np.testing.assert_allclose(features, expected_means(dataset) - 1, atol=1e-6)
    assert model.norm.running_mean.tolist() == [rank + 1.0] * 3
    # Item 3 is read by rank 1: both have to hear of it.
    expected = {0: (RuntimeError, 'rank 1 failed: OSError: disk on fire'), 1: (OSError, '^disk')}
    with pytest.raises(expected[rank][0], match=expected[rank][1]):
        extract_features(MeanBackbone(), BrokenOnOneRank(LABELS))


def test_two_ranks_get_every_cloud_once_in_order(tmp_path):
    run_on_two_ranks(tmp_path, _two_ranks)
