"""Formulas and models from outside: Python's syntax, SymPy, BioNetGen's networks, FPCore."""

import importlib
from typing import Any

__all__ = ["bionetgen", "fpcore", "parse", "sympy"]


def __getattr__(name: str) -> Any:
    """Load a reader on first use, so that `rw.io.bionetgen` needs no import."""
    if name in __all__:
        return importlib.import_module(f"rewrite.io.{name}")
    raise AttributeError(f"module 'rewrite.io' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
