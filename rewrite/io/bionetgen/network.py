"""`Network`: a reaction network, and the terms of its equations."""

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError, ParseError
from rewrite.io.bionetgen import sections
from rewrite.io.bionetgen.names import Names
from rewrite.io.bionetgen.rates import law_terms, rate_nodes
from rewrite.io.bionetgen.reactions import Reactions, reactions
from rewrite.io.bionetgen.sections import File, Line, Named
from rewrite.leaves import symbol
from rewrite.rows import joined
from rewrite.store import Ints, Store, Symbol
from rewrite.term import Term, apply, const, current_store, lift, scope

__all__ = ["Network", "Observable", "parse", "read"]


LARGEST: Final = 1 << 28
"""Bytes that a packed file may have when it is unpacked."""


class Observable(NamedTuple):
    """A sum of species, counted from 0, with weights."""

    species: Ints
    weights: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Source:
    """The lines that a network was read from; what is made of them depends on its parameters."""

    file: File
    parameters: list[Named]
    functions: list[Named]
    starts: list[Named]
    groups: dict[str, Line]

    def mentioned(self, columns: Reactions) -> list[tuple[str, Line]]:
        """Return the observables that functions and rate laws mention, with their lines.

        Others may have the name of a parameter.
        """
        texts = [row.text for row in self.functions]
        texts += [text for law in columns.laws for text in (law.factor, *law.constants)]
        words = set(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))
        return [(name, line) for name, line in self.groups.items() if name in words]


