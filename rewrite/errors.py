"""Every error that a user's mistake can raise: each names the place and what to do about it."""

import functools
from typing import Any

__all__ = [
    "AccuracyError",
    "ArgumentError",
    "ArgumentTypeError",
    "CompilationError",
    "DomainError",
    "ExplanationError",
    "MatchingWarning",
    "MissingLibrary",
    "NumbersError",
    "ParseError",
    "PatternError",
    "PlaceError",
    "RewriteError",
    "ShapeError",
    "SortError",
    "StrategyError",
    "TargetError",
    "TraceError",
    "UnsupportedOp",
]


class RewriteError(Exception):
    """Root of all errors of this library."""


class SortError(RewriteError, TypeError):
    """An op was given a term or value of a sort that it does not take."""


class UnsupportedOp(RewriteError, TypeError):
    """An op, function or value that the engine does not have."""


class DomainError(RewriteError, ValueError):
    """The bounds of a symbol are empty or not finite numbers."""


class ArgumentError(RewriteError, ValueError):
    """The arguments of a compilation do not fit its expressions, or those of a call its kernel."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of a call is no real number, or no truth value where one is taken."""


class PatternError(RewriteError, ValueError):
    """A rule or pattern that cannot be used."""


class StrategyError(RewriteError, TypeError):
    """A strategy that is malformed or yielded something that is not a term."""


class TargetError(RewriteError, ValueError):
    """A machine, instruction or dtype that a target does not have."""


class CompilationError(RewriteError, RuntimeError):
    """The machine code that a call needs could not be made; the cause says why."""


class TraceError(RewriteError, TypeError):
    """A traced Python function did what a trace cannot record."""


class ElementError(TraceError):
    """A function traced for one element at a time looks at several."""


class ShapeError(TraceError, ValueError):
    """Arrays of terms have shapes that do not fit."""


class PlaceError(TraceError, IndexError):
    """An index is outside of an array of terms."""


class NumbersError(TraceError):
    """Terms were to become numbers, or to be stored among them."""


class AccuracyError(RewriteError, ValueError):
    """An accuracy that was asked for cannot be met or measured."""


class ExplanationError(RewriteError, ValueError):
    """A step of an explanation does not hold."""


class MissingLibrary(RewriteError, ImportError):
    """A library that is optional was asked for something, and is not installed."""


class MatchingWarning(UserWarning):
    """A rule was given up at a term: matching it would have taken too long."""


class DerivativeWarning(UserWarning):
    """A derivative does not exist everywhere, and a convention was followed."""


class ParseError(RewriteError, SyntaxError):
    """Text that is not a formula, with the place of the mistake.

    ``str(error)`` shows the line and a caret under the column, and where it is in which file.
    """

    def __init__(
        self, message: str, source: str, column: int, width: int = 1, *,
        filename: str = "<formula>", lineno: int = 1,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.filename: str
        self.lineno: int
        self.message, self.source, self.column, self.width = message, source, column, width
        start = max(0, column - 60)
        self._shown = source[start : start + 100].replace("\n", " ").replace("\t", " ")
        self._at = column - start
        # where Python itself shows the error
        self.filename, self.lineno, self.text = filename, lineno, self._shown
        self.offset, self.end_offset = self._at + 1, self._at + 1 + width

    def __reduce__(self) -> Any:
        """Pickle what it was made of."""
        made = functools.partial(type(self), filename=self.filename, lineno=self.lineno)
        return made, (self.message, self.source, self.column, self.width)

    def __str__(self) -> str:
        """Show the message, the source near the mistake, and a caret under the place."""
        caret = " " * self._at + "^" * max(1, min(self.width, 40))
        place = "" if self.filename == "<formula>" else f"{self.filename}, line {self.lineno}: "
        return f"{place}{self.message}\n  {self._shown}\n  {caret}"
