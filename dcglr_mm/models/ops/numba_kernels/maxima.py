"""One step of a maximum over rows."""
from numba import njit


@njit(inline='always')
def look(values, number, maximum, winner):
    """Takes in a row of values and its number, channel by channel; the first of equal ones wins."""
    for c in range(len(values)):
        value = values[c]
        better = (value > maximum[c]) | (value != value)  # not a number stays the maximum
        maximum[c] = value if better else maximum[c]
        winner[c] = number if better else winner[c]
