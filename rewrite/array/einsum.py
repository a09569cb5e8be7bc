"""`np.einsum`: sums of products over named axes, as matrix products where two operands allow it."""

from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.array.core import TermArray, asarray, elementwise, store_of
from rewrite.array.products import matmul
from rewrite.array.reductions import reduced, scalar
from rewrite.array.registry import function, numpys
from rewrite.errors import ShapeError, UnsupportedOp

__all__: list[str] = []

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@function("einsum")
def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    """Sum products; more than two operands are multiplied in one product for each summand."""
    if not isinstance(subscripts, str):
        raise UnsupportedOp("np.einsum on terms takes its subscripts as text, such as 'ij,jk->ik'")
    store = store_of(operands)
    arrays = [asarray(each, store) for each in operands]
    names, result = _parsed(subscripts, arrays)
    taken = [_diagonals(name, array) for name, array in zip(names, arrays, strict=True)]
    sizes = _sizes(taken)
    taken = [_summed_alone(place, taken, result) for place in range(len(taken))]
    if len(taken) == 2 and not set(taken[0][0]) & set(taken[1][0]) & set(result):
        return _as_product(taken, result)
    inner = sorted(set("".join(name for name, _ in taken)) - set(result))
    order = result + "".join(inner)
    spread = [_spread(name, array, order, sizes) for name, array in taken]
    products = spread[0] if len(spread) == 1 else elementwise(ops.MUL, *spread)
    axes = tuple(range(len(result), len(order)))
    return scalar(asarray(reduced(np.add, products, axes))) if axes else scalar(products)


def _parsed(subscripts: str, arrays: list[TermArray]) -> tuple[list[str], str]:
    """Return the axes of each operand and of the result, the dots spelled out."""
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    names = inputs.split(",")
    if len(names) != len(arrays):
        raise ShapeError(f"einsum: {subscripts!r} has {len(names)} operands, not {len(arrays)}")
    ranks = [
        array.ndim - len(name.replace("...", "")) for name, array in zip(names, arrays, strict=True)
    ]
    most = max((rank for rank, name in zip(ranks, names, strict=True) if "..." in name), default=0)
    dots = _LETTERS[:most]
    spelled = []
    for name, rank in zip(names, ranks, strict=True):
        if rank < 0 or (rank and "..." not in name):
            raise ShapeError(f"einsum: {name!r} does not fit an operand of {rank + len(name)} axes")
        spelled.append(name.replace("...", dots[most - rank :]))
    if not arrow:
        letters = "".join(names).replace("...", "")
        result = "..." + "".join(sorted(a for a in set(letters) if letters.count(a) == 1))
    return spelled, result.replace("...", dots)


def _diagonals(name: str, array: TermArray) -> tuple[str, TermArray]:
    """Take the diagonal of axes of one name."""
    for letter in sorted(set(name)):
        while name.count(letter) > 1:
            first = name.index(letter)
            second = name.index(letter, first + 1)
            if array.shape[first] != array.shape[second]:
                raise ShapeError(f"einsum: axes {letter!r} of shape {array.shape} differ")
            array = numpys.diagonal(array, 0, first, second)
            name = name[:first] + name[first + 1 : second] + name[second + 1 :] + letter
    return name, array


def _sizes(taken: list[tuple[str, TermArray]]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, array in taken:
        for letter, size in zip(name, array.shape, strict=True):
            known = sizes.setdefault(letter, size)
            if size != known and 1 not in (size, known):
                raise ShapeError(f"einsum: axis {letter!r} has {known} and {size} elements")
            sizes[letter] = max(size, known)
    return sizes


def _summed_alone(
    place: int, taken: list[tuple[str, TermArray]], result: str
) -> tuple[str, TermArray]:  # fmt: skip
    """Sum the axes that no other operand has and the result lacks."""
    name, array = taken[place]
    others = result + "".join(other for k, (other, _) in enumerate(taken) if k != place)
    alone = [axis for axis, letter in enumerate(name) if letter not in others]
    if not alone or len(taken) == 1:
        return name, array
    kept = "".join(letter for letter in name if letter in others)
    return kept, asarray(reduced(np.add, array, tuple(alone)))


def _as_product(taken: list[tuple[str, TermArray]], result: str) -> Any:
    """Multiply two operands as matrices: what both have is summed."""
    (name_x, x), (name_y, y) = taken
    both = [letter for letter in name_x if letter in name_y]
    left = [letter for letter in name_x if letter not in both]
    right = [letter for letter in name_y if letter not in both]
    shape = [x.shape[name_x.index(a)] for a in left] + [y.shape[name_y.index(a)] for a in right]
    flat_x = numpys.transpose(x, [name_x.index(a) for a in left + both])
    flat_y = numpys.transpose(y, [name_y.index(a) for a in both + right])
    count = int(np.prod([x.shape[name_x.index(a)] for a in both]))
    found = asarray(matmul(flat_x.reshape(-1, count), flat_y.reshape(count, -1))).reshape(shape)
    order = left + right
    return scalar(numpys.transpose(found, [order.index(a) for a in result]))


def _spread(name: str, array: TermArray, order: str, sizes: dict[str, int]) -> TermArray:
    """Give an operand all axes, in an order; those that it lacks have one element."""
    moved = numpys.transpose(array, [name.index(a) for a in order if a in name])
    shape = [sizes[a] if a in name else 1 for a in order]
    return moved.reshape(shape)  # type: ignore[no-any-return]
