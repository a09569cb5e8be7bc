"""The axioms that proofs use are true: what a proof says of each node is its value at points.

A proof is followed at a point: of the cases that it splits into, one must be that of the point, and
the fractions of atoms that it finds there are evaluated in floating point.
"""

import math
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite import ops, rulesample
from rewrite.certificates import listing
from rewrite.certificates.fractions import Stuck
from rewrite.certificates.functions import Unit
from rewrite.certificates.prover import Proof
from rewrite.certificates.signs import Case, Split
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.lawcheck import of_numbers
from rewrite.leaves import pattern_vars
from rewrite.rule import Rule, ruleset
from rewrite.sorts import BOOL

RULES = [rule for rule in listing.rules() if of_numbers(rule)]
NEAR = 1e-7
OTHER_AT_ZERO = {ops.ATAN2.code, ops.COPYSIGN.code}
"""Ops that floats define by the sign of a zero, and reals do not."""


class Followed:
    """A proof in the case of one point."""

    def __init__(self, rule: Rule, point: dict[str, Any], parts: int = 1) -> None:
        self.proof, self.point, self.parts = Proof(rule, parts), point, parts
        case = self.proof.start
        while True:
            try:
                self.met = self.proof.holds(case)
                return
            except Split as split:
                fitting = [one for one in split.cases if self.fits(one)]
                assert len(fitting) == 1, (rule, point, len(split.cases), len(fitting))
                (case,) = fitting

    def fits(self, case: Case) -> bool:
        return (
            all(self.sign(p) in known for p, known in case.signs.values())
            and all(not self.sign(p) for p in case.zeros)
            and all(abs(self.gen(k) - self.value(v)) < NEAR for k, v in case.values.items())
            and all(float(self.read(k)).is_integer() == told for k, told in case.integers.items())
            and all(self.read(k) % 2 == told for k, told in case.parities.items())
            and all(self.point[k] == told for k, told in case.truths.items())
        )

    def read(self, key: str) -> float:
        names = {f"g{k:02}": self.gen(k) for k in self.proof.ring.atoms}
        found = eval(key.replace("^", "**"), {"Frac": lambda num, den: num / den, **names})
        return round(float(found), 9)

    def sign(self, p: Any) -> int:
        value = self.poly(p)
        return 0 if abs(value) < NEAR else int(math.copysign(1, value))

    def value(self, x: Any) -> float:
        return self.poly(x.num) / self.poly(x.den)

    def poly(self, p: Any) -> float:
        total = 0.0
        for powers, count in p.to_dict().items():
            gens = [self.gen(k) ** int(power) for k, power in enumerate(powers) if power]
            total += int(count.p) / int(count.q) * math.prod(gens)
        return total

    def gen(self, index: int) -> float:
        kind, of = self.proof.ring.atoms[index]
        if kind in ("variable", "pi"):
            return math.pi if kind == "pi" else float(self.point[of])
        if kind in ("log", "log2"):
            return math.log(self.poly(of))
        if kind == "cos":
            return math.cos(self.value(self.proof.ring.atoms[of].of) / self.parts)
        x = self.value(of)
        if kind in ("exp", "sin"):
            x /= self.parts
        known = {"round": lambda x: float(np.rint(x)), "cbrt": math.cbrt, "floor": math.floor}
        return float(known.get(kind, getattr(math, kind, None))(x))  # type: ignore[misc]


def follow(rule: Rule, point: dict[str, Any]) -> None:
    parts = 1
    while True:
        try:
            followed = Followed(rule, point, parts)
            break
        except Unit as wanted:
            parts = wanted.parts
        except Stuck:
            return
    dag = followed.proof.dag
    store = rule.lhs.store
    for at, found in followed.proof.values.items():
        term = rw.Term(store, int(dag.ids[at]))
        with np.errstate(all="ignore"):
            expected = rw.evaluate(term, point)
        below = set(Dag.of(store, [term.id]).code.tolist())
        args = dag.rows()[at][1]
        if found is None and None in [followed.proof.values.get(arg) for arg in args]:
            continue
        if found is None:
            assert not abs(expected) < 1e12 or below & OTHER_AT_ZERO, (rule, term, point)
        elif isinstance(found, bool):
            assert found == expected, (rule, term, point)
        elif np.isfinite(expected):
            near = NEAR * max(1, abs(float(expected)))
            assert abs(followed.value(found) - float(expected)) < near, (rule, term, point)


def points(rule: Rule, count: int) -> list[dict[str, Any]]:
    """Numbers of moderate size, of which some are small integers."""
    random = np.random.default_rng(count)
    found = []
    for k in range(count):
        point: dict[str, Any] = {}
        for symbol in rulesample.variables(rule):
            whole = float(random.integers(-2, 3))
            drawn = whole if k % 3 == 0 or random.random() < 0.2 else random.uniform(-2, 2)
            point[symbol.name] = bool(random.random() < 0.5) if symbol.sort is BOOL else drawn
        found.append(point)
    return found


a, b, n = pattern_vars("a b n")
SHAPES = (a, -a, a + b, 2 * a, a * b, a / b, a / 2, a * a + 1)


@pytest.mark.parametrize("op", [op for op in ops.BUILTIN if op.takes == "r"], ids=repr)
def test_functions_of_sums_and_products(op: ops.Op) -> None:
    if op.arity != 1:
        pytest.skip("it is an op of algebra")
    for shape in SHAPES:
        (rule,) = ruleset("r", FastMath.FAST, ("r", rw.apply(op.name, shape) + 1, shape))
        for point in points(rule, 2):
            follow(rule, point)


TWO = ("pow", "hypot", "atan2", "fmod", "copysign", "minimum", "maximum", "lt", "le", "eq")
CORNERS = [{"a": x, "b": y} for x in (-1.5, -1.0, 0.0, 2.0) for y in (-2.0, -1.0, 0.0, 0.5)]


@pytest.mark.parametrize("name", TWO)
def test_functions_of_two(name: str) -> None:
    for left, right in zip(SHAPES, (b, a, *SHAPES[4:], a + b, b), strict=False):
        term = rw.apply(name, left, right)
        whole = FUNCTIONS["where"](term, a, b) if name in ("lt", "le", "eq") else term + 1
        (rule,) = ruleset("r", FastMath.FAST, ("r", whole, left if left is a else a))
        for point in CORNERS if left is a else points(rule, 4):
            follow(rule, point)


INNER = "asin atan asinh acosh atanh exp log sqrt cbrt abs floor".split()
OUTER = "sin cos tan tanh exp sqrt floor".split()


@pytest.mark.parametrize("inner", INNER)
def test_functions_of_functions(inner: str) -> None:
    for outer in OUTER:
        term = FUNCTIONS[outer](FUNCTIONS[inner](a))
        (rule,) = ruleset("r", FastMath.FAST, ("r", term + 1, a))
        for value in (-0.4, 0.0, 2.5):
            follow(rule, {"a": value})


@pytest.mark.parametrize("first", range(5))
def test_proofs_of_rules_at_points(first: int) -> None:
    for rule in RULES[first::40]:
        for point in points(rule, 4):
            follow(rule, point)


@pytest.mark.nightly
def test_every_proof_at_points() -> None:
    for rule in RULES:
        for point in points(rule, 40):
            follow(rule, point)
