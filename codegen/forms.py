"""The forms that a user may give arguments and results in, and how results get them back."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np

from codegen.kernel import Results
from codegen.lower import Parameter, Result
from rewrite import ops
from rewrite.array import TermArray, asarray
from rewrite.dag import Dag
from rewrite.errors import ArgumentError
from rewrite.numeric import require_numbers
from rewrite.store import Store, Symbol
from rewrite.term import Term, current_store, join_all, lift, symbols_at
from strategies.calculus.pattern import Pattern
from strategies.calculus.sparse import SparseTerms

__all__ = [
    "check_names",
    "check_symbols",
    "form_of",
    "parameters_of",
    "patterns_of",
    "replaced",
    "results_of",
    "symbols_of",
]


def parameters_of(args: Any) -> list[Parameter]:
    """Return the arguments of a kernel; refuse a symbol that is given twice."""
    if isinstance(args, (Term, TermArray)):
        args = [args]
    if not isinstance(args, (list, tuple)):
        raise ArgumentError(f"the arguments must be a list of symbols, not {args!r}")
    made = [_parameter(arg, place) for place, arg in enumerate(args)]
    count = Counter(parameter.name for parameter in made)
    for place, each in enumerate(made):
        if count[each.name] > 1 and each.shape:  # two arrays of parts of one
            made[place] = replace(each, name=f"array{place + 1}")
    names = _given(made)
    if len({symbol.name for symbol in names}) < len(names):
        check_names(names)
        twice = sorted(name for name, n in Counter(s.name for s in names).items() if n > 1)
        raise ArgumentError(f"the symbol {twice[0]!r} is given twice among the arguments")
    return made


def _parameter(arg: Any, place: int) -> Parameter:
    array = asarray(arg) if not isinstance(arg, Term) else None
    terms: tuple[Term, ...] = (arg,) if array is None else tuple(array.terms())
    if not terms:
        raise ArgumentError(f"argument {place + 1} is empty: an array argument has symbols")
    names = [symbol.name if symbol else "" for symbol in symbols_at(terms)]
    if "" in names:
        odd = terms[names.index("")]
        raise ArgumentError(f"argument {place + 1} has {odd!r}, which is not a symbol")
    if array is None:
        return Parameter(names[0], (), terms)
    return Parameter(_common_name(names, array.ndim, place), array.shape, terms)


def _given(parameters: Sequence[Parameter]) -> list[Symbol]:
    """Return the symbols of all arguments."""
    return [symbol for p in parameters for symbol in p.leaves if symbol]


def _common_name(names: Sequence[str], axes: int, place: int) -> str:
    """Name an array argument after what its symbols' names share, but for an index an axis."""
    stems = {name.rstrip("0123456789_") for name in names}
    stem = stems.pop() if len(stems) == 1 else ""
    longer = re.sub(rf"(_+[0-9]+){{{axes}}}$", "", names[0])
    if stem and all(name.startswith(longer) for name in names):
        stem = longer
    return stem if stem.isidentifier() else f"array{place + 1}"


def form_of(exprs: Any) -> Results:
    """Say how results are returned: one, a tuple of several, or a dictionary."""
    return "dict" if isinstance(exprs, dict) else "tuple" if isinstance(exprs, tuple) else "single"


def results_of(exprs: Any) -> tuple[list[Result], Any]:
    """Return the results, and a function that gives new terms the form of `exprs`."""
    results, rebuild = _grouped(exprs, _store_of(exprs))
    if not results:
        raise ArgumentError("there is no expression to compile")
    for result in results:
        if not result.terms:
            raise ArgumentError(f"there is no expression to compile in the result {result.name!r}")
    if len(ops.OPS) > len(ops.BUILTIN):  # there are ops of a user
        from codegen.inlined import inlined

        results = inlined(results)
    patterns = patterns_of(exprs)
    if not any(patterns):
        return results, rebuild
    return results, lambda terms: _sparse_again(rebuild(terms), patterns)


def _sparse_again(made: Any, patterns: tuple[Pattern | None, ...]) -> Any:
    """Give arrays of entries the patterns of the matrices that they were."""

    def one(value: Any, pattern: Pattern | None) -> Any:
        if pattern is not None and not pattern.nnz:
            value = TermArray(value.store, np.empty(0, np.int32))
        return value if pattern is None else SparseTerms(value, pattern)

    if isinstance(made, dict):
        return dict(zip(made, map(one, made.values(), patterns), strict=True))
    if isinstance(made, tuple):
        return tuple(map(one, made, patterns))
    return one(made, patterns[0])


