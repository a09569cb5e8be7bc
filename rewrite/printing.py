"""Writing terms as infix text, s-expressions and LaTeX, in bounded length and without recursion.

A term is a DAG; written out it can be exponentially longer. Each writer works off an explicit
stack and stops at its limit with an ellipsis.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final

from rewrite import ops
from rewrite.constants import Constant, Named
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["displayed", "infix", "latex", "latex_matrix", "sexpr", "words"]

ELLIPSIS: Final = "…"
type Item = str | tuple[int, int]
"""Text to write, or a node with the binding power that it needs to go without parentheses."""
type Expand = Callable[[Store, int, int], list[Item]]


def _write(term: Term, limit: int, expand: Expand) -> str:
    parts: list[str] = []
    length = 0
    stack: list[Item] = [(term.id, 0)]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            stack.extend(reversed(expand(term.store, *item)))
            continue
        length += len(item)
        if length > limit:
            parts.append(ELLIPSIS)
            break
        parts.append(item)
    return "".join(parts)


def _leaf(store: Store, node: int) -> Symbol | Constant | None:
    code = store.code(node)
    if code == ops.CONST.code:
        return store.constants[store.payload(node)]
    if code in (ops.SYMBOL.code, ops.PVAR.code):
        return store.symbols[store.payload(node)]
    return None


MOST_BITS: Final = 4096
"""Longer exact numbers are described: Python refuses to write some of them in decimal digits."""


def number(value: Constant) -> str:
    """Write a constant so that it reads back as the same value, or say how long it is.

    >>> number(-(10**5000))
    '<negative integer of 16610 bits>'
    """
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Fraction):
        return _described(value) or f"{value.numerator}/{value.denominator}"
    if isinstance(value, int):
        return _described(value) or str(value)
    return value.name if isinstance(value, Named) else repr(value)


def _described(value: int | Fraction) -> str:
    above, below = value.numerator.bit_length(), value.denominator.bit_length()
    if max(above, below) <= MOST_BITS:
        return ""
    sign = "negative " if value < 0 else ""
    kind, size = ("integer", f"{above}") if below == 1 else ("fraction", f"{above}/{below}")
    return f"<{sign}{kind} of {size} bits>"


def _number_power(value: Constant) -> int:
    """Return how tightly a written constant binds."""
    if isinstance(value, Fraction):
        return ops.PREFIX if _described(value) else ops.DIV.power
    if isinstance(value, float):
        return ops.NEG.power if repr(value).startswith("-") else ops.PREFIX
    if isinstance(value, int) and value < 0 and not _described(value):
        return ops.NEG.power
    return ops.PREFIX


def _is_literal(store: Store, node: int) -> bool:
    value = _leaf(store, node)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _enclose(items: list[Item], power: int, needed: int) -> list[Item]:
    return ["(", *items, ")"] if power < needed else items


def _name(leaf: Symbol, row: ops.Op) -> str:
    return f"?{leaf.name}{'...' * leaf.many}" if row is ops.PVAR else leaf.name


def _infix(store: Store, node: int, needed: int) -> list[Item]:
    leaf = _leaf(store, node)
    row = ops.OPS[store.code(node)]
    if isinstance(leaf, Symbol):
        return [_name(leaf, row)]
    if leaf is not None:
        return _enclose([number(leaf)], _number_power(leaf), needed)
    children = store.children(node)
    if not row.infix:
        items: list[Item] = [row.name, "("]
        for place, child in enumerate(children):
            items += [", ", (child, 0)] if place else [(child, 0)]
        return [*items, ")"]
    if len(children) == 1:
        inner = children[0]
        # -2 reads back as the constant, so the negation of the constant 2 is -(2)
        below = ops.PREFIX + 1 if row is ops.NEG and _is_literal(store, inner) else row.power
        return _enclose([row.infix, (inner, below)], row.power, needed)
    tight = row in (ops.MUL, ops.DIV, ops.POW)
    between = row.infix if tight else f" {row.infix} "
    right_first = row is ops.POW or (row.makes == "b" and row.takes != "b")
    items = [(children[0], row.power + right_first)]
    for child in children[1:]:
        items += [between, (child, row.power + (row is not ops.POW))]
    return _enclose(items, row.power, needed)


def _sexpr(store: Store, node: int, needed: int) -> list[Item]:
    leaf = _leaf(store, node)
    row = ops.OPS[store.code(node)]
    if isinstance(leaf, Symbol):
        return [_name(leaf, row)]
    if leaf is not None:
        return [number(leaf)]
    items: list[Item] = ["(", row.name]
    for child in store.children(node):
        items += [" ", (child, 0)]
    return [*items, ")"]


_GREEK: Final = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)


_FRACTION: Final = ops.NEG.power
"""Written fractions need no parentheses in products and sums, only as the base of a power."""


_SPECIAL: Final = {
    **{letter: f"\\{letter}" for letter in "#$%&{}"},
    "~": "\\sim{}", "^": "\\hat{}", "\\": "\\backslash{}", "<": "\\lt{}", ">": "\\gt{}",
}  # fmt: skip
"""Letters of names that mean something else in LaTeX, or to a page around it."""


def _latex_word(word: str) -> str:
    """Write a part of a name: a Greek letter, or what it says."""
    return "\\" + word if word in _GREEK else "".join([_SPECIAL.get(c, c) for c in word])


def _latex_name(name: str) -> str:
    head, *rest = name.rstrip("_").split("_")
    digits = head.rstrip("0123456789")
    if digits and digits != head:
        head, rest = digits, [head[len(digits) :], *rest]
    shown = _latex_word(head)
    shown = shown if head in _GREEK or len(head) <= 1 else f"\\mathrm{{{shown}}}"
    below = ",".join(_latex_word(part) for part in rest if part)
    return f"{shown}_{{{below}}}" if below else shown


def _latex_leaf(leaf: Symbol | Constant) -> str:
    if isinstance(leaf, Symbol):
        return _latex_name(leaf.name)
    if isinstance(leaf, Named):
        return "\\pi" if leaf.name == "pi" else leaf.name
    if isinstance(leaf, (int, Fraction)) and (words := _described(leaf)):
        return f"\\langle\\text{{{words[1:-1]}}}\\rangle"
    if isinstance(leaf, Fraction):
        sign = "-" if leaf < 0 else ""
        return f"{sign}\\frac{{{abs(leaf.numerator)}}}{{{leaf.denominator}}}"
    text = number(leaf).replace("inf", "\\infty")
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if mark and exponent else text


def _latex_call(row: ops.Op, children: tuple[int, ...]) -> list[Item]:
    if row.latex:
        before, _, after = row.latex.partition("%s")
        return [before, (children[0], 0), after]
    items: list[Item] = [f"\\operatorname{{{row.name}}}\\left("]
    for place, child in enumerate(children):
        items += [", ", (child, 0)] if place else [(child, 0)]
    return [*items, "\\right)"]


def _latex(store: Store, node: int, needed: int) -> list[Item]:
    leaf = _leaf(store, node)
    row = ops.OPS[store.code(node)]
    if leaf is not None:
        power = ops.PREFIX if isinstance(leaf, Symbol) else _number_power(leaf)
        power = _FRACTION if isinstance(leaf, Fraction) and not _described(leaf) else power
        return _latex_enclose([_latex_leaf(leaf)], power, needed)
    children = store.children(node)
    if row is ops.DIV:
        fraction: list[Item] = ["\\frac{", (children[0], 0), "}{", (children[1], 0), "}"]
        return _latex_enclose(fraction, _FRACTION, needed)
    if row is ops.POW:
        base: list[Item] = [(children[0], row.power + 1), "^{", (children[1], 0), "}"]
        return _latex_enclose(base, row.power, needed)
    if not row.infix:
        raised = "^" in row.latex  # a power of a power needs parentheses
        power = ops.POW.power if raised else ops.PREFIX
        return _latex_enclose(_latex_call(row, children), power, needed)
    mark = row.latex or row.infix
    if len(children) == 1:
        return _latex_enclose([f"{mark} ", (children[0], row.power)], row.power, needed)
    between = " \\cdot " if row is ops.MUL else f" {mark} "
    items: list[Item] = [(children[0], row.power)]
    for child in children[1:]:
        taken = _without_sign(store, child) if row is ops.ADD else None
        items += [between, (child, row.power + 1)] if taken is None else [" - ", *taken]
    return _latex_enclose(items, row.power, needed)


def _without_sign(store: Store, node: int) -> list[Item] | None:
    """Return what is subtracted where a term is added that begins with a minus."""
    row, children = ops.OPS[store.code(node)], store.children(node)
    if row is ops.NEG:
        return [(children[0], ops.SUB.power + 1)]
    head, *rest = children if row is ops.MUL else (node,)
    value = store.value(head)
    if not isinstance(value, (int, float, Fraction)) or isinstance(value, bool) or not value < 0:
        return None
    return [_latex_leaf(-value), *(item for child in rest for item in
            (" \\cdot ", (child, ops.MUL.power + 1)))]  # fmt: skip


def _latex_enclose(items: list[Item], power: int, needed: int) -> list[Item]:
    return ["\\left(", *items, "\\right)"] if power < needed else items


def infix(term: Term, limit: int = 2000) -> str:
    """Write in Python syntax, at most about `limit` characters.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> print(infix(-(x - y) ** 2 / rw.sin(x)))
    -(x - y)**2/sin(x)
    """
    return _write(term, limit, _infix)


def sexpr(term: Term, limit: int = 4000) -> str:
    """Write as an s-expression of op names.

    >>> import rewrite as rw
    >>> print(sexpr(rw.symbol("x") + 1))
    (add x 1)
    """
    return _write(term, limit, _sexpr)


def latex(term: Term, limit: int = 4000) -> str:
    """Write as LaTeX, without dollar signs.

    >>> import rewrite as rw
    >>> print(latex(rw.sqrt(rw.symbol("x_0"))))
    \\sqrt{x_{0}}
    """
    return _write(term, limit, _latex)


_MARKS: Final = {
    **{letter: f"\\{letter}" for letter in "#$%&{}_"},
    "\\": "\\textbackslash{}", "^": "\\^{}", "~": "\\~{}", "<": "\u2039", ">": "\u203a",
}  # fmt: skip


def words(text: str, font: str = "text") -> str:
    r"""Write plain words inside of LaTeX.

    >>> print(words("50 % of a_b"))
    \text{50 \% of a\_b}
    """
    return f"\\{font}{{{''.join([_MARKS.get(letter, letter) for letter in text])}}}"


def displayed(text: str) -> str | None:
    """Return LaTeX as a notebook takes it; None for a text that was cut, as braces are missing."""
    return None if ELLIPSIS in text else f"$\\displaystyle {text}$"


def latex_matrix(rows: Sequence[Sequence[Term]], limit: int = 4000) -> str:
    r"""Write rows of terms as a LaTeX matrix.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> print(latex_matrix([[x, y + 1]]))
    \begin{bmatrix}x & y + 1\end{bmatrix}
    """
    lines = []
    for row in rows:
        cells = [latex(term, limit) for term in row]
        limit = max(0, limit - sum(map(len, cells)))
        lines.append(" & ".join(cells))
    return f"\\begin{{bmatrix}}{' \\\\ '.join(lines)}\\end{{bmatrix}}"
