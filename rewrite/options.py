"""Options that hold for a while: `with rw.options(math="fast"):`, and from the environment.

What a call says by keyword comes first, then the innermost `with` block, then the environment
variable `REWRITE_` and the option's name, then what the function's signature says.
"""

import contextlib
import contextvars
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from rewrite.egraph.limits import Limits
from rewrite.errors import ArgumentError
from rewrite.fastmath import licence

__all__ = ["OPTIONS", "Option", "configured", "in_force", "options", "settled"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option: what it is without a word, how it is read from text, and what is refused."""

    default: Any
    meaning: str
    read: Callable[[str], Any] = str
    check: Callable[[Any], object] = bool


def _count(least: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ArgumentError(f"it is a whole number of at least {least}")

    return check


def _truth(text: str) -> bool:
    known = {"1": True, "on": True, "true": True, "yes": True}
    known |= {"0": False, "off": False, "false": False, "no": False}
    if text.lower() not in known:
        raise ArgumentError("it is 1 or 0")
    return known[text.lower()]


def _limits(text: str) -> Limits:
    """Read "nodes=2000,seconds=1"."""
    pairs = [part.partition("=") for part in text.split(",")]
    try:
        given: dict[str, Any] = {
            name.strip(): float(value) if name.strip() == "seconds" else int(value)
            for name, _, value in pairs
        }
        return Limits(**given)
    except (TypeError, ValueError):
        raise ArgumentError("write it as nodes=2000,seconds=1") from None


def _bounds(value: Any) -> None:
    if value is not None and not isinstance(value, Limits):
        raise ArgumentError("it is rw.Limits(iterations=, nodes=, seconds=)")


# fmt: off
OPTIONS: Final[Mapping[str, Option]] = MappingProxyType({
    "math":     Option("guarded", "how much rounding may change", check=licence),
    "target":   Option("native", "the machine that code is made for"),
    "cost":     Option(None, "the cost model, or its name"),
    "strategy": Option(None, "the plan, or its name"),
    "limits":   Option(None, "bounds of each search", _limits, _bounds),
    "parallel": Option(1, "threads for large arrays", int, _count(1)),
    "autotune": Option(0, "forms that are timed", int, _count(0)),
    "progress": Option(None, "whether long work shows a bar", _truth),
})
"""By the name of the keyword."""
# fmt: on
_SHOWN: Final = ("progress",)
"""Options of a search that compiled functions do not keep."""
_ACTIVE: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("rewrite_options")


def _checked(name: str, value: Any, source: str) -> Any:
    try:
        OPTIONS[name].check(value)
    except (ArgumentError, TypeError) as error:
        told = str(error)  # of what is checked elsewhere it names the value already
        raise ArgumentError(told if told.startswith(source) else f"{source}: {told}") from None
    return value


def _from_environment(name: str) -> Any:
    variable = f"REWRITE_{name.upper()}"
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    source = f"the environment variable {variable}={text!r}"
    try:
        value = OPTIONS[name].read(text)
    except ValueError as error:
        raise ArgumentError(f"{source}: {error}") from None
    return _checked(name, value, source)


def _given(name: str) -> tuple[Any, ...]:
    """Return the value that a block or the environment gives an option, nothing if neither does."""
    active = _ACTIVE.get(None)
    if active is not None and name in active:
        return (active[name],)
    found = _from_environment(name)
    return () if found is None else (found,)


def in_force() -> dict[str, Any]:
    """Return the value of each option here, where no keyword says otherwise.

    >>> in_force()["math"]
    'guarded'
    """
    return {name: (*_given(name), row.default)[0] for name, row in OPTIONS.items()}


def settled(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of a compiled function, completed by those in force where it is made."""
    here = {name: value for name, value in in_force().items() if name not in _SHOWN}
    return {**here, **given}


@contextlib.contextmanager
def options(**given: Any) -> Iterator[dict[str, Any]]:
    """Set options of everything optimised and compiled inside the block.

    The names are keywords of `rw.optimize` and `rw.compile`: math, target, cost, strategy, limits,
    parallel, autotune, progress. A keyword of a call comes first, then the innermost block, then
    the environment (`REWRITE_MATH=fast`). A block holds for its own thread and asyncio task; a
    function that was decorated in it (`rw.jit`) keeps its options. It is a decorator too.

    Raise `ArgumentError` for a name that there is not, and for a value that it cannot have.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> with rw.options(math="strict"):
    ...     rw.optimize(x + x - x).terms
    x + x - x
    """
    for name in given:
        if name not in OPTIONS:
            raise ArgumentError(f"there is no option {name!r}; options: {', '.join(OPTIONS)}")
    checked = {name: _checked(name, value, f"{name}={value!r}") for name, value in given.items()}
    token = _ACTIVE.set(MappingProxyType({**_ACTIVE.get({}), **checked}))
    try:
        yield in_force()
    finally:
        _ACTIVE.reset(token)


def configured[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Give a function's keywords that a call leaves out the values of the options in force."""
    names = tuple(name for name in OPTIONS if name in (function.__kwdefaults__ or {}))

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in names:
            if name not in kwargs and (found := _given(name)):
                kwargs[name] = found[0]
        return function(*args, **kwargs)

    return called
