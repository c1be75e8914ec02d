"""Hand-made global descriptors do not solve the task, yet they see the classes."""
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from dcglr_mm.datasets import SyntheticShapes


def describe(points: np.ndarray) -> np.ndarray:
    """Rotation-invariant: covariance eigenvalues and the D1, D2, D3 and A3 shape distributions.

    The distributions are those of Osada et al., "Shape Distributions" (2002).
    """
    a, b, c = points[np.random.default_rng(0).integers(0, len(points), (3, 3000))]
    u, v = b - a, c - a
    lengths = np.linalg.norm(u, axis=1), np.linalg.norm(v, axis=1)
    cosine = (u * v).sum(axis=1) / np.maximum(lengths[0] * lengths[1], 1e-9)
    area = np.linalg.norm(np.cross(u, v), axis=1) / 2
    histograms = [
        np.histogram(np.linalg.norm(points, axis=1), 16, (0, 1))[0] / len(points),
        np.histogram(lengths[0], 32, (0, 2))[0] / 3000,
        np.histogram(np.sqrt(area), 24, (0, 1.2))[0] / 3000,
        np.histogram(np.arccos(np.clip(cosine, -1, 1)), 16, (0, np.pi))[0] / 3000,
    ]
    return np.concatenate([np.linalg.eigvalsh(np.cov(points.T)), *histograms])


@pytest.mark.slow
def test_a_global_descriptor_is_far_from_chance_and_far_from_perfect():
    features, labels = {}, {}
    for split, number in (('train', 60), ('test', 20)):
        dataset = SyntheticShapes(num_per_class=number, rotation='so3', split=split)
        features[split] = np.stack([describe(dataset[i]['points']) for i in range(len(dataset))])
        labels[split] = dataset.labels
    svm = make_pipeline(StandardScaler(), LinearSVC(C=0.01)).fit(features['train'], labels['train'])
    accuracy = svm.score(features['test'], labels['test'])
    assert 10 / len(dataset.metainfo['classes']) < accuracy < 0.85
