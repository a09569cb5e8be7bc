"""Reading SymPy expressions, without simplifying, and without recursion.

SymPy has no subtraction, division or square root; where a sum, product or power is one of those,
the term says so, as SymPy's own printers do.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import sympy as sp
from sympy.codegen import cfunctions
from sympy.core.function import AppliedUndef

from rewrite import ops
from rewrite.array import TermArray, asarray
from rewrite.constants import PI, Constant, E
from rewrite.errors import UnsupportedOp
from rewrite.io.sympy_forms import EXPLICIT, FORMS, LOGIC, element, explicit, terms_of_sum
from rewrite.leaves import symbol
from rewrite.sorts import MATRIX
from rewrite.store import Store
from rewrite.term import Term, const, current_store, join

__all__ = ["CLASSES", "NAMES", "Reader", "below", "from_sympy", "like", "negative"]

CLASSES: Final[dict[str, Any]] = {
    "exp": sp.exp, "log": sp.log, "sin": sp.sin, "cos": sp.cos, "tan": sp.tan,
    "asin": sp.asin, "acos": sp.acos, "atan": sp.atan, "atan2": sp.atan2,
    "sinh": sp.sinh, "cosh": sp.cosh, "tanh": sp.tanh,
    "asinh": sp.asinh, "acosh": sp.acosh, "atanh": sp.atanh,
    "erf": sp.erf, "erfc": sp.erfc, "abs": sp.Abs, "sign": sp.sign,
    "floor": sp.floor, "ceil": sp.ceiling, "minimum": sp.Min, "maximum": sp.Max,
    "exp2": cfunctions.exp2, "expm1": cfunctions.expm1, "log2": cfunctions.log2,
    "log10": cfunctions.log10, "log1p": cfunctions.log1p, "fma": cfunctions.fma,
    "cbrt": cfunctions.Cbrt, "hypot": cfunctions.hypot,
    "lt": sp.StrictLessThan, "le": sp.LessThan, "gt": sp.StrictGreaterThan,
    "ge": sp.GreaterThan, "eq": sp.Equality, "ne": sp.Unequality,
    "and": sp.And, "or": sp.Or, "not": sp.Not,
}  # fmt: skip
"""Op -> the class of SymPy with the same meaning."""
_ONE_WAY: Final = {sp.Add: "add", sp.Mul: "mul", sp.Pow: "pow", cfunctions.Sqrt: "sqrt",
                   sp.ITE: "where", sp.MatAdd: "add", sp.MatMul: "mul", sp.MatPow: "pow",
                   sp.Inverse: "pow"}  # fmt: skip
NAMES: Final[dict[Any, str]] = {**{cls: name for name, cls in CLASSES.items()}, **_ONE_WAY}
_LOGIC: Final = LOGIC | {sp.And, sp.Or, sp.Not, sp.ITE}
_LARGEST: Final = 20_000
"""The size in bits of the numbers of a fraction that a Float of many digits may become."""

type Plan = tuple[Sequence[Any], Callable[["Reader", list[int]], int]]
"""Which expressions are needed first, and what makes the node of their nodes."""


def from_sympy(
    expr: Any, *, functions: Mapping[str, Callable[..., Any]] | None = None,
    symbols: Mapping[Any, Term] | None = None,
) -> Any:  # fmt: skip
    """Return the term of a SymPy expression, or the `TermArray` of a matrix or array.

    Lists, tuples and dictionaries keep their form; what `sympy.cse` returns becomes the list of
    its terms, which share what was taken out. Assumptions become domains: positive and nonnegative
    low=0, negative and nonpositive high=0, integer dtype int64. Symbols that do not commute and
    `MatrixSymbol`s become matrices; their elements, and those of an `IndexedBase`, are symbols
    such as a_0_1. Sums and products over fixed ranges are written out. Functions of complex
    numbers are what they are on real ones: re(x) is x.

    `functions` says by SymPy's name what makes the term of the terms of the arguments; `symbols`
    which terms stand for symbols, or for any other parts.

    Raise `UnsupportedOp` that names what terms do not have.

    >>> import sympy
    >>> x, y = sympy.symbols("x y")
    >>> from_sympy(sympy.sqrt(x) - y / x)
    sqrt(x) - y/x
    >>> from_sympy(sympy.Sum(x**y, (y, 1, 3)))
    x + x**2 + x**3
    """
    return Reader(current_store(), functions or {}, symbols or {}).convert(expr)


def like(structure: Any, parts: Iterable[Any]) -> Any:
    """Return parts as a list, a tuple, or a named tuple, as a structure is one."""
    if isinstance(structure, list):
        return list(parts)
    made = tuple(parts)
    return type(structure)(*made) if hasattr(structure, "_fields") else made


def _no_elements(shape: tuple[int, ...]) -> TermArray:
    raise UnsupportedOp(f"a matrix of shape {shape} has no elements")


class Reader:
    """Convert the distinct objects of expressions, each once."""

    def __init__(
        self, store: Store, functions: Mapping[str, Any], symbols: Mapping[Any, Term], *,
        use_imps: bool = True,
    ) -> None:  # fmt: skip
        self.store, self.functions, self.use_imps = store, functions, use_imps
        self.renamed: dict[Any, str] = {}
        """Names of symbols that are no identifiers."""
        self.bound = {part: join(store, term).id for part, term in symbols.items()}
        self.bound_types = set(map(type, symbols))
        self.elements: dict[Any, dict[tuple[int, ...], Term]] = {}
        """The symbols of the elements of arrays that were met."""
        self.done: dict[int, int] = {}
        self.kept: list[Any] = []
        """What was read, so that the id of no object is used again."""
        self.names: dict[Any, Any] = {}
        self.truths: set[Any] = set()

    def convert(self, expr: Any) -> Any:
        """Return the term, array, or structure of terms of an expression or structure."""
        if _is_cse(expr):
            for symbol_, part in expr[0]:
                self.bound[symbol_] = self.convert(part).id
                self.bound_types.add(type(symbol_))
            return [self.convert(part) for part in expr[1]]
        if isinstance(expr, dict):
            return {key: self.convert(part) for key, part in expr.items()}
        if isinstance(expr, (list, tuple, sp.Tuple)):
            return like(expr, map(self.convert, expr))
        expr = explicit(expr)
        if isinstance(expr, (sp.MatrixBase, sp.NDimArray)):
            flat = expr.flat() if isinstance(expr, sp.MatrixBase) else sp.flatten(expr.tolist())
            parts = [self.convert(part) for part in flat]
            return asarray(parts).reshape(expr.shape) if parts else _no_elements(expr.shape)
        try:
            expr = sp.sympify(expr, strict=True)
        except sp.SympifyError:
            raise UnsupportedOp(f"{expr!r} is no SymPy expression") from None
        self.kept.append(expr)
        return Term(self.store, self.read(expr))

    def read(self, expr: Any) -> int:
        """Convert one expression on an explicit stack."""
        stack: list[tuple[Any, Plan | None]] = [(expr, None)]
        while stack:
            this, plan = stack.pop()
            if id(this) in self.done:
                continue
            if plan is None:
                plan = self.plan(this)
                self.kept.append(plan)
                stack.append((this, plan))
                stack.extend((part, None) for part in reversed(plan[0]))
            else:
                self.done[id(this)] = plan[1](self, [self.done[id(part)] for part in plan[0]])
        return self.done[id(expr)]

    def make(self, row: ops.Op, *nodes: int) -> int:
        """Build a node."""
        return self.store.make((row.code, *nodes))

    def chain(self, row: ops.Op, nodes: Sequence[int]) -> int:
        """Build an n-ary node, or binary ones where the op has two arguments."""
        if len(nodes) == 1:
            return nodes[0]
        if row.arity < 0:
            return self.make(row, *nodes)
        return functools.reduce(lambda a, b: self.make(row, a, b), nodes)

    def number(self, value: Constant) -> int:
        """Build a constant."""
        return self.store.constant(value)

    def plan(self, expr: Any) -> Plan:
        """Say how to convert one expression."""
        cls = type(expr)
        if (known := self.known(expr)) is not None:
            return known
        if cls in _SPECIAL:
            return _SPECIAL[cls](self, expr)
        if cls in _LOGIC:
            self.are_truths(expr.args)
        if cls in FORMS:
            return expr.args, lambda reader, nodes: reader.formed(FORMS[cls], nodes)
        name = expr.func.__name__ if isinstance(expr, AppliedUndef) else NAMES.get(cls)
        if name not in ops.BY_NAME:
            raise UnsupportedOp(f"SymPy's {_called(expr)} has no op here: {_short(expr)}")
        row = ops.BY_NAME[name]
        if row.arity in (-1, 2) and len(expr.args) >= 2:
            return expr.args, lambda reader, nodes: reader.chain(row, nodes)
        return expr.args, lambda reader, nodes: reader.make(row, *nodes)

    def known(self, expr: Any) -> Plan | None:
        """Say how to convert a leaf, or what the caller or an array gives a meaning."""
        cls = type(expr)
        # a hash of a deep expression would recurse
        if cls in self.bound_types and expr in self.bound:
            return (), lambda reader, _: reader.bound[expr]
        if (place := element(expr)) is not None:
            return (), lambda reader, _: reader.element(*place)
        if (function := self.defined(expr)) is not None:
            return self.own(expr, function)
        if cls in EXPLICIT:
            return (EXPLICIT[cls](expr),), lambda reader, nodes: nodes[0]
        if not expr.args or isinstance(expr, sp.MatrixSymbol):
            return (), lambda reader, _: reader.leaf(expr)
        return None

    def defined(self, expr: Any) -> Any:
        """Return the function or number that the caller gives for one of SymPy, or nothing."""
        if self.use_imps and hasattr(expr, "_imp_"):
            return expr._imp_
        if not self.functions or isinstance(expr, sp.Symbol):
            return None
        return self.functions.get(type(expr).__name__ if expr.args else str(expr))

    def own(self, expr: Any, function: Any) -> Plan:
        """Say how to convert what the caller defines: terms go through it as numbers would."""
        if not expr.args:
            return (), lambda reader, _: reader.formed(lambda: function, [])
        name = type(expr).__name__
        return expr.args, lambda reader, nodes: reader.formed(function, nodes, name)

    def formed(self, function: Callable[..., Any], nodes: Sequence[int], name: str = "") -> int:
        """Build what a function makes of terms."""
        try:
            made = function(*(Term(self.store, node) for node in nodes))
        except Exception as error:
            if not name:
                raise
            raise UnsupportedOp(
                f"the function {name!r} takes no terms, so that it cannot be compiled "
                f"({type(error).__name__}: {error}); write it with operators and functions of NumPy"
            ) from error
        return join(self.store, made if isinstance(made, Term) else const(made)).id

    def element(self, base: Any, place: tuple[int, ...]) -> int:
        """Build the symbol of an element of an array."""
        label = str(getattr(base, "label", base))
        name = "_".join([self.renamed.get(base, label), *map(str, place)])
        known = self.elements.setdefault(base, {})
        if place not in known:
            self.admit_name(name, base)
            known[place] = symbol(name)
        return join(self.store, known[place]).id

    def are_truths(self, conditions: Sequence[Any]) -> None:
        """Note that symbols stand for truth values."""
        self.truths.update(part for part in conditions if isinstance(part, sp.Symbol))

    def admit(self, expr: Any) -> None:
        """Refuse symbols that would lose what makes them different."""
        if expr.is_commutative and expr.is_real is False:
            raise UnsupportedOp(
                f"the symbol {expr} is not real, and complex numbers are not supported; split it "
                "into its parts"
            )
        self.admit_name(str(expr) if not hasattr(expr, "dummy_index") else expr, expr)

    def admit_name(self, name: Any, expr: Any) -> None:
        """Refuse a second meaning of a name."""
        other = self.names.setdefault(name, expr)
        if other != expr:
            raise UnsupportedOp(
                f"two symbols are called {name}, with different assumptions "
                f"({_assumed(other)} and {_assumed(expr)}); rename one"
            )

    def over(self, above: list[int], below: list[int]) -> int:
        """Build a fraction of two products."""
        top = self.chain(ops.MUL, above) if above else self.number(1)
        return self.make(ops.DIV, top, self.chain(ops.MUL, below)) if below else top

    def power(self, base: int, exponent: Fraction) -> int:
        """Build a power with a known positive exponent."""
        if exponent == 1:
            return base
        if exponent == Fraction(1, 2):
            return self.make(ops.SQRT, base)
        whole = exponent.denominator == 1
        return self.make(ops.POW, base, self.number(int(exponent) if whole else exponent))

    def leaf(self, expr: Any) -> int:
        """Build the node of a symbol or number."""
        if isinstance(expr, sp.MatrixSymbol):
            self.admit(expr)
            return symbol(expr.name, sort=MATRIX).id
        if isinstance(expr, sp.Symbol):
            self.admit(expr)
            low = 0.0 if expr.is_nonnegative else None
            high = 0.0 if expr.is_nonpositive else None
            dtype = "int64" if expr.is_integer else None
            if expr in self.truths:
                low, high, dtype = None, None, "bool"
            name = f"{expr.name}_{expr.dummy_index}" if isinstance(expr, sp.Dummy) else expr.name
            name = self.renamed.get(expr, name)
            if not expr.is_commutative:
                return symbol(name, sort=MATRIX).id
            return symbol(name, low=low, high=high, dtype=dtype).id
        return self.number(_number(expr))


def _number(expr: Any) -> Constant:
    """Return the exact value of a number of SymPy's."""
    known: dict[Any, Constant] = {
        sp.pi: PI, sp.E: E, sp.oo: float("inf"), -sp.oo: -float("inf"), sp.nan: float("nan"),
        sp.true: True, sp.false: False,
    }  # fmt: skip
    if isinstance(expr, sp.NumberSymbol) and expr not in known:  # the golden ratio, ...
        return float(expr.evalf(30))
    if isinstance(expr, sp.Integer):
        return int(expr)
    if isinstance(expr, sp.Rational):
        return Fraction(int(expr.p), int(expr.q))
    if isinstance(expr, sp.Float):
        sign, mantissa, exponent, _ = expr._mpf_
        mantissa = -int(mantissa) if sign else int(mantissa)
        if abs(exponent) > _LARGEST:
            raise UnsupportedOp(f"the number {_short(expr)} is too large or small for a double")
        exact = Fraction(mantissa) * Fraction(2) ** int(exponent)
        try:
            return value if (value := float(exact)) == exact else exact
        except OverflowError:
            return exact
    if expr.has(sp.I):
        raise UnsupportedOp(
            f"SymPy's {_called(expr)} has no counterpart here: complex numbers are not supported; "
            "split it into its parts"
        )
    if expr not in known:
        raise UnsupportedOp(f"SymPy's {_called(expr)} has no counterpart here: {_short(expr)}")
    return known[expr]


