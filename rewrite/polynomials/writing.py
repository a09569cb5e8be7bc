"""From a system back to terms: shared products in pairs, sums with as few negations as possible."""

from rewrite import ops
from rewrite.deadline import look
from rewrite.polynomials.products import Products, pair_products
from rewrite.polynomials.system import Mono, Opaque, Rational, System
from rewrite.store import Store

__all__ = ["write_system"]

_ADD, _SUB, _NEG, _MUL = ops.ADD.code, ops.SUB.code, ops.NEG.code, ops.MUL.code


def write_system(system: System, store: Store, *, repeats: int) -> list[int]:
    """Intern what the roots of a system are; return their nodes.

    Multiples up to `repeats` are written as repeated additions.
    """
    return _Writer(system, store, repeats).run()


class _Writer:
    """Writes rows after those that they are made of."""

    def __init__(self, system: System, store: Store, repeats: int) -> None:
        self.system, self.store, self.repeats = system, store, repeats
        self.order = _order(system)
        used: dict[Mono, None] = {}
        for at in self.order:
            used |= dict.fromkeys(system.rows[at])
        self.products: Products = pair_products(used, system.numbers, len(system.literals))
        self.uses = self.products.uses()
        self.rows: dict[int, int] = {}
        """Nodes by row."""
        self.nodes: dict[int, int] = {}
        """Nodes by token."""

    def run(self) -> list[int]:
        for at in self.order:
            look()
            self.rows[at] = self.row(at)
        return [self.rows[at] for at in self.system.roots]

    def row(self, at: int) -> int:
        """Write a sum: what is added, less what is subtracted; its number comes last."""
        plus: list[int] = []
        minus: list[int] = []
        row = self.system.rows[at]
        for mono in sorted(row, key=self.is_number):
            (minus if row[mono] < 0 else plus).append(self.product(mono))
        if not minus:
            return self.added(plus)
        if plus:
            return self.store.make((_SUB, self.added(plus), self.added(minus)))
        return self.negated(list(row))

    def is_number(self, mono: Mono) -> bool:
        return all(literal in self.system.numbers for literal in mono)

    def added(self, nodes: list[int]) -> int:
        if len(nodes) < 2:
            return nodes[0] if nodes else self.store.constant(0)
        return self.store.make((_ADD, *nodes))

    def negated(self, monos: list[Mono]) -> int:
        """Write a sum of what is subtracted alone; a number that it has takes the sign."""
        numbers = self.system.numbers
        turned = next((m for m in monos if len(m) < 3 and _number(m, numbers) is not None), None)
        if turned is None or (turned and 1 < (_number(turned, numbers) or 1) < self.repeats):
            return self.store.make((_NEG, self.added([self.product(m) for m in monos])))
        value = _number(turned, numbers)
        assert value is not None, "a product with a number was chosen"
        first = self.store.constant(-value)
        rest = [literal for literal in turned if literal not in numbers]
        if rest:
            first = self.store.make((_MUL, first, self.literal(rest[0])))
        others = [self.product(m) for m in monos if m != turned]
        return self.store.make((_SUB, first, self.added(others))) if others else first

    # -- products ------------------------------------------------------------------------------

    def product(self, mono: Mono) -> int:
        if not mono:
            return self.store.constant(1)
        return self.token(mono[0] if len(mono) == 1 else self.products.tokens[mono])

    def token(self, token: int) -> int:
        """Write a literal or a pair, after the pairs inside."""
        stack = [token]
        while stack:
            top = stack.pop()
            if top in self.nodes:
                continue
            parts = self.parts(top)
            missing = [part for part in parts if part not in self.nodes and part != top]
            if missing:
                stack += [top, *missing]
            else:
                self.nodes[top] = self.literal(top) if parts == [top] else self.times(parts)
        return self.nodes[token]

    def parts(self, token: int) -> list[int]:
        """Return the factors of a product: pairs that nothing else uses are opened."""
        first, pairs = self.products.first, self.products.pairs
        if token < first:
            return [token]
        found: list[int] = []
        stack = [*pairs[token - first]]
        while stack:
            top = stack.pop()
            if top >= first and self.uses[top] == 1:
                stack += pairs[top - first]
            else:
                found.append(top)
        system = self.system
        return sorted(found, key=lambda t: (t not in system.numbers, t in system.kernels, t))

    def times(self, parts: list[int]) -> int:
        numbers = self.system.numbers
        nodes = [self.nodes[part] for part in parts]
        value = numbers.get(parts[0])
        if isinstance(value, int) and 2 <= value <= self.repeats and parts[1] not in numbers:
            whole = nodes[1] if len(nodes) == 2 else self.store.make((_MUL, *nodes[1:]))
            return self.store.make((_ADD, *[whole] * value))
        return self.store.make((_MUL, *nodes))

    def literal(self, literal: int) -> int:
        system = self.system
        if literal in system.kernels:
            return self.rows[system.kernels[literal]]
        if literal in system.numbers:
            return self.store.constant(system.numbers[literal])
        stands = system.literals[literal]
        if isinstance(stands, Opaque):
            return self.store.make((stands.code, *[self.rows[at] for at in stands.rows]))
        assert isinstance(stands, int), f"literal {literal} stands for nothing"
        return stands


def _number(mono: Mono, numbers: dict[int, Rational]) -> Rational | None:
    """Return the number in a product of a number and at most one other literal."""
    if not mono:
        return 1
    found = [numbers[literal] for literal in mono if literal in numbers]
    return found[0] if len(found) == 1 else None


def _order(system: System) -> list[int]:
    """Return the rows that roots need, each after those that it is made of."""
    done: dict[int, None] = {}
    stack = [~at for at in reversed(system.roots)]
    while stack:
        at = stack.pop()
        if at >= 0:
            done[at] = None
        elif ~at not in done:
            needed = [row for row in _needed(system, ~at) if row not in done]
            stack.append(~at)
            stack += [~row for row in reversed(needed)]
    return list(done)


def _needed(system: System, at: int) -> list[int]:
    """Return the rows that a row names."""
    found: dict[int, None] = {}
    for mono in system.rows[at]:
        for literal in mono:
            if literal in system.kernels:
                found[system.kernels[literal]] = None
            elif isinstance(stands := system.literals[literal], Opaque):
                found |= dict.fromkeys(stands.rows)
    return list(found)
