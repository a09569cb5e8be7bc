"""From LLVM text to machine code in memory, freed with the object that holds it.

No LLVM passes run on the IR: the vectors are ours, and what was checked is what is emitted. The
IR and its context are dropped once there is an object file, which holds the code and can be kept.
"""

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

import llvmlite.binding as llvm

from codegen.coder import once
from codegen.llvm.driver import DRIVER, emit_driver
from codegen.llvm.shared import emit_shared, needed
from codegen.store.objects import kept_object
from codegen.target import Target, host

__all__ = [
    "Code",
    "Library",
    "assembly",
    "driver",
    "linked_object",
    "load",
    "load_library",
    "object_code",
]

_LOCK: Final = threading.Lock()  # one engine is put together at a time


@contextmanager
def _module(text: str) -> Iterator[llvm.ModuleRef]:
    """Parse and verify a module in a context of its own."""
    with llvm.create_context() as context, llvm.parse_assembly(text, context) as module:
        module.verify()
        yield module


def object_code(text: str, target: Target, *, opt: int = 1) -> bytes:
    """Return the object file of an LLVM module that passes LLVM's verifier."""
    with _module(text) as module:
        return bytes(target.machine(opt=opt).emit_object(module))


def linked_object(texts: Sequence[str], public: Sequence[str], target: Target) -> bytes:
    """Return one object file of several LLVM modules, for linkers; only `public` names are seen.

    The target is that of functions that do not state their own.
    """
    with llvm.create_context() as context, llvm.parse_assembly(texts[0], context) as whole:
        for text in texts[1:]:
            whole.link_in(llvm.parse_assembly(text, context))
        for function in whole.functions:
            if not function.is_declaration and function.name not in public:
                function.linkage = "internal"
        for variable in whole.global_variables:
            if not variable.is_declaration:
                variable.linkage = "internal"
        whole.verify()
        return bytes(target.machine(jit=False).emit_object(whole))


def assembly(text: str, target: Target, *, opt: int = 1) -> str:
    """Return the assembly text of an LLVM module; any host can emit for any target."""
    with _module(text) as module:
        return str(target.machine(opt=opt).emit_assembly(module))


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A function in memory; it goes when the last reference to this object does."""

    address: int
    _engine: llvm.ExecutionEngine


def load(
    code: bytes, symbol: str, target: Target, variables: Mapping[str, int] | None = None
) -> Code:
    """Put an object file into memory and find its function, with the shared ones that it calls.

    `variables` says where those are that are not its own.
    """
    library = _linked([code], target, without=symbol, variables=variables or {})
    return Code(library.address(symbol), library.engine)


@dataclass(frozen=True, slots=True, eq=False)
class Library:
    """Functions in memory by name."""

    engine: llvm.ExecutionEngine

    def address(self, symbol: str) -> int:
        """Return where a function is."""
        return int(self.engine.get_function_address(symbol))


def load_library(objects: Sequence[bytes], target: Target) -> Library:
    """Put object files into memory, with the shared functions that they call."""
    return _linked(objects, target)


def _linked(
    objects: Sequence[bytes], target: Target, without: str = "",
    variables: Mapping[str, int] = MappingProxyType({}),
) -> Library:  # fmt: skip
    target.require_host()
    _load_libm()
    names = sorted({name for code in objects for name in needed(code)} - {without})
    others = {name: _shared(name, target).address for name in names}
    declarations = "\n".join(
        [f'declare void @"{name}"()' for name in others]
        + [f'@"{name}" = external global ptr' for name in variables]
    )
    with _LOCK:
        module = llvm.parse_assembly(declarations)
        engine = llvm.create_mcjit_compiler(module, target.machine())
        for name, address in others.items():
            engine.add_global_mapping(module.get_function(name), address)
        for name, address in variables.items():
            engine.add_global_mapping(module.get_global_variable(name), address)
        for code in objects:
            with llvm.ObjectFileRef.from_data(code) as file:
                engine.add_object_file(file)
        engine.finalize_object()
        return Library(engine)


@cache
def _shared(name: str, target: Target) -> Code:
    """Compile a function that kernels call, once per process and target."""
    made = kept_object(
        target, lambda: ("shared", name), lambda: object_code(emit_shared(name, target), target)
    )
    return load(made, name, target)


@once
def driver() -> Code:
    """Compile the driver, once per process."""
    made = kept_object(host(), lambda: (DRIVER,), lambda: object_code(emit_driver(host()), host()))
    return load(made, DRIVER, host())


@cache
def _load_libm() -> None:
    if sys.platform == "linux":  # elsewhere it is part of what every process has loaded
        llvm.load_library_permanently("libm.so.6")
