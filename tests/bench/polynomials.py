"""Mass-action systems, factored and shared: `python tests/bench/polynomials.py --networks DIR`.

The right-hand sides of BioNetGen networks (`NAME.net` somewhere below DIR), as sums of products, in
the cost of Gowda et al.: + 1, - 1, * 3. As a tree, as the DAG that equal subterms make ("shared"),
and after `factored_system`: these are terms, priced by `dag_cost`. Counted beside: what greedy
factoring of each equation makes, as a tree, and SymPy's `cse`, where that is fast enough. Seconds
are of CPU time, on one core.
"""

import math
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from report import arguments, at_least, at_most, finish

import rewrite as rw
from rewrite import ops
from rewrite.constants import Constant
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.fingerprint import fingerprints
from rewrite.io.bionetgen import Network
from rewrite.polynomials.factoring import factored_system

TARGETS = {"bcr": 6.0, "egfr_net": 2.6, "fceri_gamma2": 3.0}
NETWORKS = ("multistate", "multisite2", "test_network_gen", "egfr_net", "bcr", "fceri_gamma2")
SECONDS = 30.0
BY_SYMPY = 1000
"""SymPy's `cse` takes minutes above so many reactions."""

type Product = tuple[str, ...]
type Sum = dict[Product, Fraction]


@dataclass(frozen=True)
class Counted:
    """An addition, subtraction or negation costs 1, a multiplication 3."""

    sharing: bool
    name: str = "counted"
    unit: str = "operations"

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Look the op up; there are no others."""
        return {"add": 1.0, "sub": 1.0, "neg": 1.0, "mul": 3.0}[op.name]


# -- networks ----------------------------------------------------------------------------------


def summands(network: Network) -> list[list[tuple[int, Product]]]:
    """Return the summands of each species' derivative: by how much, and the factors of the rate."""
    columns = network.reactions
    start, pool = columns.reactants.start, columns.reactants.pool + 1
    laws = [law.factor.split("*") for law in columns.laws]
    rates = [
        (*laws[law], *(f"x{at}" for at in pool[start[k] : start[k + 1]].tolist()))
        for k, law in enumerate(columns.law.tolist())
    ]
    sums: list[list[tuple[int, Product]]] = [[] for _ in network.species]
    for at, reaction, amount in zip(*(c.tolist() for c in columns.changes()), strict=True):
        sums[at].append((amount, rates[reaction]))
    return sums


# -- what others do ----------------------------------------------------------------------------


def collected(summands: Sequence[tuple[int, Product]]) -> Sum:
    """Add up like terms; numbers in a rate are part of the coefficient."""
    total: Sum = {}
    for amount, rate in summands:
        product = tuple(sorted(name for name in rate if name.isidentifier()))
        numbers = (Fraction(name) for name in rate if not name.isidentifier())
        total[product] = total.get(product, Fraction(0)) + amount * math.prod(numbers)
    return {product: amount for product, amount in total.items() if amount}


def greedy(terms: Sum) -> tuple[int, int]:
    """Count products and sums after taking out the most frequent literal again and again."""
    muls, sums = 0, 0
    stack = [terms]
    while stack:
        whole = stack.pop()
        found = Counter(name for product in whole for name in set(product))
        name, most = min(found.items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))
        if len(whole) < 2 or most < 2:
            sums += max(0, len(whole) - 1)
            numbers = sum(abs(amount) != 1 and bool(p) for p, amount in whole.items())
            muls += numbers + sum(max(0, len(product) - 1) for product in whole)
            continue
        inner: Sum = {}
        for product, amount in whole.items():
            if name in product:
                rest = list(product)
                rest.remove(name)
                inner[tuple(rest)] = amount
        left = {product: amount for product, amount in whole.items() if name not in product}
        muls, sums = muls + 1, sums + bool(left)
        stack += [inner, left]
    return muls, sums


