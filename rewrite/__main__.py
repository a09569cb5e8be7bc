"""The command line: `python -m rewrite "a*x + a*y"` shows what becomes of a formula."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

import rewrite as rw
from rewrite.errors import RewriteError
from rewrite.io.parse import parse
from rewrite.term import Term

__all__ = ["main"]

_STAGES = ("program", "llvm", "asm")


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m rewrite",
        description="Optimise formulas and show the cheapest form, its cost, and the laws used.",
        epilog="Put -- before a formula that begins with a minus sign. What no option says is "
        "taken from REWRITE_MATH, REWRITE_TARGET and REWRITE_COST.",
    )
    add = parser.add_argument
    add("formula", nargs="+", help='such as "a*x + a*y"; several share their subterms')
    add("--math", choices=("strict", "guarded", "fast"), help="how much rounding may change")
    add("--target", help="the machine (default: this one)")
    add("--dtype", choices=("f64", "f32"), default="f64", help="the float type of the code")
    add("--cost", help="another cost model, such as gowda2021")
    add(
        "--domain",
        action="append",
        default=[],
        metavar="X=LOW:HIGH",
        help="where x lies; either bound may be left out",
    )
    add("--latex", action="store_true", help="write terms as LaTeX")
    add("--sexpr", action="store_true", help="write terms as s-expressions")
    for stage in _STAGES:
        add(f"--{stage}", action="store_true", help=f"also show the {stage} of the kernel")
    add("--version", action="version", version=f"rewrite {rw.__version__}")
    return parser


def domains(given: Sequence[str]) -> dict[str, Term]:
    """Read what --domain says."""
    found = {}
    for text in given:
        name, equals, bounds = text.partition("=")
        low, colon, high = bounds.partition(":")
        try:
            if not (equals and colon):
                raise ValueError
            limits = [float(bound) if bound.strip() else None for bound in (low, high)]
        except ValueError:
            raise rw.errors.DomainError(f"--domain {text}: write it as x=0:1") from None
        found[name.strip()] = rw.symbol(name.strip(), low=limits[0], high=limits[1])
    return found


def show(options: argparse.Namespace) -> None:
    """Print the stages that were asked for."""
    symbols = domains(options.domain)
    terms = [parse(formula, symbols) for formula in options.formula]
    used = {t.symbol.name for term in terms for t in term.free_symbols if t.symbol}
    for name in symbols:
        if name not in used:
            raise rw.errors.DomainError(f"--domain {name}: no formula has such a symbol")
    chosen = {"target": options.target, "math": options.math, "cost": options.cost}
    common = {name: value for name, value in chosen.items() if value is not None}  # else rw.options
    best = rw.optimize(terms, dtype=options.dtype, **common)
    for term in best.terms:
        print(term.latex() if options.latex else term.sexpr() if options.sexpr else term)
    model = best.model
    print(f"cost: {best.cost_before:.4g} -> {best.cost_after:.4g} {model.unit} ({model.name})")
    print(best.explain())
    stages = [stage for stage in _STAGES if getattr(options, stage)]
    if stages:
        kernel = compiled(terms, options, common)
        for stage in stages:
            print(f"\n=== {stage} ===\n{getattr(kernel, stage)}")


def compiled(terms: list[Term], options: argparse.Namespace, common: dict[str, Any]) -> Any:
    """Compile the formulas as one kernel of all their symbols, by name."""
    free = {symbol: None for term in terms for symbol in term.free_symbols}
    args = sorted(free, key=str)
    exprs: Any = terms[0] if len(terms) == 1 else {f"r{k}": t for k, t in enumerate(terms)}
    return rw.compile(args, exprs, dtype=options.dtype, **common)


def main(argv: Sequence[str] | None = None) -> int:
    """Run; return 2 for input that cannot be used."""
    options = arguments().parse_args(argv)
    try:
        show(options)
        sys.stdout.flush()
    except RewriteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
