"""Fingerprints: what a term computes, as a short value, whatever its shape.

A term is evaluated at fixed probe points (`rewrite.probes`). Where it is rational that is exact,
modulo a prime (`rewrite.residues`). Where it is not, balls enclose its value (`rewrite.probed`); a
value that is a rational number is written modulo the same prime (`rewrite.words`), so that
`sin(x)**2 + cos(x)**2` is 1.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.errors import SortError
from rewrite.numeric import require_numbers
from rewrite.probes import POINTS, TRUTHS, probes
from rewrite.residues import UNDEFINED, Points, Residues, Words, rational
from rewrite.sorts import BOOL
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["Fingerprint", "distinct", "fingerprint", "fingerprints"]

GENERATED: Final = 3 << 62
"""Added to the word of a value that stands for a subterm about which nothing is known."""


@dataclass(frozen=True, slots=True, order=True)
class Fingerprint:
    """What a term computes, in 128 bits; it prints as hexadecimal digits."""

    digest: bytes

    def __repr__(self) -> str:
        """Write in hexadecimal digits."""
        return self.digest.hex()

    __str__ = __repr__


def fingerprint(term: Term) -> Fingerprint:
    """Return what a term computes, as a short value that does not depend on how it is written.

    Terms made equal by laws of real numbers have equal fingerprints, in every process and store.
    Others collide with a chance that is negligible for functions given by one formula. What is
    chosen by comparisons is known at the probe points alone, eight of them, and a truth value at
    64: terms that differ only elsewhere, as at ties or for very large numbers, are merged.

    Symbols are taken inside their domains. A term without a value at a point differs from one that
    has one there: `log(x) - log(x)` and 0, unless x is positive. Numbers below 2**-320 count as
    zero, and signs of zeros, infinities and rounding do not exist. Where the value of a term that
    is not rational cannot be found in 12288 bits, or fewer of a large program, and where it is
    defined at no point, functions stand for themselves, and only the laws of fields are seen
    through. Raise `SortError` or `UnsupportedOp` for terms of other sorts than numbers and truth
    values, and for a user's ops.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> fingerprint((x + y) ** 2) == fingerprint(x * x + 2 * x * y + y * y)
    True
    >>> fingerprint(rw.sin(-x)) == fingerprint(-rw.sin(x)), fingerprint(x) == fingerprint(y)
    (True, False)
    """
    return fingerprints([term])[0]


def fingerprints(terms: Iterable[Term]) -> list[Fingerprint]:
    """Return the fingerprints of many terms, whose shared subterms are evaluated once.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> len(set(fingerprints([x + y, y + x, x - y])))
    2
    """
    wanted = list(terms)
    groups: dict[tuple[int, bool], list[int]] = {}
    for at, term in enumerate(wanted):
        groups.setdefault((id(term.store), term.sort == BOOL), []).append(at)
    found: list[Fingerprint | None] = [None] * len(wanted)
    for (_, truths), places in groups.items():
        dag = Dag.of(wanted[places[0]].store, [wanted[at].id for at in places])
        for at, made in zip(places, _of_dag(dag, truths), strict=True):
            found[at] = made
    return [each for each in found if each is not None]


def distinct(terms: Iterable[Term]) -> list[Term]:
    """Return the terms without those that compute what an earlier one does.

    For what depends on the function alone. The forms that `best` measures are all equal as
    functions: they differ in cost and in rounding, so none of them may be left out by this.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> distinct([x + y, y + x, 2 * x, x + x])
    [x + y, 2*x]
    """
    first: dict[Fingerprint, Term] = {}
    wanted = list(terms)
    for term, made in zip(wanted, fingerprints(wanted), strict=True):
        first.setdefault(made, term)
    return list(first.values())


def _of_dag(dag: Dag, truths: bool) -> list[Fingerprint]:
    """Return the fingerprints of the roots, which are all truth values or all numbers."""
    require_numbers(dag, "a fingerprint")
    count = TRUTHS if truths else POINTS
    points = _points(dag, count)
    roots = set(dag.roots)
    words: dict[int, Sequence[int | None]] = {}
    words |= rational(dag, points, roots, count)
    others = sorted(roots - set(words))
    if others:
        from rewrite.probed import probed  # loads flint

        words |= probed(dag, points, others, count)
    lost = [root for root, found in words.items() if _lost(found)]
    if lost:
        free = Residues(dag, points, count, generate=True)
        for root in lost:
            words[root] = _filled(words[root], free.values[root] or [])
    made = {root: _digest(truths, found) for root, found in words.items()}
    return [made[root] for root in dag.roots]


def _points(dag: Dag, count: int) -> Points:
    """Return the values of the symbols, by position."""
    points = {}
    for at, value in enumerate(dag.value):
        if isinstance(value, Symbol):
            if value.many:
                raise SortError(
                    f"a fingerprint is of one term; ?{value.name}... stands for any number of them"
                )
            points[at] = probes(value, count, hole=int(dag.code[at]) == ops.PVAR.code)
    return points


def _lost(words: Sequence[int | None]) -> bool:
    return None in words or all(word == UNDEFINED for word in words)


def _filled(words: Sequence[int | None], generated: Words) -> list[int | None]:
    """Put generated values where nothing is known; everywhere, if there is no value anywhere."""
    nowhere = all(word == UNDEFINED for word in words)
    return [
        made + GENERATED if nowhere or word is None else word
        for word, made in zip(words, generated, strict=True)
    ]


def _digest(truths: bool, words: Sequence[int | None]) -> Fingerprint:
    packed = struct.pack(f"<{len(words)}Q", *words)
    return Fingerprint(blake2b(packed, digest_size=16, person=b"truth" if truths else b"").digest())
