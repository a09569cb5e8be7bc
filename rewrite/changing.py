"""Functions whose result changes from call to call: traced code would keep the first one for ever.

Clocks and generators of random numbers that are around a function are such. A generator that the
function makes with a seed draws the same numbers in each call, and is none.
"""

import random
import sys
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, NoReturn

from rewrite.errors import TraceError

__all__ = ["changing", "of_generator", "refuse", "standins"]

_CLOCKS: Final = (
    "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time "
    "process_time_ns thread_time thread_time_ns"
)
_LISTED: Final = {"time": _CLOCKS, "os": "urandom getrandom", "uuid": "uuid1 uuid4"}
_DRAWING: Final = ("random", "numpy.random", "secrets")
"""Modules whose functions draw from a generator, but for those that look after it."""
_KEEPING: Final = frozenset(
    "seed getstate setstate get_state set_state get_bit_generator set_bit_generator".split()
)
_SEEDED: Final = frozenset(
    "default_rng Random RandomState SeedSequence PCG64 PCG64DXSM MT19937 Philox SFC64".split()
)
"""What makes a generator, that draws the same numbers where it is given a seed."""


def changing(fn: Callable[..., Any]) -> str | None:
    """Return the name of a function whose result changes from call to call, None for others."""
    found = _functions().get(id(fn))
    if found is not None:
        return found
    owner = getattr(fn, "__self__", None)
    return f"{type(owner).__name__}.{_name(fn)}" if _is_generator(owner) else None


def refuse(name: str, remedy: str = "pass that as an argument") -> NoReturn:
    """Say why a function that changes is not called."""
    raise TraceError(
        f"{name}() gives something else in each call, but what is compiled keeps what it gave when "
        f"it was traced: {remedy}"
    )


def standins() -> dict[int, Any]:
    """Return by `id` what stands in for such functions while a function is traced."""
    return _standins(*_loaded())


def of_generator(value: Any) -> Any:
    """Return what stands in for a generator around a traced function, and anything else as is."""
    return _Generator(value) if _is_generator(value) else value


def _loaded() -> tuple[str, ...]:
    return tuple(name for name in (*_LISTED, *_DRAWING) if name in sys.modules)


def _functions() -> dict[int, str]:
    return _named(*_loaded())


@cache
def _named(*modules: str) -> dict[int, str]:
    """Return the functions that change, by `id`."""
    return {id(fn): f"{module}.{name}" for module in modules for name, fn in _changing_of(module)}


def _changing_of(module: str) -> Iterator[tuple[str, Any]]:
    """Walk the functions of a module that change."""
    held = sys.modules[module]
    listed = _LISTED.get(module)
    for name, value in vars(held).items():
        if listed is not None:
            if name in listed.split():
                yield name, value
        elif _draws(name, value):
            yield name, value


def _draws(name: str, value: Any) -> bool:
    kept = name.startswith("_") or name in _KEEPING or name in _SEEDED
    return callable(value) and not kept and not isinstance(value, type)


@cache
def _standins(*modules: str) -> dict[int, Any]:
    made: dict[int, Any] = {}
    for module in modules:
        found = dict(_changing_of(module))
        table = {name: _refusing(f"{module}.{name}") for name in found}
        made |= {id(fn): table[name] for name, fn in found.items()}
        if module in _DRAWING:
            kinds = {n: v for n, v in vars(sys.modules[module]).items() if n in _SEEDED}
            table |= {name: _seeded(f"{module}.{name}", kind) for name, kind in kinds.items()}
            made |= {id(kind): table[name] for name, kind in kinds.items()}
        made[id(sys.modules[module])] = _Module(sys.modules[module], table)
    return made


def _refusing(name: str) -> Callable[..., Any]:
    def refused(*args: Any, **kwargs: Any) -> NoReturn:
        refuse(name)

    return refused


def _seeded(name: str, make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a maker of generators that wants a seed."""

    def made(*args: Any, **kwargs: Any) -> Any:
        if all(value is None for value in (*args, *kwargs.values())):
            refuse(name, "give it a seed")
        return make(*args, **kwargs)

    return made


class _Module(types.ModuleType):
    """A module whose functions that change are refused."""

    def __init__(self, module: types.ModuleType, table: dict[str, Any]) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__.update(table)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _Generator:
    """A generator that was there before: its methods are refused when they are called."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._value, name)
        return _refusing(f"{type(self._value).__name__}.{name}") if callable(found) else found


def _is_generator(value: Any) -> bool:
    module = sys.modules.get("numpy.random")
    kinds = () if module is None else (module.Generator, module.RandomState)
    return isinstance(value, (random.Random, *kinds))


def _name(fn: Any) -> str:
    return str(getattr(fn, "__name__", fn))
