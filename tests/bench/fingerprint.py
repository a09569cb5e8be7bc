"""Fingerprints, right and fast: `python tests/bench/fingerprint.py`.

1. False merges among 10^6 pairs of terms that differ as functions: random rational terms that
   differ in one leaf, a constant, or a sign, and random ones beside each other. That they differ is
   known from their construction, or from exact fractions at points of our own.
2. Agreement of pairs made equal: by the library's laws applied at random places, and by `expand`,
   `normalize` and `factor`. It must be complete.
3. The time per node of rational terms and of others.
4. A search that needs values of functions: all terms of few ops, smallest first. What computes the
   same as an earlier one needs no evaluation: the share saved is printed.
"""

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from report import arguments, at_least, at_most, finish

import rewrite as rw
from rewrite.rules import ALL
from rewrite.term import const
from strategies.algebra import expand, factor, normalize
from strategies.core import try_
from strategies.traversal import oncetd

PAIRS = 1_000_000
BATCH = 20_000
NAMES = "xyzuvw"


# -- false merges ----------------------------------------------------------------------------


type Maker = Callable[[dict[str, Any]], Any]
"""Computes a term, or its value, from values of its symbols."""


class Random:
    """Random rational terms as programs, that run on terms and on exact fractions alike."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def program(self, size: int) -> list[tuple[Any, ...]]:
        """Return instructions: leaves, then ops on earlier ones, the last of them most often."""
        choose = self.random
        code: list[tuple[Any, ...]] = [("name", name) for name in choose.sample(NAMES, 3)]
        code.append(("const", self.constant()))
        for _ in range(size):
            op = choose.choice(("add", "add", "sub", "mul", "mul", "div"))
            code.append((op, len(code) - 1, choose.randrange(len(code) - 1)))
        return code

    def constant(self) -> Fraction:
        """Return a small fraction that is not zero."""
        return Fraction(
            self.random.choice((-1, 1)) * self.random.randint(1, 9), self.random.randint(1, 9)
        )

    def changed(self, code: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return a program that differs in one leaf, constant or sign."""
        made = list(code)
        kind = self.random.randrange(3)
        if kind == 0:
            at = self.random.randrange(3)
            others = [name for name in NAMES if ("name", name) not in code]
            made[at] = ("name", self.random.choice(others))
        elif kind == 1:
            made[3] = ("const", made[3][1] + self.constant())
        else:
            places = [at for at, row in enumerate(code) if row[0] in ("add", "sub")] or [3]
            at = self.random.choice(places)
            op = {"add": "sub", "sub": "add"}.get(code[at][0])
            made[at] = (op, *code[at][1:]) if op else ("const", -code[at][1])
        return made


def run(
    code: list[tuple[Any, ...]], values: dict[str, Any], number: Callable[[Fraction], Any]
) -> Any:
    """Run a program."""
    made: list[Any] = []
    for op, *rest in code:
        if op == "name":
            made.append(values[rest[0]])
        elif op == "const":
            made.append(number(rest[0]))
        else:
            a, b = made[rest[0]], made[rest[1]]
            made.append(
                a + b if op == "add" else a - b if op == "sub" else a * b if op == "mul" else a / b
            )
    return made[-1]


OWN = [dict(zip(NAMES, map(Fraction, row), strict=True)) for row in (
    ("3/7", "5/11", "-8/13", "9/17", "-4/19", "21/23"),
    ("-29/31", "12/37", "18/41", "-35/43", "40/47", "11/53"),
)]  # fmt: skip


def differ(one: list[tuple[Any, ...]], other: list[tuple[Any, ...]]) -> bool:
    """Tell by exact fractions whether two programs differ at one of two points."""
    for point in OWN:
        try:
            if run(one, point, Fraction) != run(other, point, Fraction):
                return True
        except ZeroDivisionError:
            continue
    return False


def false_merges(pairs: int) -> tuple[int, int, int]:
    """Return how many pairs there were, how many merged falsely, and how many were left out."""
    source, merged, count, equal = Random(1), 0, 0, 0
    while count < pairs:
        with rw.scope():
            values = {name: rw.symbol(name) for name in NAMES}
            terms: list[Any] = []
            before: list[tuple[Any, ...]] | None = None
            while len(terms) < 2 * min(BATCH, pairs - count):
                one = source.program(source.random.randint(2, 6))
                other = (
                    before
                    if before is not None and source.random.random() < 0.25
                    else source.changed(one)
                )
                before = one
                if not differ(one, other):
                    equal += 1
                    continue
                terms += [run(one, values, const), run(other, values, const)]
            made = rw.fingerprints(terms)
            merged += sum(a == b for a, b in zip(made[::2], made[1::2], strict=True))
            count += len(terms) // 2
    return count, merged, equal


# -- agreement -------------------------------------------------------------------------------


