"""Head, classifier and voting."""
import numpy as np
import pytest
import torch
from torch import nn

from dcglr_mm.models.classifiers import PointClassifier, Voting
from dcglr_mm.models.heads import ClassificationHead
from dcglr_mm.registry import MODELS


@MODELS.register_module()
class MeanAndExtent(nn.Module):
    """Feature of a cloud: mean and largest coordinate of each axis."""
    out_channels = 6

    def forward(self, points):
        return torch.cat((points[..., :3].mean(1), points[..., :3].amax(1)), -1)


def classifier(num_classes=4, hidden=(8, ), **kwargs):
    return PointClassifier(
        dict(type='MeanAndExtent'),
        dict(type='ClassificationHead', num_classes=num_classes, hidden_channels=hidden), **kwargs)


def batch(clouds=3, points=16):
    return (torch.randn(clouds, points, 3),
            dict(gt_label=torch.arange(clouds) % 4, sample_idx=torch.arange(10, 10 + clouds)))


def released_classifier():
    """The layers behind the pooling in DGCNN's released code, in its order."""
    return nn.Sequential(
        nn.Linear(2048, 512, bias=False), nn.BatchNorm1d(512), nn.LeakyReLU(0.2), nn.Dropout(0.5),
        nn.Linear(512, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2), nn.Dropout(0.5),
        nn.Linear(256, 40))


@pytest.mark.parametrize('training', [False, True])
def test_the_default_head_is_dgcnns_classifier(training):
    head, plain = ClassificationHead(40, 2048), released_classifier()
    own = {'linear1': 0, 'bn1': 1, 'linear2': 4, 'bn2': 5, 'linear3': 8}
    head.load_state_dict({f'{name}.{key}': value for name, i in own.items()
                          for key, value in plain[i].state_dict().items()})  # every key, no other
    features = torch.randn(6, 2048)
    head.train(training)
    plain.train(training)
    torch.manual_seed(1)
    found = head(features)
    torch.manual_seed(1)
    torch.testing.assert_close(found, plain(features))
    torch.testing.assert_close(head.bn1.running_var, plain[1].running_var)


def test_a_head_without_hidden_layers_is_linear():
    head = ClassificationHead(3, 5, hidden_channels=())
    assert sorted(head.state_dict()) == ['linear1.bias', 'linear1.weight']
    x = torch.randn(2, 5)
    torch.testing.assert_close(head(x), x @ head.linear1.weight.T + head.linear1.bias)


@pytest.mark.parametrize('labels, found', [([0, 3], 3), ([-1, 0], -1)])
def test_a_label_beyond_the_classes_is_named(labels, found):
    head = ClassificationHead(3, 5)
    with pytest.raises(ValueError, match=rf'label {found}, but the head has 3 classes .*'
                                         'set model.head.num_classes'):
        head.loss(torch.randn(2, 5), torch.tensor(labels))


@pytest.mark.parametrize('keys, message', [
    (dict(num_classes=1), 'num_classes must be at least 2, got 1'),
    (dict(num_classes=3, dropout=1.0), r'dropout must be in \[0, 1\), got 1.0'),
])
def test_wrong_values_are_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        ClassificationHead(in_channels=4, **keys)


def test_loss_is_that_of_head_on_backbone_and_reaches_both():
    model = PointClassifier(
        dict(type='dcglr_mm.DGCNN', k=4, widths=(8, 8), emb_dims=8),
        dict(type='ClassificationHead', num_classes=4, hidden_channels=(8, ), dropout=0.0))
    points, samples = batch()
    losses = model(dict(points=points), samples, mode='loss')
    logits = model(dict(points=points), mode='tensor')
    smooth = torch.full((3, 4), 0.2 / 3)
    smooth[torch.arange(3), samples['gt_label']] = 0.8
    assert losses['loss'].item() == pytest.approx(
        -(smooth * logits.log_softmax(1)).sum(1).mean().item(), rel=1e-5)
    assert losses['accuracy'].item() == pytest.approx(
        (logits.argmax(1) == samples['gt_label']).float().mean().item())
    losses['loss'].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_predictions_carry_scores_and_what_is_known_of_the_sample():
    model = classifier().eval()
    points, samples = batch()
    results = model(dict(points=points), samples, mode='predict')
    logits = model(dict(points=points))
    assert [set(result) for result in results] == 3 * [
        {'pred_label', 'pred_scores', 'gt_label', 'sample_idx'}]
    for i, result in enumerate(results):
        torch.testing.assert_close(result['pred_scores'], logits[i].softmax(0))
        assert result['pred_label'] == logits[i].argmax()
        assert (result['gt_label'], result['sample_idx']) == (i, 10 + i)


