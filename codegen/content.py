"""Kernels by content: what says all of one, and those that this process has read already.

A pickle holds the program, the terms and the options, and a key. Where the key is known the machine
code is that of an earlier kernel, so that a worker that is sent a kernel with each of a thousand
tasks compiles it once, and does not even read the program again.
"""

import os
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from codegen.loops.program import Rolled
from codegen.store.columns import program_digest
from codegen.store.later import Later
from codegen.store.rolled import rolled_digest
from codegen.target import NAMES, Target, get, host
from rewrite.contentcache import digest
from rewrite.pickling import columns_of, restored
from rewrite.term import Term, current_store

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = [
    "Content", "Known", "by_value", "is_global", "key_of", "packed_terms", "portable", "read_terms",
]  # fmt: skip

MOST_KNOWN: Final = 64
"""Kernels that stay loaded after they were read from pickles; the last used ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """A callable that is told by what it does: Dask, which looks into `partial`, finds its key."""

    name: str
    key: str
    call: Callable[..., Any]

    @property
    def __name__(self) -> str:
        """The name of a function."""
        return self.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what it stands for."""
        return self.call(*args, **kwargs)

    def __dask_tokenize__(self) -> tuple[str, str]:
        """Return the same in every process."""
        return "rewrite.Kernel", self.key


def key_of(kernel: "Kernel") -> str:
    """Return a digest of all that results and the way of calling depend on."""
    program = kernel.program
    code = rolled_digest(program) if isinstance(program, Rolled) else program_digest(program)
    options = (kernel.dtype, kernel.results, int(kernel.parallel), kernel.batch_axis)
    patterns = [
        part
        for pattern in kernel.patterns
        for part in (
            ("",) if pattern is None else (
                repr((pattern.shape, pattern.format)), pattern.indices.tobytes(),
                pattern.indptr.tobytes(),
            )
        )
    ]  # fmt: skip
    return digest(code, repr(portable(kernel.target)), repr(options), *patterns)


def portable(target: Target) -> Target | str:
    """Return what a pickle holds: a name where that says it all, so that "native" stays native."""
    if target == host():
        return "native"
    return target.name if target.name in NAMES and get(target.name) == target else target


def packed_terms(terms: Any) -> bytes:
    """Write terms so that what they share is written once."""
    if isinstance(terms, tuple) and terms and all(type(term) is Term for term in terms):
        store = terms[0].store
        if all(term.store is store for term in terms):
            return pickle.dumps(columns_of(store, [term.id for term in terms]))
    return pickle.dumps(_Other(terms))


def read_terms(data: bytes) -> Later:
    """Return what makes the terms in the store that is the current one now."""
    store = current_store()

    def terms() -> Any:
        read = pickle.loads(data)
        if isinstance(read, _Other):
            return read.value
        return tuple([Term(store, node) for node in restored(store, *read)])

    return Later(terms)


@dataclass(frozen=True, slots=True)
class _Other:
    """What is no tuple of terms of one store."""

    value: Any


@dataclass
class Known[V]:
    """Values by key, made once each: whoever asks meanwhile waits for that key alone."""

    most: int = MOST_KNOWN
    _values: OrderedDict[str, V] = field(default_factory=OrderedDict)
    _making: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str, make: Callable[[], V]) -> V:
        """Return the value of a key."""
        found = self._found(key)
        if found is None:
            with self._alone(key):
                found = self._found(key)
                if found is None:
                    found = make()
                    with self._lock:
                        self._values[key] = found
                        while len(self._values) > self.most:
                            self._values.popitem(last=False)
        return found

    def _found(self, key: str) -> V | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        with self._lock:
            mine = self._making.setdefault(key, threading.Lock())
        try:
            with mine:
                yield
        finally:
            with self._lock:
                self._making.pop(key, None)

    def __post_init__(self) -> None:
        """Take care of forks: a thread that the child does not have may hold a lock."""
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self._making, self._lock = {}, threading.Lock()


def is_global(value: Any) -> bool:
    """Tell whether other processes find a function under its name; not what a notebook defined."""
    module = getattr(value, "__module__", None) or "__main__"
    found: Any = None if module == "__main__" else sys.modules.get(module)
    for name in str(getattr(value, "__qualname__", "")).split("."):
        found = getattr(found, name, None)
    return found is value


def by_value(parts: Any) -> bytes:
    """Write functions with their code, which may come from a notebook."""
    from numba import cloudpickle  # loaded by those who pickle functions

    data: bytes = cloudpickle.dumps(parts)
    return data
