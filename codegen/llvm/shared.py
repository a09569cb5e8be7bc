"""Functions that kernels call instead of inlining them: compiled once in a process for a target.

A module declares what it calls under a name that says all: `rewrite.sin.v16f64` takes and returns
16 lanes of float64, `rewrite.libm.sin.v16f64` replaces some lanes by the C library's results, and
`rewrite.many.sin.v8f64(to, from, count)` goes over numbers in memory, whose count is a multiple
of 8. The engine finds such names in object files, and has each function made here.
"""

import re
from typing import Final

from llvmlite import ir

from codegen import vecmath
from codegen.llvm.many import define_many
from codegen.llvm.scribe import align_stack
from codegen.program import SIGNATURES
from codegen.target import Target
from codegen.vecmath import rare

__all__ = [
    "declared",
    "declared_for_many",
    "define_shared",
    "emit_shared",
    "needed",
    "state_target",
    "stated",
]

_NAME: Final = re.compile(r"rewrite\.(libm\.|many\.)?([a-z0-9_]+)\.v(\d+)(f64|f32)")
_IN_OBJECT: Final = re.compile(_NAME.pattern.encode())

_INDEX: Final = ir.IntType(64)
_SCALARS: Final = {"f64": ir.DoubleType(), "f32": ir.FloatType()}


def needed(code: bytes) -> list[str]:
    """List the shared functions that an object file names."""
    return sorted({found.group().decode() for found in _IN_OBJECT.finditer(code)})


def declared(module: ir.Module, name: str, vector: ir.VectorType, arity: int) -> ir.Function:
    """Declare a function of vectors; "sincos" returns both."""
    word = "f64" if isinstance(vector.element, ir.DoubleType) else "f32"
    full = f"rewrite.{name}.v{vector.count}{word}"
    known = module.globals.get(full)
    if known is None:
        result = ir.LiteralStructType([vector] * 2) if name == "sincos" else vector
        known = ir.Function(module, ir.FunctionType(result, [vector] * arity), full)
    return known


def declared_for_many(
    module: ir.Module, name: str, vector: ir.VectorType, operands: int
) -> ir.Function:
    """Declare a function of numbers in memory: of its results, its arguments, and their count."""
    word = "f64" if isinstance(vector.element, ir.DoubleType) else "f32"
    full = f"rewrite.many.{name}.v{vector.count}{word}"
    known = module.globals.get(full)
    if known is None:
        kinds = [ir.PointerType()] * operands + [_INDEX]
        known = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), full)
    return known


def emit_shared(full: str, target: Target) -> str:
    """Return the text of the LLVM module of a shared function."""
    found = _NAME.fullmatch(full)
    assert found is not None, full
    kind, name, lanes, dtype = found.groups()
    module = ir.Module(name=full)
    module.triple = target.triple
    vector = ir.VectorType(_SCALARS[dtype], int(lanes))
    arity = 1 if name == "sincos" else len(SIGNATURES[name][0][0])
    if kind == "many.":
        _define(declared_for_many(module, name, vector, arity + _results(name)), target)
    else:
        declare = rare.declare_loop if kind else declared
        _define(declare(module, name, vector, arity), target)
    return str(module)


def _results(name: str) -> int:
    return 2 if name == "sincos" else 1


def define_shared(module: ir.Module, target: Target) -> None:
    """Write all that a module calls into it, for itself alone."""
    while missing := [f for f in module.functions if f.is_declaration and _NAME.fullmatch(f.name)]:
        for function in missing:
            _define(function, target)
            function.linkage = "internal"


def state_target(module: ir.Module, target: Target) -> None:
    """Give the functions a target of their own, which overrides that of the whole module."""
    for function in module.functions:
        if not function.is_declaration:
            # llvmlite's own `add` knows no such words
            set.update(function.attributes, stated(target))


def stated(target: Target) -> tuple[str, str]:
    """Return the attributes of functions that are for a target."""
    return f'"target-cpu"="{target.cpu}"', f'"target-features"="{target.features}"'


def _define(function: ir.Function, target: Target) -> None:
    found = _NAME.fullmatch(function.name)
    assert found is not None, function.name
    kind, name, lanes, dtype = found.groups()
    if kind == "libm.":
        rare.define_loop(function)
        return
    align_stack(function, target.vector_bits // 8)
    lookups = target.vector_bits == 512
    if kind:
        vector = ir.VectorType(_SCALARS[dtype], int(lanes))
        define_many(function, name, vector, _results(name), lookups=lookups)
        return
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    if name == "sincos":
        result = ir.Constant(function.function_type.return_type, ir.Undefined)
        for place, value in enumerate(vecmath.emit_sincos(builder, function.args[0])):
            result = builder.insert_value(result, value, place)
    else:
        result = vecmath.emit(name, builder, function.args, lookups=lookups)
    builder.ret(result)
