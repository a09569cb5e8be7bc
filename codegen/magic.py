"""`%%rewrite`: a cell of formulas or a NumPy function, and what becomes of it.

`%load_ext rewrite` adds it to IPython and notebooks; `%%rewrite?` lists its options.
"""

import ast
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from codegen.compile import compile_kernel
from codegen.jit import Jitted
from codegen.look import optimized_html, shown_terms
from codegen.optimize import Optimized, optimize
from rewrite.display import Displayed, preformatted
from rewrite.egraph.explanation import Explanation
from rewrite.errors import ArgumentError
from rewrite.io.parse import parse
from rewrite.optional import needed
from rewrite.tables import clean
from rewrite.term import Term
from rewrite.tracing import Traced, trace

__all__ = ["Rewritten", "load_ipython_extension"]

STAGES: Final = ("program", "llvm", "asm")


@dataclass(frozen=True, repr=False)
class Rewritten(Displayed):
    """What the cell magic returns: terms before and after, their cost, and how it was done."""

    source: Any
    optimized: Optimized
    explanation: Explanation | None = None
    kernel: Any = None
    stages: tuple[str, ...] = ()

    def _parts(self) -> list[tuple[str, Any]]:
        parts: list[tuple[str, Any]] = []
        if self.explanation is not None:
            parts.append(("step by step", self.explanation))
        return parts + [(name, getattr(self.kernel, name)) for name in self.stages]

    def __str__(self) -> str:
        """Write all of it as text."""
        found = self.optimized
        lines = [shown_terms(self.source), "becomes", shown_terms(found.terms), str(found.table())]
        for title, part in self._parts():
            lines += [f"{title}:", str(part)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        source = preformatted(shown_terms(self.source))
        pages = [f"{source}<p>becomes</p>{optimized_html(self.optimized)}"]
        for title, part in self._parts():
            page = part._repr_html_()
            pages.append(f"<details open><summary>{clean(title)}</summary>{page}</details>")
        return "".join(pages)


def load_ipython_extension(shell: Any) -> None:
    """Add the cell magic `%%rewrite` to IPython; what `%load_ext rewrite` calls."""

    def magic(line: str, cell: str) -> Rewritten | None:
        return rewritten(shell, line, cell)

    magic.__doc__ = _parser().format_help()
    shell.register_magic_function(magic, "cell", "rewrite")


def _parser() -> Any:
    magics = needed("IPython.core.magic_arguments", "%%rewrite", "rewrite[notebook]")
    parser = magics.MagicArgumentParser(
        "%%rewrite",
        description="Optimise the formulas of a cell, a line each (y = a*x + b), or the NumPy "
        "function that it defines, and show cost and derivation.",
    )
    add = parser.add_argument
    add("--math", choices=("strict", "guarded", "fast"), help="how much rounding may change")
    add("--target", help="the machine (default: this one)")
    add("--cost", help="another cost model, such as gowda2021")
    add("--strategy", help="another plan: accurate, smallest, textbook")
    add("--domain", action="append", default=[], metavar="X=LOW:HIGH", help="where x lies")
    add("--no-explain", action="store_true", help="leave the derivation out")
    add("--kernel", metavar="NAME", help="compile it, and give the kernel that name")
    for stage in STAGES:
        add(f"--{stage}", action="store_true", help=f"show the {stage} of the kernel too")
    return parser


def rewritten(shell: Any, line: str, cell: str) -> Rewritten:
    """Do what a cell asks for."""
    given = _parser().parse_args(shlex.split(line))
    traced = _function(shell, cell) or _formulas(cell, shell.user_ns, given.domain)
    names = ("math", "target", "cost", "strategy")
    options = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    found = optimize(traced.result, **options)
    stages = tuple(stage for stage in STAGES if getattr(given, stage))
    kernel = None
    if stages or given.kernel:
        name = given.kernel or "kernel"
        kernel = compile_kernel(traced.args, traced.result, name=name, **options)
    if given.kernel:
        shell.push({given.kernel: kernel})
    derivation = None if given.no_explain else found.explain()
    return Rewritten(traced.result, found, derivation, kernel, stages)


def _function(shell: Any, cell: str) -> Traced | None:
    """Run a cell that defines a function, and trace the last one; None if it defines none."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:
        return None  # formulas may have ^ and other marks
    defined = [each.name for each in body if isinstance(each, ast.FunctionDef)]
    if not defined:
        return None
    shell.run_cell(cell, store_history=False).raise_error()
    function = shell.user_ns[defined[-1]]
    return trace(function.fn if isinstance(function, Jitted) else function)


def _formulas(cell: str, names: Mapping[str, Any], domains: list[str]) -> Traced:
    """Read a formula a line; symbols of the notebook are known by the names that it gives them."""
    from rewrite.__main__ import domains as read

    known = {name: term for name, term in names.items() if _is_symbol(name, term)}
    known |= read(domains)
    made: dict[str, Term] = {}
    for text in map(str.strip, cell.splitlines()):
        if not text or text.startswith("#"):
            continue
        name, equals, formula = text.partition("=")
        named = bool(equals) and name.strip().isidentifier() and not formula.startswith("=")
        key = name.strip() if named else f"r{len(made)}"
        made[key] = parse(formula if named else text, known)
    if not made:
        raise ArgumentError("the cell is empty: write a formula a line, or define a function")
    free = {symbol: None for term in made.values() for symbol in term.free_symbols}
    result: Any = made if len(made) > 1 else next(iter(made.values()))
    return Traced(tuple(sorted(free, key=str)), result)


def _is_symbol(name: str, value: Any) -> bool:
    return isinstance(value, Term) and value.symbol is not None and value.symbol.name == name