def patterns_of(exprs: Any) -> tuple[Pattern | None, ...]:
    """Return the pattern of each result that is a sparse matrix, None for the others."""
    parts = (
        tuple(exprs.values()) if isinstance(exprs, dict)
        else exprs if isinstance(exprs, tuple) else (exprs,)
    )  # fmt: skip
    return tuple(part.pattern if isinstance(part, SparseTerms) else None for part in parts)


def _grouped(exprs: Any, store: Store) -> tuple[list[Result], Any]:
    if isinstance(exprs, dict):
        items = list(exprs.items())
        results = [_result(str(key), value, store) for key, value in items]
        return results, lambda terms: dict(_regroup([k for k, _ in items], results, terms))
    if isinstance(exprs, tuple):
        results = [_result(f"out{k}", value, store) for k, value in enumerate(exprs)]
        return results, lambda terms: tuple(v for _, v in _regroup(exprs, results, terms))
    result = _result("out", exprs, store)
    return [result], lambda terms: _shaped(result, terms)


def _store_of(exprs: Any) -> Store:
    if isinstance(exprs, (Term, TermArray)):
        return exprs.store
    if isinstance(exprs, SparseTerms):
        return exprs.terms.store
    parts = exprs.values() if isinstance(exprs, Mapping) else exprs
    if isinstance(parts, (list, tuple)) or isinstance(exprs, Mapping):
        for part in parts:
            found = _store_of(part)
            if found is not current_store():
                return found
    return current_store()


def _result(name: str, value: Any, store: Store) -> Result:
    if isinstance(value, SparseTerms):
        # of a matrix without entries a zero is computed, and left out of what is returned
        value = value.terms if value.nnz else Term(store, store.constant(0))
    if isinstance(value, TermArray):
        terms = value.terms()
        if value.store is not store:
            terms = [Term(store, node) for node in join_all(store, terms)]
        return Result(name, value.shape, tuple(terms))
    if isinstance(value, (list, np.ndarray)):
        array = asarray(value, store)
        return Result(name, array.shape, tuple(array.terms()))
    return Result(name, (), (lift(value, store),))


def _shaped(result: Result, terms: Sequence[Term]) -> Any:
    if not result.shape:
        return terms[0]
    ids = np.array([t.id for t in terms], np.int32).reshape(result.shape)
    return TermArray(terms[0].store, ids)


def _regroup(keys: Any, results: Sequence[Result], terms: Sequence[Term]) -> list[tuple[Any, Any]]:
    pairs, at = [], 0
    for key, result in zip(keys, results, strict=True):
        pairs.append((key, _shaped(result, terms[at : at + len(result.terms)])))
        at += len(result.terms)
    return pairs


def replaced(results: Sequence[Result], terms: Sequence[Term]) -> list[Result]:
    """Return the results with other terms, in the same order."""
    made, at = [], 0
    for result in results:
        count = len(result.terms)
        made.append(Result(result.name, result.shape, tuple(terms[at : at + count])))
        at += count
    return made


def check_symbols(parameters: Sequence[Parameter], results: Sequence[Result]) -> Dag:
    """Refuse free symbols at once: searching first would only delay the message.

    Return the program that the results are.
    """
    dag = _numbers(list(chain.from_iterable([result.terms for result in results])))
    known = {symbol.name: symbol for symbol in _given(parameters)}
    for symbol in _symbols(dag):
        if known.get(symbol.name) is symbol:
            continue
        if symbol.name not in known:
            raise ArgumentError(
                f"the expression has the free symbol {symbol.name!r}, which is not among the "
                f"arguments ({', '.join(sorted(known)) or 'none'}); add it or substitute a value"
            )
        check_names([known[symbol.name], symbol])
    return dag


def symbols_of(terms: Sequence[Term]) -> list[Symbol]:
    """Return the symbols below some terms, which must be made of numbers."""
    return _symbols(_numbers(terms))


def _numbers(terms: Sequence[Term]) -> Dag:
    dag = Dag.of(terms[0].store, [t.id for t in terms])
    require_numbers(dag, "the compiler")
    return dag


def _symbols(dag: Dag) -> list[Symbol]:
    return [value for value in dag.value if isinstance(value, Symbol)]


def check_names(symbols: Iterable[Symbol]) -> None:
    """Refuse two symbols of one name: a value given by name would be taken for both."""
    known: dict[str, Symbol] = {}
    for symbol in symbols:
        first = known.setdefault(symbol.name, symbol)
        if first is not symbol and first != symbol:
            raise ArgumentError(
                f"{_written(first)} and {_written(symbol)} are two symbols of one name; make the "
                "symbol once, or give them two names"
            )


def _written(symbol: Symbol) -> str:
    """Write the call that makes a symbol."""
    entries = (("low", symbol.low), ("high", symbol.high), ("dtype", symbol.dtype))
    options = "".join(f", {name}={value!r}" for name, value in entries if value is not None)
    return f"symbol({symbol.name!r}{options})"
