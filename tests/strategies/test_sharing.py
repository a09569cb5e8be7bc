"""`factor_system` as a strategy, and on systems like those of reaction networks."""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest

import rewrite as rw
from codegen.cost import cycle_cost
from rewrite import ops
from rewrite.array import TermArray
from rewrite.cost import Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.fingerprint import fingerprints
from rewrite.term import Term, apply, const
from strategies.base import fail
from strategies.core import try_
from strategies.sharing import FactorSystem, factor_system

x, y, z, k = rw.symbols("x y z k")
MODEL = cycle_cost("intel-avx512")
SUM = k * x * y + k * x * z
FACTORED = apply(ops.MUL, k, x, y + z)


def test_a_term_and_an_array_of_terms_are_rewritten() -> None:
    best = factor_system(MODEL)
    assert best(SUM) == FACTORED
    array = rw.asarray([[SUM, -SUM], [y, k * x]])
    made = best(array)
    assert isinstance(made, TermArray)
    assert made.shape == (2, 2)
    assert fingerprints(made.terms()) == fingerprints(array.terms())
    whole = k * x * (y + z)
    assert made.terms() == [whole, -whole, y, k * x]


def test_it_does_not_apply_where_nothing_is_cheaper() -> None:
    best = factor_system(MODEL)
    assert best(k * x * (y + z)) is None
    assert best(rw.asarray([x, y])) is None
    assert best(rw.asarray(np.zeros((0, 3), object))) is None
    assert best(("add", 1, 2)) is None
    assert (try_(best) >> try_(best))(SUM) == FACTORED
    assert (best | fail)(x) is None


@pytest.mark.parametrize("math", ["strict", FastMath.CONTRACT, FastMath.NNAN | FastMath.NSZ])
def test_it_needs_a_licence(math: str | FastMath) -> None:
    assert factor_system(MODEL, math)(SUM) is None


def test_it_prints_and_compares_as_data() -> None:
    assert str(factor_system(Gowda2021())) == "factor_system(gowda2021)"
    assert factor_system(MODEL) == FactorSystem(MODEL)
    assert str(try_(factor_system(MODEL))).startswith("try(factor_system(")


def test_mistakes_are_named() -> None:
    with pytest.raises(StrategyError, match="no cost model"):
        factor_system("gowda2021")  # type: ignore[arg-type]
    with pytest.raises(StrategyError, match="takes terms, not 3"):
        factor_system(MODEL).roots([x, 3])  # type: ignore[list-item]


def total(terms: list[Term]) -> float:
    return dag_cost(Dag.of(terms[0].store, [term.id for term in terms]), MODEL)


def sites(count: int, same: bool) -> list[Term]:
    """Return the derivatives of a receptor with sites that bind one ligand each.

    The states of the receptor are all sets of bound sites; each site has its two rate constants.
    """
    ligands = rw.symbols([f"l{site}" for site in range(count)])
    on = rw.symbols([f"on{0 if same else site}" for site in range(count)])
    off = rw.symbols([f"off{0 if same else site}" for site in range(count)])
    states = list(product((0, 1), repeat=count))
    name = {state: rw.symbol("r" + "".join(map(str, state))) for state in states}
    rates: defaultdict[object, Term] = defaultdict(lambda: const(0))
    for state in states:
        for site in range(count):
            if not state[site]:
                bound = (*state[:site], 1, *state[site + 1 :])
                forth = on[site] * ligands[site] * name[state]
                back = off[site] * name[bound]
                for what, sign in ((state, -1), (site, -1), (bound, 1)):
                    more, less = (forth, back) if sign > 0 else (back, forth)
                    rates[what] = rates[what] + more - less
    return list(rates.values())


@pytest.mark.parametrize(("same", "most"), [(False, 0.7), (True, 0.76)])
def test_a_network_is_cheaper_than_its_shared_rates(same: bool, most: float) -> None:
    terms = sites(5, same)
    made = factor_system(MODEL).roots(terms)
    assert fingerprints(made) == fingerprints(terms)
    assert total(made) < most * total(terms)


def test_sites_that_differ_are_as_cheap_as_by_hand() -> None:
    made = factor_system(MODEL).roots(sites(3, same=False))
    # two products and a difference for each of 12 fluxes, a product for each of 3 sites; then each
    # flux is in three sums, of which there are 11; one has to be negated
    assert total(made) <= (12 * 3 + 3 + 12 * 3 - 11 + 1) * MODEL.cycles("add") + 1e-9