def negative(expr: Any) -> Any:
    """Return y where an expression is -1*y."""
    if isinstance(expr, sp.Mul) and expr.args[0] is sp.S.NegativeOne and len(expr.args) > 1:
        rest = expr.args[1:]
        return rest[0] if len(rest) == 1 else sp.Mul(*rest, evaluate=False)
    return None


def _add(reader: Reader, expr: Any) -> Plan:
    bare = [negative(part) for part in expr.args]
    parts = [part if minus is None else minus for part, minus in zip(expr.args, bare, strict=True)]

    def build(reader: Reader, nodes: list[int]) -> int:
        if not any(minus is not None for minus in bare[1:]):
            first = nodes[0] if bare[0] is None else reader.make(ops.NEG, nodes[0])
            return reader.chain(ops.ADD, [first, *nodes[1:]])
        total = nodes[0] if bare[0] is None else reader.make(ops.NEG, nodes[0])
        for node, minus in zip(nodes[1:], bare[1:], strict=True):
            total = reader.make(ops.ADD if minus is None else ops.SUB, total, node)
        return total

    return parts, build


def _mul(reader: Reader, expr: Any) -> Plan:
    positive = negative(expr)
    if positive is not None:
        return (positive,), lambda reader, nodes: reader.make(ops.NEG, *nodes)
    powers = [below(part) for part in expr.args]
    parts = [part if p is None else part.base for part, p in zip(expr.args, powers, strict=True)]

    def build(reader: Reader, nodes: list[int]) -> int:
        pairs = list(zip(nodes, powers, strict=True))
        return reader.over(
            [node for node, power in pairs if power is None],
            [reader.power(node, power) for node, power in pairs if power is not None],
        )

    return parts, build


