import numpy as np
import pytest

from dcglr_mm.visualization.scaling import growth_exponent, plot_scaling


def test_exponent_of_a_power_is_the_power():
    x = np.array([512, 1024, 4096])
    assert growth_exponent(x, 3 * x) == pytest.approx(1)
    assert growth_exponent(x, 7 * x**2.) == pytest.approx(2)
    # A constant share and a linear one: slope of the line through two points, by hand.
    assert growth_exponent([1, 2], [3, 4]) == pytest.approx(np.log2(4 / 3))


@pytest.mark.parametrize('x, y, message', [
    ([1], [1], 'two points or more, got 1'), ([1, 2], [1], 'got 2 x and 1 y'),
    ([1, 2], [0, 1], 'positive values')])
def test_an_exponent_that_is_none_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        growth_exponent(x, y)


def test_curves_show_the_values_given_and_say_how_they_grow():
    x = [1, 2, 4]
    figure = plot_scaling({'time': {'plain': (x, [1, 4, 16]), 'ours': (x, [2, 4, 8])},
                           'memory': {'ours': ([1, 2], [5, 5])}},
                          xlabels=['N', 'N'], ylabels=['seconds', 'MiB'])
    time, memory = figure.axes
    plain, ours = time.get_lines()
    np.testing.assert_array_equal(plain.get_xydata(), [[1, 1], [2, 4], [4, 16]])
    assert [line.get_label() for line in (plain, ours)] == [
        'plain, grows as x^2.00', 'ours, grows as x^1.00']
    assert (time.get_xscale(), time.get_yscale()) == ('log', 'log')
    assert memory.get_title(loc='left') == 'memory' and memory.get_ylabel() == 'MiB'


def test_panels_need_curves_and_labels():
    with pytest.raises(ValueError, match='nothing to plot'):
        plot_scaling({}, xlabels=[], ylabels=[])
    with pytest.raises(ValueError, match='1 panels need as many labels, got 0 and 1'):
        plot_scaling({'a': {}}, xlabels=[], ylabels=['s'])
