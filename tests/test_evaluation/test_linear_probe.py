"""The linear probe against the optimum of its loss."""
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dcglr_mm.evaluation.folds import validation_fold
from dcglr_mm.evaluation.linear_probe import linear_probe

RNG = np.random.default_rng(0)
CENTERS = 1.2 * RNG.normal(size=(4, 6))


def samples(per_class, seed):
    labels = np.repeat(np.arange(4), per_class)
    noise = np.random.default_rng(seed).normal(size=(len(labels), 6))
    return 50 + 10 * (CENTERS[labels] + noise), labels


TRAIN, TEST = samples(15, 1), samples(50, 2)


def trained_layer(x, y, C):
    """Softmax cross-entropy summed over samples, plus |w|^2 / (2 C), by torch's own L-BFGS."""
    weight = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=500, line_search_fn='strong_wolfe')

    def loss():
        optimizer.zero_grad()
        value = F.cross_entropy(x @ weight.T + bias, y, reduction='sum') \
            + weight.square().sum() / (2 * C)
        value.backward()
        return value

    optimizer.step(loss)
    return lambda inputs: (inputs @ weight.T + bias).argmax(1)


def accuracy(train_x, train_y, test_x, test_y, C):
    mean, std = train_x.mean(axis=0), train_x.std(axis=0)
    train, test = (torch.from_numpy((x - mean) / std) for x in (train_x, test_x))
    predict = trained_layer(train, torch.from_numpy(train_y), C)
    return (predict(test).numpy() == test_y).mean()


def test_it_is_a_linear_layer_trained_to_its_optimum():
    result = linear_probe(*TRAIN, *TEST, grid=[0.05])
    assert result.accuracy == pytest.approx(accuracy(*TRAIN, *TEST, 0.05), abs=0.006)  # one sample
    assert result.converged and result.C == 0.05


def test_C_is_chosen_on_a_fold_of_train_whatever_the_test_split_says():
    x, y = TRAIN
    fit, held_out = validation_fold(y, 0.2, seed=3)
    grid = [1e-4, 1e-2, 1.0]
    scores = {C: accuracy(x[fit], y[fit], x[held_out], y[held_out], C) for C in grid}
    result = linear_probe(*TRAIN, *TEST, grid=grid, seed=3)
    assert result.C == max(grid, key=scores.get)
    assert result.val_accuracy == pytest.approx(scores[result.C])
    wrong = linear_probe(*TRAIN, TEST[0], (TEST[1] + 1) % 4, grid=grid, seed=3)
    assert (wrong.C, wrong.val_accuracy) == (result.C, result.val_accuracy)


def test_a_fit_that_met_its_limit_says_so():
    assert not linear_probe(*TRAIN, *TEST, grid=[1.0], max_iter=2).converged


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match='the grid of C is empty'):
        linear_probe(*TRAIN, *TEST, grid=[])