@dataclass(frozen=True, eq=False)
class Network:
    """A reaction network as a `.net` file has it; made by `read` and `parse`.

    The equations are those of run_network, BioNetGen's solver: a rate is the constant of the law
    times every reactant as often as it is listed. Statistical factors are in the file's laws.
    """

    name: str
    species: tuple[str, ...]
    fixed: npt.NDArray[np.bool_]
    """Which species keep their amount; the file marks them with `$`."""
    parameters: dict[str, float]
    """Values by name, in the order of the file."""
    observables: dict[str, Observable]
    reactions: Reactions
    initial: npt.NDArray[np.float64]
    """The start values of the species."""
    source: Source = field(repr=False)
    given: dict[str, float] = field(default_factory=dict, repr=False)
    """Parameters that `replaced` has set."""

    def __repr__(self) -> str:
        """Show the size."""
        return (
            f"<Network {self.name}: {len(self.species)} species, {len(self.reactions)} reactions, "
            f"{len(self.parameters)} parameters, {len(self.observables)} observables>"
        )

    @property
    def symbols(self) -> TermArray:
        """Symbols of the species: S1, S2, ..., as in BioNetGen's `.cdat` files."""
        numbers = range(1, len(self.species) + 1)
        stem = "S"
        while any(f"{stem}{k}" in self.parameters for k in numbers):
            stem += "_"
        return _symbols([f"{stem}{k}" for k in numbers])

    @property
    def parameter_symbols(self) -> TermArray:
        """Symbols of the parameters, by their names."""
        return _symbols(list(self.parameters))

    @property
    def time(self) -> Term:
        """The symbol of time, `t`."""
        name = "t"
        while name in self.parameters:
            name += "_"
        return Term(current_store(), current_store().symbol(Symbol(name)))

    def replaced(self, values: Mapping[str, float]) -> "Network":
        """Return the network with other values of parameters; what is computed of them follows.

        Raise `ArgumentError` for a name that is no parameter.
        """
        given = {**self.given, **{name: float(value) for name, value in values.items()}}
        return _made(self.source, self.reactions, self.observables, given)

    # -- terms -------------------------------------------------------------------------------

    def rhs(self, u: Any = None, p: Any = None, t: Term | None = None) -> TermArray:
        """Return the derivative of each species as a term.

        `u` are terms of the species (`symbols`), `t` is a term of time (`time`). `p` are terms of
        all parameters, such as `parameter_symbols`, or a mapping from some names to terms; then
        what the file computes of them follows. Parameters without a term have their value, and
        reactions whose constant is 0 are left out.

        >>> import rewrite as rw
        >>> text = '''begin species
        ...     1 A() 100
        ...     2 B() 0
        ... end species
        ... begin reactions
        ...     1 1,1 2 0.5
        ... end reactions'''
        >>> rw.io.bionetgen.parse(text).rhs()
        TermArray([-(2*(0.5*S1*S1)), 0.5*S1*S1])
        """
        array = self._species(u)
        with scope(array.store) as store:
            names = self._names(array, p, t)
            rates = rate_nodes(
                store, self.reactions, law_terms(names, self.reactions.laws), array.ids
            )
            return TermArray(store, self._sums(store, rates))

    def rate_constants(self, u: Any = None, p: Any = None, t: Term | None = None) -> TermArray:
        """Return what each reaction's reactants are multiplied by, as terms; see `rhs`.

        Of a law of enzymes it is the first constant.
        """
        array = self._species(u)
        with scope(array.store) as store:
            laws = law_terms(self._names(array, p, t), self.reactions.laws)
            nodes = np.array([constants[0].id for constants in laws], np.int32)
            return TermArray(store, nodes[self.reactions.law])

    def observable_terms(self, u: Any = None) -> dict[str, Term]:
        """Return the observables as terms, by their names."""
        array = self._species(u)
        return {name: _sum(array, seen) for name, seen in self.observables.items()}

    def function_terms(
        self, u: Any = None, p: Any = None, t: Term | None = None
    ) -> dict[str, Term]:
        """Return the functions without arguments as terms, by their names; see `rhs`."""
        array = self._species(u)
        with scope(array.store):
            return self._names(array, p, t).results

    def _species(self, u: Any) -> TermArray:
        array = self.symbols if u is None else asarray(u)
        if array.shape != self.initial.shape:
            raise ArgumentError(
                f"{self.name} has {len(self.species)} species; u= has the shape {array.shape}"
            )
        return array

    def _names(self, array: TermArray, p: Any, t: Term | None) -> Names:
        """Return what names stand for, in the current store."""
        names = Names(self.source.file)
        names.parameters(self.source.parameters, self._given(p))
        for name, line in self.source.mentioned(self.reactions):
            names.define(name, _sum(array, self.observables[name]), line)
        names.define_functions(self.source.functions, self.time if t is None else t)
        return names

    def _given(self, p: Any) -> dict[str, Any]:
        if p is None:
            return dict(self.given)
        if isinstance(p, Mapping):
            return {**self.given, **p}
        array = asarray(p)
        if array.shape != (len(self.parameters),):
            raise ArgumentError(
                f"{self.name} has {len(self.parameters)} parameters; p= has the shape "
                f"{array.shape}; a mapping gives some of them"
            )
        return dict(zip(self.parameters, array.terms(), strict=True))

    def _sums(self, store: Store, rates: Ints) -> Ints:
        """Add up what each reaction changes: what is added, less what is taken."""
        count, zero = len(self.species), store.constant(0)
        species, reaction, amount = self.reactions.changes()
        moves = ~self.fixed[species] & (rates[reaction] != zero)
        species, nodes, amount = species[moves], rates[reaction[moves]], amount[moves]
        many = np.flatnonzero(np.abs(amount) != 1)
        pairs = np.empty((len(many), 2), np.int32)
        pairs[:, 0] = store.integers(np.abs(amount[many]).tolist())
        pairs[:, 1] = nodes[many]
        edges = 2 * np.arange(len(many) + 1, dtype=np.int64)
        nodes[many] = joined(store, ops.MUL, edges, pairs.ravel(), zero)
        sides = []
        for side in (amount > 0, amount < 0):
            start = np.zeros(count + 1, np.int64)
            np.cumsum(np.bincount(species[side], minlength=count), out=start[1:])
            sides.append(joined(store, ops.ADD, start, nodes[side], zero))
        plus, minus = sides
        for at in np.flatnonzero(minus != zero).tolist():
            key = (ops.NEG.code,) if plus[at] == zero else (ops.SUB.code, int(plus[at]))
            plus[at] = store.make((*key, int(minus[at])))
        return plus


