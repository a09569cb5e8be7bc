"""Slim arrays: what is read and written by them is what NumPy has there."""

from typing import Any

import numpy as np
import pytest

from rewrite.native import inlined, native
from rewrite.slim import slim


@inlined
def moved(at: int, S: Any) -> None:
    vector, matrix, flags = S
    if flags[at]:
        matrix[at, 1] = vector[at]
        vector[at] = matrix[at, 0] + len(vector) + 10 * len(matrix)


@native
def run(vector: Any, matrix: Any, flags: Any) -> int:
    S = slim((vector, matrix, flags))
    for at in range(len(S[0])):
        moved(at, S)
    return len(S[1])


@native
def strided(vector: Any) -> int:
    return len(slim(vector))


@pytest.mark.parametrize("width", (2, 3))
def test_it_reads_and_writes_where_the_array_does(width: int) -> None:
    vector = np.arange(4, dtype=np.uint8)
    matrix = np.arange(100, 100 + 4 * width, dtype=np.int32).reshape(4, width)
    flags = np.array([True, False, True, True])
    old_vector, old_matrix = vector.copy(), matrix.copy()
    assert run(vector, matrix, flags) == 4
    old_matrix[flags, 1] = old_vector[flags]
    old_vector[flags] = old_matrix[flags, 0] + 4 + 40  # a byte, as in the array
    np.testing.assert_array_equal(matrix, old_matrix)
    np.testing.assert_array_equal(vector, old_vector)


def test_arrays_with_gaps_are_refused() -> None:
    with pytest.raises(TypeError, match="no contiguous vector or matrix"):
        strided(np.arange(8)[::2])
