"""Writing FPCore: what is used twice gets a name."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import PI, Constant, E
from rewrite.dag import Dag
from rewrite.errors import UnsupportedOp
from rewrite.io.fpcore.core import FPCore
from rewrite.io.fpcore.expressions import PRECISIONS
from rewrite.io.fpcore.numbers import number, written
from rewrite.io.fpcore.tables import CONSTANTS, OPERATORS, WRITTEN
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["write"]

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.*/<>=!?$%&@^~+-]*")
_RESERVED: Final = {*CONSTANTS, *OPERATORS, *"if let let* while while* for for* ! cast".split()}
_PRECISION: Final = {kind: word for word, kind in PRECISIONS.items() if kind is not None}
_SAID: Final = ("name", "pre", "spec", "precision")


def write(
    what: Term | FPCore | Sequence[Term | FPCore], *, name: str = "",
    dtype: npt.DTypeLike = np.float64,
) -> str:  # fmt: skip
    """Write terms or benchmarks as FPCore, one a line; `parse` reads the same terms back.

    Of a term the arguments are its symbols in alphabetical order, and their domains are written as
    the precondition. Names that FPCore does not allow are replaced by similar ones. `sign`, `rsqrt`
    and sums of many terms are spelt out in FPCore's operators.

    Raise `UnsupportedOp` for an op that FPCore does not have.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=0)
    >>> print(write(rw.sqrt(x + 1) - rw.sqrt(x), name="roots"))
    (FPCore (x) :name "roots" :precision binary64 :pre (<= 0.0 x) (- (sqrt (+ x 1)) (sqrt x)))
    """
    if isinstance(what, Term):
        what = FPCore(what.free_symbols, what, name=name, dtype=dtype)
    if isinstance(what, FPCore):
        return _core(what)
    return "\n".join(write(each, name=name, dtype=dtype) for each in what)


def _core(core: FPCore) -> str:
    names = _names(core)
    said = [f":precision {_PRECISION[np.dtype(core.dtype)]}"]
    if core.name:
        said.insert(0, f":name {_quoted(core.name)}")
    pre = _domains(core, names) if core.pre is None else _expression(core.pre, names)
    if pre:
        said.append(f":pre {pre}")
    if core.spec is not None:
        said.append(f":spec {_expression(core.spec, names)}")
    said += [f":{key} {_data(value)}" for key, value in core.properties.items() if key not in _SAID]
    arguments = " ".join(names[_symbol(arg)] for arg in core.args)
    head = f"FPCore {core.identifier} " if core.identifier else "FPCore "
    return f"({head}({arguments}) {' '.join(said)} {_expression(core.term, names)})"


def _symbol(term: Term) -> Symbol:
    found = term.symbol
    if found is None:
        raise UnsupportedOp(f"an argument is a symbol, not {term!r}")
    return found


def _names(core: FPCore) -> dict[Symbol, str]:
    """Return names that FPCore allows, each once."""
    parts = [part for part in (core.term, core.pre, core.spec) if part is not None]
    known = {_symbol(arg) for arg in core.args}
    for part in parts:
        for each in part.free_symbols:
            if _symbol(each) not in known:
                raise UnsupportedOp(f"{each!r} is no argument of this benchmark")
    found: dict[Symbol, str] = {}
    taken: set[str] = set()
    for symbol in sorted(known, key=lambda symbol: (not _plain(symbol.name), symbol.name)):
        plain = _plain(symbol.name)
        name = symbol.name if plain else re.sub(r"\W+", "_", f"v_{symbol.name}", flags=re.A)
        found[symbol] = _free(name, taken)
    return found


def _free(name: str, taken: set[str]) -> str:
    """Take a name that nobody has."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _plain(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name not in _RESERVED


def _domains(core: FPCore, names: dict[Symbol, str]) -> str:
    """Write the domains of the arguments as a condition."""
    parts = []
    for arg in core.args:
        each = _symbol(arg)
        ends = [None if end is None else _number(end) for end in (each.low, each.high)]
        chain = [end for end in (ends[0], names[each], ends[1]) if end is not None]
        if len(chain) > 1:
            parts.append(f"(<= {' '.join(chain)})")
    return parts[0] if len(parts) == 1 else f"(and {' '.join(parts)})" if parts else ""


def _expression(term: Term, names: dict[Symbol, str]) -> str:
    """Write a term; what several use is bound by let*."""
    dag = Dag.of(term.store, [term.id])
    rows = dag.rows()
    uses = Counter(arg for _, args in rows for arg in args)
    uses.update(arg for code, args in rows if code == ops.SIGN.code for arg in args)
    taken = {*names.values()}
    texts: list[str] = []
    bound: list[str] = []
    for at, ((code, args), value) in enumerate(zip(rows, dag.value, strict=True)):
        if isinstance(value, Symbol):
            texts.append(names[value])
            continue
        if value is not None:
            texts.append(_number(value))
            continue
        text = _call(ops.OPS[code], [texts[arg] for arg in args])
        if uses[at] > 1:
            name = _free(f"t{len(bound)}", taken)
            bound.append(f"[{name} {text}]")
            text = name
        texts.append(text)
    body = texts[dag.roots[0]]
    return f"(let* ({' '.join(bound)}) {body})" if bound else body


def _call(row: ops.Op, args: list[str]) -> str:
    if row is ops.SIGN:
        (x,) = args
        return f"(if (> {x} 0) 1 (if (< {x} 0) -1 {x}))"
    if row is ops.RSQRT:
        return f"(/ 1 (sqrt {args[0]}))"
    name = WRITTEN.get(row.name)
    if name is None:
        raise UnsupportedOp(f"FPCore has no operator for {row.name}")
    if row.arity >= 0 or row in (ops.AND, ops.OR):
        return f"({name} {' '.join(args)})"
    first, *rest = args  # from left to right: (+ (+ a b) c)
    return f"({name} " * len(rest) + first + "".join(f" {arg})" for arg in rest)


def _number(value: Constant) -> str:
    """Write a constant; negative zero is computed."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if value == PI or value == E:
        return "PI" if value == PI else "E"
    if isinstance(value, (int, Fraction)):
        return str(value)
    if not isinstance(value, float):
        raise UnsupportedOp(f"FPCore has no constant {value!r}")
    if math.isnan(value):
        return "NAN"
    if math.isinf(value):
        return "INFINITY" if value > 0 else "(- INFINITY)"
    return written(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _data(value: Any) -> str:
    """Write what a property says; nesting is that of the text that was read."""
    if isinstance(value, tuple):
        return f"({' '.join(_data(each) for each in value)})"
    text = str(value)
    return text if _NAME.fullmatch(text) or _is_number(text) else _quoted(text)


def _is_number(text: str) -> bool:
    try:
        return number(text) is not None
    except ValueError:
        return False
