"""How many dimensions a set of features really uses."""
import numpy as np

from .knn import cosine_neighbours


def covariance_eigenvalues(features: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of the feature covariance, (D,) float64, largest first.

    The covariance is the biased one (division by M). Eigenvalues are those of the smaller of the
    covariance and the Gram matrix of the centred features, the missing ones zero if M < D. What
    float64 cannot tell from zero is zero.

    Raises:
        ValueError: Features that are not (M, D), M >= 1, or not finite.
    """
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or features.size == 0:
        raise ValueError(f'expected features (M, D), not empty, found shape {features.shape}')
    if not np.isfinite(features).all():
        raise ValueError('the features have NaN or infinite values; their spectrum is undefined')
    samples, dims = features.shape
    centred = features - features.mean(axis=0)
    gram = centred.T @ centred if dims <= samples else centred @ centred.T
    found = np.linalg.eigvalsh(gram)[::-1] / samples
    # Rounding: of the eigenvalue solver, and of the mean's subtraction where all rows are equal.
    eps, size = np.finfo(np.float64).eps, max(samples, dims)
    noise = eps * size * found[0] + eps**2 * size * np.sum(features**2) / samples
    eigenvalues = np.zeros(dims)
    eigenvalues[:len(found)] = np.where(found > noise, found, 0)
    return eigenvalues


def spectrum_effective_rank(eigenvalues: np.ndarray) -> float:
    """Return exp of the entropy of the normalised spectrum (Roy & Vetterli 2007, definition 1).

    D for D equal eigenvalues, 1 for a single one, 0 (by our convention) if all are zero.
    """
    total = np.sum(eigenvalues)
    if total <= 0:
        return 0.0
    p = np.asarray(eigenvalues)[np.asarray(eigenvalues) > 0] / total
    return float(np.exp(-np.sum(p * np.log(p))))


def effective_rank(features: np.ndarray) -> float:
    """Return the effective rank (Roy & Vetterli 2007) of the covariance of features (M, D)."""
    return spectrum_effective_rank(covariance_eigenvalues(features))


def per_dimension_std(features: np.ndarray) -> np.ndarray:
    """Return the (biased) standard deviation of each dimension, (D,) float64."""
    return np.asarray(features, dtype=np.float64).std(axis=0)


def relative_std(features: np.ndarray) -> float:
    """Return root mean variance over root mean square of features (M, D).

    0 if all samples have the same feature (or all are zero), 1 if the features have mean zero.
    """
    rms = np.sqrt(np.mean(np.asarray(features, dtype=np.float64)**2))
    return float(np.sqrt(np.mean(per_dimension_std(features)**2)) / rms) if rms > 0 else 0.0


def knn_purity(features: np.ndarray, labels: np.ndarray, k: int = 10) -> float:
    """Return the mean fraction of a sample's k nearest others (cosine) that share its label.

    Raises:
        ValueError: Fewer than two samples, or labels that do not match the features.
    """
    features, labels = np.asarray(features), np.asarray(labels)
    if features.ndim != 2 or labels.shape != (len(features), ) or len(features) < 2:
        raise ValueError('kNN purity needs features (M, D) and labels (M,) with M >= 2, found '
                         f'{features.shape} and {labels.shape}')
    _, index = cosine_neighbours(features, features, k, exclude_self=True)
    return float(np.mean(labels[index] == labels[:, None]))
