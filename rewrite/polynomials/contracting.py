"""`contract_sums`: products into the sums that alone use them, each one `fma` of a chain."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rewrite import ops
from rewrite.cost import CostModel
from rewrite.dag import Dag, rebuild
from rewrite.fastmath import FastMath
from rewrite.sorts import REAL
from rewrite.store import Store
from rewrite.term import Term

__all__ = ["PLAIN", "contract_sums", "is_plain", "pays"]

_ADD, _SUB, _NEG = ops.ADD.code, ops.SUB.code, ops.NEG.code
_MUL, _FMA = ops.MUL.code, ops.FMA.code
_SUMS: Final = frozenset({_ADD, _SUB, _NEG})
PLAIN: Final = frozenset({*_SUMS, _MUL, _FMA, ops.CONST.code, ops.SYMBOL.code})
"""What sums and products are made of."""


def is_plain(dag: Dag) -> bool:
    """Tell whether a program is sums and products of symbols and constants alone."""
    return PLAIN.issuperset(np.unique(dag.code).tolist())


def pays(model: CostModel, allowed: FastMath) -> bool:
    """Tell whether a product and a sum may be one instruction, and are cheaper so."""
    nothing = (None, None)
    apart = model.price(ops.ADD, nothing) + model.price(ops.MUL, nothing)
    return FastMath.CONTRACT in allowed and model.price(ops.FMA, (None, *nothing)) < apart


def contract_sums(terms: Sequence[Term]) -> list[Term]:
    """Contract all sums below some terms of one store, which needs `reassoc contract`.

    A product that one sum alone uses becomes an `fma` on top of what else there is to add, which
    stays one sum. All are returned in the store of the terms.

    >>> import rewrite as rw
    >>> a, b, c, d = rw.symbols("a b c d")
    >>> contract_sums([a * b + c - a * d])
    [fma(-a, d, fma(a, b, c))]
    """
    if not terms:
        return []
    store, scratch = terms[0].store, Store()
    source = Dag.of(store, [term.id for term in terms])
    places = rebuild(source, scratch)
    dag = Dag.of(scratch, [places[root] for root in source.roots])
    made = Dag.of(scratch, _Contraction(scratch, dag).run())
    nodes = rebuild(made, store)
    return [Term(store, nodes[root]) for root in made.roots]


@dataclass(slots=True)
class _Summands:
    """What a sum consists of, by position: products with their signs, and what is no product."""

    products: list[tuple[bool, int]] = field(default_factory=list)
    plus: list[int] = field(default_factory=list)
    minus: list[int] = field(default_factory=list)


class _Contraction:
    """Two passes over a program: sums are taken apart from above, and written from below."""

    def __init__(self, store: Store, dag: Dag) -> None:
        self.store, self.dag = store, dag
        self.rows = dag.rows()
        users = np.bincount(dag.args, minlength=len(dag))
        np.add.at(users, dag.roots, 1)
        real = dag.sort == int(REAL)
        self.real: list[bool] = real.tolist()
        self.single: list[bool] = ((users == 1) & real).tolist()
        self.made: list[int] = dag.ids.tolist()

    def run(self) -> list[int]:
        chains: dict[int, _Summands] = {}
        taken = [False] * len(self.rows)
        for at in range(len(self.rows) - 1, -1, -1):
            if self.rows[at][0] in _SUMS and self.real[at] and not taken[at]:
                found, within = self.summands(at)
                if found.products and len(found.products) + len(found.plus + found.minus) > 1:
                    chains[at] = found
                    for part in within:
                        taken[part] = True
        for at, (code, args) in enumerate(self.rows):
            if at in chains:
                self.made[at] = self.chain(chains[at])
            elif args and not taken[at]:
                self.made[at] = self.store.make((code, *[self.made[a] for a in args]))
        return [self.made[root] for root in self.dag.roots]

    def summands(self, at: int) -> tuple[_Summands, list[int]]:
        """Take a sum apart, down to what others use too; also return what is written no more."""
        found, within = _Summands(), list[int]()
        stack = [(at, True)]
        while stack:
            top, positive = stack.pop()
            code, args = self.rows[top]
            own = top == at or self.single[top]
            if code in _SUMS and own:
                within += [] if top == at else [top]
                kept = [code == _ADD or (code == _SUB and not k) for k in range(len(args))]
                stack += [(a, positive == k) for a, k in zip(args[::-1], kept[::-1], strict=True)]
            elif code == _MUL and own:
                within.append(top)
                found.products.append((positive, top))
            else:
                (found.plus if positive else found.minus).append(top)
        return found, within

    def chain(self, found: _Summands) -> int:
        """Write what is no product as one sum, and each product as an `fma` on top."""
        products, make = found.products, self.store.make
        plus, minus = self.added(found.plus), self.added(found.minus)
        if plus is not None:
            total = plus if minus is None else make((_SUB, plus, minus))
        elif minus is not None:
            total = make((_NEG, minus))
        else:
            first = next((k for k, (positive, _) in enumerate(products) if positive), 0)
            positive, at = products[first]
            products = products[:first] + products[first + 1 :]
            total = make((_MUL, *self.factors(at)))
            total = total if positive else make((_NEG, total))
        for positive, at in products:
            one, *rest = self.factors(at)
            other = rest[0] if len(rest) == 1 else make((_MUL, *rest))
            total = make((_FMA, one if positive else make((_NEG, one)), other, total))
        return total

    def factors(self, at: int) -> list[int]:
        return [self.made[a] for a in self.rows[at][1]]

    def added(self, summands: list[int]) -> int | None:
        nodes = [self.made[at] for at in summands]
        if len(nodes) < 2:
            return nodes[0] if nodes else None
        return self.store.make((_ADD, *nodes))
