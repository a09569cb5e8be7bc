"""Registering a user's ops, and what ops mean on a user's sorts.

Both are rows of `rewrite.signatures`. What is there cannot be given another meaning: laws that
hold for a sort must hold for every sort that takes its place.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from rewrite import ops, signatures
from rewrite.errors import SortError, UnsupportedOp
from rewrite.signatures import Signature
from rewrite.sorts import BOOL, Sort

__all__ = ["define", "overload"]

type Function = Callable[..., Any]

MOST: Final = 256
"""The column of op codes has one byte a node."""
_LOCK: Final = threading.RLock()


def define(
    name: str, takes: Sequence[Sort], makes: Sort, *, nary: bool = False,
    commutative: bool = False, associative: bool = False, function: Function | None = None,
    latex: str = "",
) -> ops.Op:  # fmt: skip
    """Register an op of a name that takes and makes these sorts, and return it for `rw.apply`.

    With `nary` it takes two or more arguments and is folded from the left, as sums are; `takes`
    then has two sorts. `function` computes it on values, for `rw.evaluate`. It is written as a
    call. More sorts are added by `rw.overload`.

    Registering the same again gives the same op, with the new function. Raise `UnsupportedOp` for
    a name that has another meaning, and for more than 256 ops.

    >>> import rewrite as rw
    >>> half = rw.op("half_of", [rw.REAL], rw.REAL, function=lambda x: x / 2)
    >>> rw.apply(half, rw.symbol("x")), rw.evaluate(rw.apply(half, 3))
    (half_of(x), array(1.5))
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise UnsupportedOp(f"an op's name must be an identifier, not {name!r}")
    wanted = _signature(name, takes, makes, commutative, associative, function)
    arity = -1 if nary else len(wanted.takes)
    if not wanted.takes or (nary and len(wanted.takes) != 2):
        count = "two sorts, of what is folded and the next one" if nary else "at least one sort"
        raise UnsupportedOp(f"op {name!r} must take {count}; for a constant use a symbol")
    with _LOCK:
        known = ops.BY_NAME.get(name)
        if known is None:
            known = _entered(name, arity, commutative, associative, latex)
        elif known in ops.BUILTIN:
            raise UnsupportedOp(
                f"there is an op {name!r} already; add what it does on other sorts by "
                f"rw.overload({name!r}, ...), or choose another name"
            )
        elif known.arity != arity or not _repeats(known, wanted):
            raise UnsupportedOp(
                f"op {name!r} is registered already, with another meaning: "
                f"{ops.signature_text(known)}; choose another name, or add sorts by rw.overload"
            )
        signatures.add(known.code, wanted)
    return known


def _entered(name: str, arity: int, commutative: bool, associative: bool, latex: str) -> ops.Op:
    if len(ops.OPS) >= MOST:
        raise UnsupportedOp(f"there are {MOST} ops already; {name!r} is one too many")
    row = ops.Op(
        name, len(ops.OPS), arity, "", "", "", None, latex=latex, commutative=commutative,
        associative=associative,
    )  # fmt: skip
    signatures.declare(row.code, arity)
    ops.OPS.append(row)
    ops.BY_NAME[name] = row
    return row


def _repeats(row: ops.Op, wanted: Signature) -> bool:
    """Tell whether an op has a signature but for its function; the first one is the op's own."""
    return any(_alike(each, wanted) for each in signatures.rows(row.code)[:1])


def _alike(one: Signature, other: Signature) -> bool:
    return (one.takes, one.makes, one.commutative, one.associative) == (
        other.takes, other.makes, other.commutative, other.associative,
    )  # fmt: skip


def overload(
    op: str | ops.Op, takes: Sequence[Sort], makes: Sort, *, commutative: bool = False,
    associative: bool = False, function: Function | None = None,
) -> None:  # fmt: skip
    """Say what an op makes of arguments of these sorts, and how it behaves on them.

    An op of any number of arguments, such as `mul`, is folded from the left by rows of two. A
    commutative row of two different sorts holds in both orders.

    Raise `SortError` where that contradicts what is there: the same sorts with other properties, or
    sorts whose place these take with properties that these lack.

    >>> import rewrite as rw
    >>> money = rw.sort("money")
    >>> rw.overload("add", (money, money), money, commutative=True, associative=True)
    >>> a, b = rw.symbols("a b", sort=money)
    >>> (a + b).sort
    money
    """
    row = ops.op(op) if isinstance(op, str) else op
    wanted = _signature(row.name, takes, makes, commutative, associative, function)
    arity = 2 if row.arity < 0 else row.arity
    if not arity or row is ops.WHERE:
        raise SortError(f"{row.name} takes any sort as it is; there is nothing to overload")
    if len(wanted.takes) != arity:
        raise SortError(
            f"{row.name} takes {arity} arguments"
            f"{', folded from the left' if row.arity < 0 else ''}: give {arity} sorts, not "
            f"{len(wanted.takes)}"
        )
    with _LOCK:
        _check(row, wanted)
        if commutative and wanted.takes[0] != wanted.takes[1]:
            _check(row, signatures.mirrored(wanted))
        signatures.add(row.code, wanted)


def _signature(
    name: str, takes: Sequence[Sort], makes: Sort, commutative: bool, associative: bool,
    function: Function | None,
) -> Signature:  # fmt: skip
    for sort in (*takes, makes):
        if not isinstance(sort, Sort):
            raise SortError(f"{name}: {sort!r} is no sort; give rw.REAL or one that rw.sort made")
    if (commutative or associative) and len(takes) != 2:
        raise SortError(f"{name}: only an op of two arguments commutes or associates")
    return Signature(tuple(takes), makes, commutative, associative, function)


def _check(row: ops.Op, wanted: Signature) -> None:
    """Refuse what would make laws false that hold for what is there."""
    if row in ops.BUILTIN and all(sort <= BOOL for sort in wanted.takes):
        raise SortError(
            f"{row.name} of {_listed(wanted)} is fixed: numbers and truth values have one meaning; "
            "register a sort of your own with rw.sort"
        )
    known = signatures.find(row.code, wanted.takes)
    if known is None or (known.takes == wanted.takes and _alike(known, wanted)):
        return
    if known.takes == wanted.takes:
        raise SortError(
            f"{row.name} of {_listed(wanted)} is registered already: {_properties(known)}; it "
            f"cannot also be: {_properties(wanted)}"
        )
    keeps = wanted.commutative >= known.commutative and wanted.associative >= known.associative
    if not (keeps and wanted.makes.fits(known.makes)):
        raise SortError(
            f"{row.name} of {_listed(wanted)} contradicts {row.name} of {_listed(known)}, whose "
            f"place these sorts take: {_properties(known)}, but {_properties(wanted)}"
        )


def _listed(row: Signature) -> str:
    return "(" + ", ".join(map(str, row.takes)) + ")"


def _properties(row: Signature) -> str:
    words = ["" if row.commutative else "not ", "commutative, ", "" if row.associative else "not "]
    return f"{row!r}, {''.join(words)}associative"