def by_sympy(sums: list[list[tuple[int, Product]]]) -> float:
    """Return the cost of what SymPy's `cse` makes."""
    import sympy

    def cost(expr: Any) -> float:
        own = 0.0
        if expr.is_Add:
            own = len(expr.args) - 1.0
        elif expr.is_Mul:
            own = 3.0 * (sum(arg != -1 for arg in expr.args) - 1)
        elif expr.is_Pow:
            own = 3.0 * (int(expr.exp) - 1)
        return own + sum(cost(arg) for arg in expr.args)

    names = {name for summands in sums for _, rate in summands for name in rate}
    made = {name: sympy.Symbol(name) for name in names if name.isidentifier()}
    exprs = [
        sympy.Add(
            *[
                a * sympy.Mul(*[made.get(n) or sympy.Rational(n) for n in rate])
                for a, rate in summands
            ]
        )
        for summands in sums
    ]
    found, reduced = sympy.cse(exprs)
    return sum(cost(expr) for _, expr in found) + sum(map(cost, reduced))


# -- figures -----------------------------------------------------------------------------------


def measure(path: Path) -> dict[str, Any]:
    """Return the costs of one network, and the times."""
    network = rw.io.bionetgen.read(path)
    sums = summands(network)
    with rw.scope():
        terms = network.rhs(p=network.parameter_symbols).terms()
        store, tree, shared = terms[0].store, Counted(False), Counted(True)
        dag = Dag.of(store, [term.id for term in terms])
        begin = time.process_time()
        licence = FastMath.REASSOC | FastMath.NNAN | FastMath.NSZ
        made = factored_system(terms, shared, licence)
        seconds = time.process_time() - begin
        assert fingerprints(made) == fingerprints(terms), f"{path.name} computes something else"
        result = Dag.of(store, [term.id for term in made])
        figures = {
            "equations": len(sums),
            "tree": dag_cost(dag, tree),
            "shared": dag_cost(dag, shared),
            "ours": dag_cost(result, shared),
            "seconds": seconds,
            "nodes": len(result),
        }
    muls, adds = map(sum, zip(*(greedy(collected(each)) for each in sums), strict=True))
    figures["greedy"] = 3.0 * muls + adds
    if sum(map(len, sums)) <= BY_SYMPY:
        begin = time.perf_counter()
        figures["SymPy cse"] = by_sympy(sums)
        figures["SymPy seconds"] = time.perf_counter() - begin
    return figures


def main() -> None:
    """Print the table, and the targets."""
    parser = arguments(__doc__ or "")
    folder = Path(os.environ.get("REWRITE_NETWORKS", "networks"))
    parser.add_argument("--networks", type=Path, default=folder, help="where the .net files are")
    parser.add_argument("--only", nargs="*", default=NETWORKS, help="names of networks")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    print(f"{'network':18}{'tree':>9}{'shared':>9}{'greedy':>9}{'SymPy':>9}{'ours':>9}"
          f"{'ratio':>8}{'seconds':>9}")  # fmt: skip
    for name in given.only:
        path = next(iter(sorted(given.networks.rglob(f"{name}.net"))), None)
        if path is None:
            print(f"{name:18}skipped: there is no {name}.net below {given.networks}")
            continue
        row = measure(path)
        ratio = row["tree"] / row["ours"]
        sympy = f"{row['SymPy cse']:9.0f}" if "SymPy cse" in row else f"{'-':>9}"
        print(f"{name:18}{row['tree']:9.0f}{row['shared']:9.0f}{row['greedy']:9.0f}{sympy}"
              f"{row['ours']:9.0f}{ratio:8.2f}{row['seconds']:9.2f}")  # fmt: skip
        figures[name] = row
        if name in TARGETS:
            figures[f"{name}: times cheaper than the tree"] = at_least(ratio, TARGETS[name])
            figures[f"{name}: seconds"] = at_most(row["seconds"], SECONDS)
    finish(figures, given.json)


if __name__ == "__main__":
    main()
