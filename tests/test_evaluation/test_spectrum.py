import numpy as np
import pytest

from dcglr_mm.evaluation import (covariance_eigenvalues, effective_rank, knn_purity,
                                 per_dimension_std)
from dcglr_mm.evaluation.spectrum import relative_std, spectrum_effective_rank

RNG = np.random.default_rng(0)


@pytest.mark.parametrize('samples, dims', [(200, 6), (5, 30), (30, 30), (1, 4)])
def test_eigenvalues_are_those_of_the_covariance(samples, dims):
    x = RNG.normal(size=(samples, dims)) * RNG.uniform(0.1, 9, dims) + 5
    centred = x - x.mean(axis=0)
    expected = np.linalg.eigvalsh(centred.T @ centred / samples)[::-1]
    found = covariance_eigenvalues(x)
    assert found.shape == (dims, )
    np.testing.assert_allclose(found, expected, atol=1e-10)
    assert (found[min(samples - 1, dims):] == 0).all()


def test_effective_rank_by_hand():
    assert spectrum_effective_rank(np.array([2., 2, 2, 0])) == pytest.approx(3)
    assert spectrum_effective_rank(np.array([5., 0])) == pytest.approx(1)
    # p = (3/4, 1/4): exp of 3/4 ln(4/3) + 1/4 ln 4
    assert spectrum_effective_rank(np.array([3., 1.])) == pytest.approx(4**0.25 * (4 / 3)**0.75)
    assert spectrum_effective_rank(np.zeros(3)) == 0


def test_effective_rank_of_features():
    corners = np.array([[1., 1], [1, -1], [-1, 1], [-1, -1]])
    assert effective_rank(corners + 7) == pytest.approx(2)
    assert effective_rank(corners * [1, 0]) == pytest.approx(1)
    line = np.outer(RNG.normal(size=40), RNG.normal(size=9)) + RNG.normal(size=9)
    assert effective_rank(line) == pytest.approx(1)
    assert effective_rank(np.tile(RNG.normal(size=(1, 50)).astype(np.float32), (20, 1))) == 0


def test_effective_rank_ignores_scale_and_rotation():
    x = RNG.normal(size=(50, 6)) * [5, 3, 1, 1, 0.5, 0.1]
    rotation, _ = np.linalg.qr(RNG.normal(size=(6, 6)))
    assert effective_rank(1e-4 * x @ rotation + 2) == pytest.approx(effective_rank(x), rel=1e-9)


def test_std_per_dimension():
    np.testing.assert_allclose(per_dimension_std([[0., 1], [4, 1]]), [2, 0])


def test_purity_by_hand():
    x = np.array([[1., 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.05]])
    labels = np.array([0, 0, 1, 1, 1])
    # nearest by angle: 0 -> 4, 1 -> 4, 2 -> 3, 3 -> 2, 4 -> 0 or 1; only 2 and 3 agree
    assert knn_purity(x, labels, k=1) == pytest.approx(2 / 5)
    # with k = 4 every sample's neighbours are all others
    assert knn_purity(x, labels, k=4) == pytest.approx((1 + 1 + 2 + 2 + 2) / 20)
    assert knn_purity(x, labels, k=99) == knn_purity(x, labels, k=4)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match='NaN or infinite'):
        covariance_eigenvalues([[np.nan, 1.]])
    with pytest.raises(ValueError, match=r'shape \(3,\)'):
        covariance_eigenvalues(np.ones(3))
    with pytest.raises(ValueError, match=r'found \(1, 2\) and \(1,\)'):
        knn_purity(np.ones((1, 2)), np.zeros(1))


def test_relative_std_by_hand():
    # Variances 1 and 4 about the means 3 and 0: root mean variance 2.5 ** 0.5, mean square 7.
    features = np.array([[2., 2.], [4., -2.]])
    assert relative_std(features) == pytest.approx((2.5 / 7)**0.5, rel=1e-15)
    assert relative_std(features - features.mean(0)) == pytest.approx(1)
    assert relative_std(np.ones((3, 2))) == 0
    assert relative_std(np.zeros((3, 2))) == 0