def below(expr: Any) -> Fraction | None:
    """Return the exponent of a factor that belongs under a fraction bar."""
    power = isinstance(expr, sp.Pow) and expr.is_commutative
    if power and isinstance(expr.exp, sp.Rational) and expr.exp < 0:
        return -Fraction(int(expr.exp.p), int(expr.exp.q))
    return None


def _pow(reader: Reader, expr: Any) -> Plan:
    under, exponent = below(expr), expr.exp
    if under is not None:
        return (expr.base,), lambda reader, nodes: reader.over([], [reader.power(nodes[0], under)])
    if exponent is sp.S.Half:
        return (expr.base,), lambda reader, nodes: reader.make(ops.SQRT, *nodes)
    return expr.args, lambda reader, nodes: reader.make(ops.POW, *nodes)


def _piecewise(reader: Reader, expr: Any) -> Plan:
    pairs = [(pair.expr, pair.cond) for pair in expr.args]
    reader.are_truths([condition for _, condition in pairs])
    last = next((k for k, (_, condition) in enumerate(pairs) if condition == sp.true), None)
    values = [value for value, _ in pairs[: None if last is None else last + 1]]
    conditions = [condition for _, condition in pairs[:last]]

    def build(reader: Reader, nodes: list[int]) -> int:
        result = reader.number(float("nan")) if last is None else nodes[len(values) - 1]
        for k in reversed(range(len(conditions))):
            result = reader.make(ops.WHERE, nodes[len(values) + k], nodes[k], result)
        return result

    return [*values, *conditions], build


