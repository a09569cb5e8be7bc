"""What a traced function sees around it: its own code and data, with other makers of arrays.

Nothing of the user's is changed. The function runs as a copy whose globals, closure and defaults
have stand-ins: for NumPy (`rewrite.array.creation`), for functions and objects of the user's that
it reaches, and, where it writes terms to arrays of numbers that it did not make, for those too.
"""

import contextlib
import contextvars
import functools
import operator
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import as_strided

from rewrite.array import TermArray, asarray
from rewrite.array.creation import MAKERS, NumPy
from rewrite.changing import of_generator, standins
from rewrite.store import Store

__all__ = ["Surroundings", "stand_in"]

_OURS: Final = ("rewrite", "strategies", "codegen", "numpy", "scipy", "numba")
_ACTIVE: contextvars.ContextVar["Surroundings | None"] = contextvars.ContextVar(
    "rewrite_surroundings", default=None
)


class Surroundings:
    """The stand-ins of one trace: the same for the same object, so that what is shared stays so.

    With `arrays`, arrays of floats are copied to arrays of terms when they are found, so that the
    function may write terms to them.
    """

    def __init__(self, fn: Callable[..., Any], store: Store, arrays: bool = False) -> None:
        self.store, self.arrays = store, arrays
        self.home = _package(getattr(fn, "__module__", None))
        self.found_arrays = False
        """Whether there were arrays of floats to stand in for."""
        changing = standins()
        numpys = NumPy(changing.get(id(sys.modules.get("numpy.random"))))
        self._known: dict[int, Any] = {id(np): numpys, **changing}
        self._known |= {id(getattr(np, name)): maker for name, maker in MAKERS.items()}
        self._kept: list[Any] = [np]  # ids stay those of these objects

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Let `stand_in` find these, while the function runs."""
        token = _ACTIVE.set(self)
        try:
            yield
        finally:
            _ACTIVE.reset(token)

    def of(self, value: Any) -> Any:
        """Return what stands in for a value: most stand for themselves."""
        known = self._known.get(id(value))
        if known is not None:
            return known
        maker = _STANDINS.get(type(value))
        if maker is not None:
            return maker(self, value)
        if isinstance(value, tuple) and hasattr(value, "_make"):
            return self._sequence(value)
        if type(value).__module__.partition(".")[0] == "numba" and hasattr(value, "py_func"):
            return self.of(value.py_func)
        if self._is_users(type(value).__module__):
            return self._instance(value)
        return of_generator(value)

    def _is_users(self, module: Any) -> bool:
        """Tell whether a module may be changed for a trace: libraries run as they are."""
        package = _package(module)
        if package == self.home:
            return package not in _OURS
        if not package or package in _OURS or package in sys.stdlib_module_names:
            return False
        file = getattr(sys.modules.get(package), "__file__", None) or ""
        return "site-packages" not in file and "dist-packages" not in file

    def _keep(self, value: Any, made: Any) -> Any:
        self._kept.append(value)
        self._known[id(value)] = made
        return made

    # -- code --------------------------------------------------------------------------------

    def _function(self, fn: types.FunctionType) -> Any:
        if not self._is_users(fn.__module__):
            return fn
        closure = tuple(types.CellType() for _ in fn.__closure__ or ())
        scope = self._scope(fn.__globals__)
        made = types.FunctionType(fn.__code__, scope, fn.__name__, fn.__defaults__, closure or None)
        self._keep(fn, made)  # before what it refers to, which may be itself
        functools.update_wrapper(made, fn)
        for cell, old in zip(closure, fn.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # a cell that is still empty
                cell.cell_contents = self.of(old.cell_contents)
        made.__defaults__ = self.of(fn.__defaults__)
        made.__kwdefaults__ = self.of(fn.__kwdefaults__)
        for name in _names(fn.__code__):
            if name in fn.__globals__:
                scope[name] = self.of(fn.__globals__[name])
        return made

    def _scope(self, globals_: dict[str, Any]) -> dict[str, Any]:
        """Return the copy of a module's globals that all its functions share here."""
        known = self._known.get(id(globals_))
        if known is None:
            builtins = globals_["__builtins__"]
            table = dict(builtins if isinstance(builtins, dict) else vars(builtins))
            table["__import__"] = functools.partial(_imported, self, table["__import__"])
            known = self._keep(globals_, {**globals_, "__builtins__": table})
        return known  # type: ignore[no-any-return]

    def _bound(self, method: types.MethodType) -> Any:
        owner, function = self.of(method.__self__), self.of(method.__func__)
        return types.MethodType(function, owner)

    def _partial(self, value: "functools.partial[Any]") -> Any:
        return functools.partial(
            self.of(value.func), *self.of(value.args), **self.of(value.keywords)
        )

    def _module(self, module: types.ModuleType) -> Any:
        if not self._is_users(module.__name__):
            return module
        return self._keep(module, _Module(module, self))

    # -- data --------------------------------------------------------------------------------

    def _sequence(self, value: Any) -> Any:
        parts = self._parts(value, value)
        if parts is None:
            return value
        if hasattr(value, "_make"):
            return self._keep(value, value._make(parts))
        return self._keep(value, parts if isinstance(value, list) else tuple(parts))

    def _dict(self, value: dict[Any, Any]) -> Any:
        parts = self._parts(value, value.values())
        return value if parts is None else self._keep(value, dict(zip(value, parts, strict=True)))

    def _namespace(self, value: types.SimpleNamespace) -> Any:
        parts = self._parts(value, vars(value).values())
        if parts is None:
            return value
        named = dict(zip(vars(value), parts, strict=True))
        return self._keep(value, types.SimpleNamespace(**named))

    def _parts(self, value: Any, parts: Iterable[Any]) -> list[Any] | None:
        """Return what stands in for the parts of a container, None where they are the same."""
        old = list(parts)
        self._known[id(value)] = value  # it may hold itself
        new = [self.of(part) for part in old]
        del self._known[id(value)]
        return None if all(map(operator.is_, new, old)) else new

    def _instance(self, value: Any) -> Any:
        """Copy an object of the user's; its methods find the stand-ins too."""
        functions: dict[str, Any] = {}
        for owner in reversed(type(value).__mro__):
            if self._is_users(owner.__module__):
                functions |= {k: v for k, v in vars(owner).items() if _is_method(v)}
        try:
            kind = type(type(value).__name__, (type(value),), {"__slots__": ()})
            made: Any = object.__new__(kind)
        except TypeError:  # of a class that is final, or of one that is not Python's alone
            return value
        self._keep(value, made)
        for name, method in functions.items():
            setattr(kind, name, self._method(method))
        if hasattr(value, "__dict__"):
            vars(made).update(vars(value))
            for name, part in list(vars(made).items()):
                vars(made)[name] = self.of(part)
        for slot in _slots(type(value)):  # written past what a frozen class refuses
            with contextlib.suppress(AttributeError):  # a slot that is still empty
                slot.__set__(made, self.of(slot.__get__(value)))
        return made

    def _method(self, method: Any) -> Any:
        if isinstance(method, (staticmethod, classmethod)):
            return type(method)(self.of(method.__func__))
        if isinstance(method, property):
            return property(*(part and self.of(part) for part in (method.fget, method.fset)))
        return self.of(method)

    def _array(self, array: Any) -> Any:
        if array.dtype != np.float64 or not array.ndim:
            return array
        self.found_arrays = True
        if not self.arrays:
            return array
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        if base is array or base.dtype != np.float64 or not base.flags.c_contiguous:
            return self._keep(array, TermArray(self.store, asarray(array, self.store).ids.copy()))
        ids = self.of(base).ids
        offset = (array.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // 8
        strides = [step // 2 for step in array.strides]  # ids have four bytes, floats eight
        view = as_strided(ids.reshape(-1)[offset:], array.shape, strides)
        return self._keep(array, TermArray(self.store, view))


class _Module(types.ModuleType):
    """A module of the user's, whose functions find the stand-ins."""

    def __init__(self, module: types.ModuleType, around: Surroundings) -> None:
        super().__init__(module.__name__, module.__doc__)
        self._module, self._around = module, around

    def __getattr__(self, name: str) -> Any:
        return self._around.of(getattr(self._module, name))


_STANDINS: Final[dict[type, Callable[[Surroundings, Any], Any]]] = {
    types.FunctionType: Surroundings._function,
    types.MethodType: Surroundings._bound,
    types.ModuleType: Surroundings._module,
    functools.partial: Surroundings._partial,
    tuple: Surroundings._sequence,
    list: Surroundings._sequence,
    dict: Surroundings._dict,
    types.SimpleNamespace: Surroundings._namespace,
    np.ndarray: Surroundings._array,
}


def stand_in[F: Callable[..., Any]](fn: F) -> F:
    """Return what a function is in the trace that is going on: itself outside of one."""
    active = _ACTIVE.get()
    return fn if active is None else active.of(fn)


def _is_method(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, staticmethod, classmethod, property))


def _slots(kind: type) -> list[types.MemberDescriptorType]:
    """Return where objects of a class keep attributes besides a dictionary."""
    members = [member for owner in kind.__mro__ for member in vars(owner).values()]
    return [member for member in members if isinstance(member, types.MemberDescriptorType)]


def _imported(around: Surroundings, original: Callable[..., Any], name: str, *args: Any) -> Any:
    """Import inside of a traced function."""
    return around.of(original(name, *args))


def _package(module: Any) -> str:
    return str(module or "").partition(".")[0]


def _names(code: types.CodeType) -> Iterator[str]:
    """Return the global names and attributes that code and the functions in it mention."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
