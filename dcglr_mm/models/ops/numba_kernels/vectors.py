"""Searches in rows of numbers that the compiler makes into loops over vectors.

Numbers that are not negative are compared as the integers of their bits, whose order is the same:
of integers a loop may take the least or largest in any order, of floating point numbers it may not.
"""
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

#: The largest int32, and more than the bits of any number.
LARGEST = 2**31 - 1
_WHOLE = 64  # numbers that a loop takes at a time: what is left over it takes one by one


def padded(count: int) -> int:
    """A row's length with room for whole vectors."""
    return -(-count // _WHOLE) * _WHOLE


@intrinsic
def magnitude(typing, value):
    """The bits of a float32 but for its sign; what is not a number is more than infinity."""
    def generate(context, builder, signature, values):
        int32 = ir.IntType(32)
        return builder.and_(builder.bitcast(values[0], int32), ir.Constant(int32, LARGEST))

    return types.int32(types.float32), generate


@njit(error_model='numpy')
def least(values):
    """The smallest of int32 values."""
    best = np.int32(LARGEST)
    for i in range(len(values)):
        best = best if best < values[i] else values[i]
    return best


@njit(error_model='numpy')
def largest(values):
    """The largest of int32 values."""
    best = np.int32(-LARGEST)
    for i in range(len(values)):
        best = best if best > values[i] else values[i]
    return best


@njit(error_model='numpy')
def place_of(wanted, values):
    """The first place of an int32 among values; the largest int32 if none holds it."""
    place = np.int32(LARGEST)
    for i in range(len(values)):
        place = min(place, np.int32(i) if values[i] == wanted else np.int32(LARGEST))
    return place


@njit(error_model='numpy')
def count_up_to(most, values):
    """How many of the values are at most this."""
    count = np.int64(0)
    for i in range(len(values)):
        count += np.int64(values[i] <= most)
    return count