def _written_out(reader: Reader, expr: Any) -> Plan:
    row, empty = (ops.ADD, 0) if isinstance(expr, sp.Sum) else (ops.MUL, 1)
    parts = terms_of_sum(expr)
    if not parts:
        return (), lambda reader, _: reader.number(empty)
    return parts, lambda reader, nodes: reader.chain(row, nodes)


def _is_cse(expr: Any) -> bool:
    """Tell whether it is what `sympy.cse` returns: symbols with their meanings, and expressions."""
    if not (isinstance(expr, tuple) and len(expr) == 2 and isinstance(expr[0], list)):
        return False
    pairs = (isinstance(each, tuple) and len(each) == 2 for each in expr[0])
    return isinstance(expr[1], list) and all(pairs)


def _mod(reader: Reader, expr: Any) -> Plan:
    def build(reader: Reader, nodes: list[int]) -> int:
        x, y = nodes
        whole = reader.make(ops.FLOOR, reader.make(ops.DIV, x, y))
        return reader.make(ops.SUB, x, reader.make(ops.MUL, y, whole))

    return expr.args, build


_SPECIAL: Final = {sp.Add: _add, sp.Mul: _mul, sp.Pow: _pow, sp.Piecewise: _piecewise,
                   sp.Mod: _mod, sp.Sum: _written_out, sp.Product: _written_out}  # fmt: skip


def _assumed(expr: Any) -> str:
    return str(getattr(expr, "assumptions0", f"a matrix of shape {getattr(expr, 'shape', '?')}"))


def _called(expr: Any) -> str:
    return getattr(expr.func, "__name__", None) or type(expr).__name__


def _short(expr: Any) -> str:
    """Write an expression, unless that may be long."""
    if sum(1 for _ in zip(range(60), sp.preorder_traversal(expr), strict=False)) >= 60:
        return f"{_called(expr)}(...)"
    text = str(expr)
    return text if len(text) <= 200 else text[:200] + "…"
