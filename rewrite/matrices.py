"""What ops on matrices mean on values: NumPy arrays whose last two axes are the matrix's.

Leading axes, those of scalars beside them too, are a batch.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.errors import ArgumentError

__all__ = ["checked", "chosen", "divided", "equal", "multiplied", "power", "sample", "scaled"]

type Array = npt.NDArray[Any]

SIZE: Final = 3


def sample(random: np.random.Generator) -> Array:
    """Draw a matrix: of small integers, whose products are exact, or of numbers between."""
    if random.random() < 0.5:
        return random.integers(-3, 4, (SIZE, SIZE)).astype(np.float64)
    return random.uniform(-2, 2, (SIZE, SIZE))


def equal(one: Array, other: Array) -> bool:
    """Compare up to rounding."""
    return np.shape(one) == np.shape(other) and bool(
        np.allclose(one, other, 1e-9, 1e-9, equal_nan=True)
    )


def _spread(factor: Any) -> Array:
    """Give a scalar, or a batch of them, the two axes of a matrix."""
    return np.asarray(factor)[..., None, None]


def scaled(factor: Any, matrix: Array) -> Array:
    """Multiply by a number."""
    return np.asarray(_spread(factor) * matrix)


def divided(matrix: Array, divisor: Any) -> Array:
    """Divide by a number."""
    return np.asarray(matrix / _spread(divisor))


def multiplied(one: Array, other: Array) -> Array:
    """Multiply two matrices."""
    return np.asarray(one @ other)


def chosen(condition: Any, one: Array, other: Array) -> Array:
    """Choose between two matrices."""
    return np.where(_spread(condition), one, other)


def checked(name: str, value: Any, dtype: Any) -> Array:
    """Return the value of a matrix symbol as an array of a dtype; refuse what is no matrix."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        kind = " (complex numbers are not supported)" if array.dtype.kind == "c" else ""
        raise ArgumentError(f"symbol {name!r} takes real numbers, not {array.dtype.name}{kind}")
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ArgumentError(
            f"symbol {name!r} is a square matrix, in the last two axes; its value has the shape "
            f"{array.shape}"
        )
    return array.astype(dtype, copy=False)


def power(matrix: Array, exponent: Any) -> Array:
    """Raise to an integer power; a negative one inverts first."""
    n = np.asarray(exponent)
    if n.size != 1 or n != np.rint(n):
        raise ArgumentError(f"a matrix is raised to one integer, not to {exponent!r}")
    return np.linalg.matrix_power(matrix, int(n.reshape(())))