def _symbols(names: list[str]) -> TermArray:
    store = current_store()
    return TermArray(store, np.array([store.symbol(Symbol(name)) for name in names], np.int32))


def _sum(array: TermArray, seen: Observable) -> Term:
    """Return an observable as a term."""
    store = array.store
    parts = [
        Term(store, node)
        if weight == 1
        else apply(ops.MUL, _weight(weight, store), Term(store, node))
        for node, weight in zip(
            array.ids[seen.species].tolist(), seen.weights.tolist(), strict=True
        )
    ]
    if not parts:
        return const(0, store)
    return apply(ops.ADD, *parts) if len(parts) > 1 else parts[0]


def _weight(weight: float, store: Store) -> Term:
    return lift(int(weight) if weight.is_integer() else weight, store)


# -- reading ---------------------------------------------------------------------------------


def read(path: str | Path) -> Network:
    """Read a reaction network from one of BioNetGen's `.net` files, or from `.net.gz`.

    Raise `ParseError` with the file, the line and what was expected for anything that is not such
    a file. No part of it is run as code.
    """
    path = Path(path)
    if path.suffix != ".gz":
        return parse(path.read_text("utf-8", errors="replace"), path.name)
    try:
        with gzip.open(path) as file:
            data = file.read(LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ParseError(
            f"expected a file packed by gzip: {error}", "", 0, filename=path.name
        ) from None
    if len(data) > LARGEST:
        problem = f"expected at most {LARGEST >> 20} MiB when unpacked"
        raise ParseError(problem, "", 0, filename=path.name)
    return parse(data.decode("utf-8", errors="replace"), path.stem)


def parse(text: str, name: str = "network") -> Network:
    """Read a reaction network from the text of a `.net` file; `name` is used in messages."""
    file = File.of(text, name)
    starts = sections.species(file)
    groups = sections.groups(file, len(starts))
    observables = {
        group: Observable(
            np.array([at for at, _ in entries], np.int32), np.array([w for _, w in entries])
        )
        for group, (_, entries) in groups.items()
    }
    source = Source(
        file, sections.parameters(file), sections.functions(file), starts,
        {group: line for group, (line, _) in groups.items()},
    )  # fmt: skip
    made = _made(source, reactions(file, len(starts)), observables, {})
    with scope():  # all expressions are read once, so that no mistake shows up later
        names = Names(file)
        names.parameters(source.parameters, {})
        for group, line in source.mentioned(made.reactions):
            names.define(group, symbol(group), line)
        for group in groups:  # the others are there for messages alone
            names.known.setdefault(group, symbol(group))
        names.define_functions(source.functions, made.time)
        law_terms(names, made.reactions.laws)
    return made


def _made(
    source: Source, columns: Reactions, observables: dict[str, Observable], given: dict[str, float]
) -> Network:
    """Compute the values of parameters and the start values."""
    with scope():
        names = Names(source.file)
        names.parameters(source.parameters, given)
        parameters = {row.name: names.value(row.line, row.name) for row in source.parameters}
        starts = {row.text: row.line for row in reversed(source.starts)}
        values = {text: names.value(line, text) for text, line in starts.items()}
        for text, line in starts.items():
            if not isfinite(values[text]):
                source.file.fail(line, f"expected a finite start value; {text} is {values[text]}")
    return Network(
        source.file.name,
        tuple(row.name for row in source.starts),
        np.array([sections.is_fixed(row.name) for row in source.starts], np.bool_),
        parameters,
        observables,
        columns,
        np.array([values[row.text] for row in source.starts], np.float64),
        source,
        given,
    )