@pytest.mark.parametrize('inputs, samples, mode, message', [
    (dict(**{'global': 0}), None, 'tensor', r"reads inputs\['points'\], found only \['global'\]"),
    (dict(points=torch.zeros(1, 2, 3)), {}, 'loss', 'the batch has no gt_label'),
    (dict(points=torch.zeros(1, 2, 3)), {}, 'lose', "mode must be .*, got 'lose'"),
])
def test_wrong_batches_are_refused(inputs, samples, mode, message):
    with pytest.raises(ValueError, match=message):
        classifier()(inputs, samples, mode=mode)


def test_a_backbone_must_say_its_width():
    with pytest.raises(TypeError, match='Identity does not say its out_channels'):
        MODELS.register_module(module=nn.Identity, name='NoWidth', force=True)
        PointClassifier(dict(type='NoWidth'), dict(type='ClassificationHead', num_classes=2))


@pytest.mark.parametrize('average', ['logits', 'probabilities'])
def test_a_vote_is_the_mean_over_the_scaled_clouds(average):
    model = classifier(voting=dict(num=4, scale=(0.5, 2), average=average, seed=3)).eval()
    points, samples = batch()
    for i, result in enumerate(model.predict(points, samples)):
        factors = np.random.default_rng([3, 10 + i]).uniform(0.5, 2, size=(4, 3))
        factors[0] = 1
        votes = torch.stack([model(dict(points=points[i:i + 1] * torch.tensor(f).float()))[0]
                             for f in factors])
        mean = (votes if average == 'logits' else votes.softmax(1)).mean(0)
        assert result['voted_label'] == mean.argmax()


def test_voting_leaves_the_plain_prediction_and_does_not_depend_on_the_batch():
    points, samples = batch(clouds=5)
    plain = classifier().eval()
    voting = classifier(voting=dict(num=3)).eval()
    voting.load_state_dict(plain.state_dict())
    whole = voting.predict(points, samples)
    for i, expected in enumerate(plain.predict(points, samples)):
        torch.testing.assert_close(whole[i]['pred_scores'], expected['pred_scores'])
        assert 'voted_label' not in expected
    votes = voting.voting(lambda clouds: voting(dict(points=clouds)), points,
                          samples['sample_idx'], voting(dict(points=points)))
    reverse = voting.voting(lambda clouds: voting(dict(points=clouds)), points.flip(0)[:2],
                            samples['sample_idx'].flip(0)[:2],
                            voting(dict(points=points.flip(0)[:2])))
    torch.testing.assert_close(votes.flip(0)[:2], reverse)


def test_a_vote_scales_coordinates_and_no_other_channel():
    seen = []

    def classify(clouds):
        seen.append(clouds)
        return torch.zeros(len(clouds), 2)

    points = torch.randn(1, 5, 6)
    Voting(num=2)(classify, points, torch.tensor([7]), torch.zeros(1, 2))
    factors = Voting(num=2).factors(7)
    assert (factors[0] == 1).all() and ((factors[1] >= 2 / 3) & (factors[1] <= 3 / 2)).all()
    torch.testing.assert_close(seen[0][..., :3], points[..., :3] * torch.tensor(factors[1]).float())
    torch.testing.assert_close(seen[0][..., 3:], points[..., 3:])


@pytest.mark.parametrize('keys, message', [
    (dict(num=1), 'num must be at least 2'),
    (dict(scale=(0, 1)), r'scale must be a pair 0 < low <= high, got \(0, 1\)'),
    (dict(average='median'), "average must be one of .*, got 'median'"),
])
def test_wrong_votings_are_refused(keys, message):
    with pytest.raises(ValueError, match=f'voting: {message}'):
        classifier(voting=keys)


def test_voting_without_numbers_of_samples_is_refused():
    with pytest.raises(ValueError, match='voting needs the sample_idx'):
        classifier(voting=dict(num=2)).eval().predict(torch.zeros(1, 2, 3))
