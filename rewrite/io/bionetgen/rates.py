"""The rates of reactions as terms: mass action in bulk, laws of enzymes one by one."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.functions import FUNCTIONS
from rewrite.io.bionetgen.names import Names
from rewrite.io.bionetgen.reactions import Law, Reactions
from rewrite.rows import joined
from rewrite.store import Ints, Store
from rewrite.term import Term, apply

__all__ = ["law_terms", "rate_nodes"]

type Counts = npt.NDArray[np.int64]

sqrt: Final = FUNCTIONS["sqrt"]


def law_terms(names: Names, laws: list[Law]) -> list[tuple[Term, ...]]:
    """Read the constants of each law; the first one is a factor of the rate."""
    found = []
    for law in laws:
        texts = law.constants or (law.factor,)
        terms = [names.read(law.line, text) for text in texts]
        if law.kind and law.factor:
            terms[0] = names.read(law.line, law.factor) * terms[0]
        found.append(tuple(names.reduced(term) for term in terms))
    return found


def rate_nodes(
    store: Store, reactions: Reactions, laws: list[tuple[Term, ...]], species: Ints
) -> Ints:
    """Return the node of each reaction's rate, of constant 0 where it cannot happen."""
    side = reactions.reactants
    factors = [_factors(terms[0]) for terms in laws]
    lengths = np.array([len(each) for each in factors], np.int64)
    starts = np.cumsum(lengths) - lengths
    flat = np.array([node for each in factors for node in each], np.int32)

    before, orders = lengths[reactions.law], np.diff(side.start)
    start = np.zeros(len(reactions) + 1, np.int64)
    np.cumsum(before + orders, out=start[1:])
    pool = np.empty(int(start[-1]), np.int32)
    pool[_places(start[:-1], before)] = flat[_places(starts[reactions.law], before)]
    pool[_places(start[:-1] + before, orders)] = species[side.pool]
    nodes = joined(store, ops.MUL, start, pool, store.constant(1))

    for place, (law, terms) in enumerate(zip(reactions.laws, laws, strict=True)):
        if terms[0].value == 0:
            nodes[reactions.law == place] = store.constant(0)
        elif law.kind:
            for at in np.flatnonzero(reactions.law == place).tolist():
                own = species[side.pool[side.start[at] : side.start[at + 1]]]
                amounts = [Term(store, node) for node in own.tolist()]
                nodes[at] = ENZYMES[law.kind](amounts, *terms).id
    return nodes


def _places(first: Counts, counts: Counts) -> Counts:
    """Return first[k], first[k] + 1, ... as many as counts[k], one run after the other."""
    ends = np.cumsum(counts)
    runs: Counts = np.repeat(first - (ends - counts), counts)
    return runs + np.arange(len(runs))


def _factors(term: Term) -> list[int]:
    """Return what a factor adds to a product: a 1 adds nothing, a product its own factors."""
    if term.value == 1:
        return []
    return [each.id for each in term.args] if term.op is ops.MUL else [term.id]


# -- laws of enzymes, as in run_network -----------------------------------------------------


def _product(*terms: Term) -> Term:
    return apply(ops.MUL, *terms) if len(terms) > 1 else terms[0]


def _saturation(amounts: list[Term], rate: Term, *constants: Term) -> Any:
    """k x1 x2 ... / ((K1 + x1) ...), with a denominator for each constant."""
    below = [constant + x for constant, x in zip(constants, amounts, strict=False)]
    return _product(rate, *amounts) / _product(*below)


def _michaelis_menten(amounts: list[Term], rate: Term, constant: Term) -> Any:
    """k E S/(K + S), S what is free of the substrate if its complex is in equilibrium."""
    substrate, enzyme = amounts
    excess = substrate - enzyme - constant
    free = (excess + sqrt(excess * excess + 4 * substrate * constant)) / 2
    return rate * enzyme * free / (constant + free)


def _hill(amounts: list[Term], rate: Term, constant: Term, exponent: Term) -> Any:
    """V x1^h/(K^h + x1^h) times all other reactants."""
    first, *others = amounts
    power = first**exponent
    return _product(rate, power, *others) / (constant**exponent + power)


ENZYMES: Final[dict[str, Callable[..., Term]]] = {
    "Sat": _saturation,
    "MM": _michaelis_menten,
    "Hill": _hill,
}