def rewritten(pairs: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield pairs of random terms and what a few laws at random places make of them."""
    source = random.Random(2)
    laws = [rule for group in ALL for rule in group if rule.symbolic]
    p, q, r = rw.symbols("p q r", low=0.25, high=3)
    made = 0
    while made < pairs:
        term = grown(source, [p, q, r])
        form, fired = term, []
        for rule in source.sample(laws, 60):
            result = oncetd(rule)(form)
            if result is not None:
                form = result
                fired.append(rule.name)
        if fired:
            made += 1
            yield ", ".join(fired), term, form


def grown(source: random.Random, leaves: list[Any]) -> Any:
    """Return a random term of elementary functions that has a value on the whole domain."""
    pool = [*leaves, *(rw.apply("mul", leaf, 2) for leaf in leaves)]
    one_place = ("sin", "cos", "exp", "sqrt", "log", "tanh", "atan", "abs", "neg")
    for _ in range(source.randint(3, 9)):
        if source.random() < 0.4:
            name = source.choice(one_place)
            below = source.choice(pool if name not in ("sqrt", "log", "exp") else leaves)
            pool.append(rw.apply(name, below))
        else:
            name = source.choice(("add", "sub", "mul", "minimum", "maximum"))
            pool.append(rw.apply(name, source.choice(pool[-4:]), source.choice(pool)))
    return pool[-1]


def by_algebra(pairs: int) -> Iterator[tuple[str, Any, Any]]:
    """Yield random terms and what algebra makes of them."""
    source, field = random.Random(3), Random(4)
    names = {name: rw.symbol(name) for name in NAMES}
    bounded = list(rw.symbols("p q r", low=0.25, high=3))  # sqrt(x) - sqrt(x) is 0 where x >= 0
    strategies = {
        "expand": try_(expand()),
        "normalize": try_(normalize()),
        "factor": try_(factor()),
    }
    for at in range(pairs):
        name = source.choice(sorted(strategies))
        if at % 2:
            term = run(field.program(source.randint(2, 7)), names, const)
        else:
            term = grown(source, bounded)
        yield name, term, strategies[name](term)


def disagreements(pairs: Iterator[tuple[str, Any, Any]]) -> tuple[int, list[str]]:
    """Return how many pairs there were, and those that differ."""
    found = list(pairs)
    made = rw.fingerprints([term for _, one, other in found for term in (one, other)])
    wrong = [
        f"{how}: {one!r} became {other!r}"
        for (how, one, other), a, b in zip(found, made[::2], made[1::2], strict=True)
        if a != b
    ]
    return len(found), wrong


# -- time ------------------------------------------------------------------------------------


def per_node(build: Callable[[], Any]) -> tuple[int, float]:
    """Return the size of a term, and the median time per node in microseconds."""
    with rw.scope():
        term = build()
        size, times = term.node_count(), []
        rw.fingerprint(term)
        for _ in range(5):
            begin = time.perf_counter()
            rw.fingerprint(term)
            times.append(time.perf_counter() - begin)
    return size, statistics.median(times) / size * 1e6


def rational_chain(length: int) -> Any:
    """Build quotients of sums and products, four new nodes at a step and a constant."""
    x, y, z = rw.symbols("x y z")
    term = x
    for i in range(length):
        term = (term * y + x) / (z + i)
    return term


def polynomial(length: int) -> Any:
    """Build sums and products alone."""
    x, y = rw.symbols("x y")
    term = x
    for _ in range(length):
        term = term * y + x
    return term


def functions(length: int) -> Any:
    """Build sines, products and sums."""
    x, y, z = rw.symbols("x y z")
    term = x
    for _ in range(length):
        term = rw.sin(term) * y + z
    return term


# -- a search --------------------------------------------------------------------------------


def search(rounds: int) -> tuple[int, int]:
    """Return how many terms a search by size makes, and how many functions they are.

    All terms of up to so many ops of two names and two constants. Their values, exact ones for
    instance, are those of the functions, so only the first of each has to be evaluated.
    """
    with rw.scope():
        layers = [[*rw.symbols("x y"), const(1), const(2)]]
        for ops in range(1, rounds + 1):
            made = [rw.apply(f, a) for f in ("neg", "sqrt", "exp") for a in layers[ops - 1]]
            for left in range(ops):
                for a, b in itertools.product(layers[left], layers[ops - 1 - left]):
                    made += [a + b, a - b, a * b, a / b]
            layers.append(made)
        terms = [term for layer in layers for term in layer]
        return len(terms), len(rw.distinct(terms))


def main() -> None:
    """Print all figures."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=PAIRS, help="pairs that differ")
    options = parser.parse_args()
    with rw.scope():
        by_laws, wrong = disagreements(rewritten(1000))
        by_forms, more = disagreements(by_algebra(1000))
    wrong += more
    for line in wrong[:10]:
        print("differs:", line)
    size, rational = per_node(lambda: rational_chain(25_000))
    _, ring = per_node(lambda: polynomial(50_000))
    _, mixed = per_node(lambda: functions(1000))
    made, kinds = search(2)
    count, merged, equal = false_merges(options.pairs)
    print(f"{merged} of {count} pairs that differ were merged ({equal} drawn pairs were equal)")
    print(f"{by_laws + by_forms - len(wrong)} of {by_laws + by_forms} pairs made equal agree")
    print(
        f"time per node: polynomial {ring:.2f} us, rational {rational:.2f} us, sines {mixed:.1f} us"
    )
    print(f"search by size: {made} terms are {kinds} functions")
    figures = {
        "false merges": at_most(merged, 0),
        "agreement of equal pairs [%]": at_least(
            100 * (1 - len(wrong) / (by_laws + by_forms)), 100
        ),
        "rational term of 10^5 nodes [s]": at_most(rational * size * 1e-6, 1.0),
        "evaluations saved in a search by size [%]": {"value": 100 * (1 - kinds / made)},
    }
    finish(figures, options.json)


if __name__ == "__main__":
    main()
