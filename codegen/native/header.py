"""The C side of an exported kernel: its functions with their parameters, and the header's text."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Final

from codegen.llvm.entry import CFunctions
from codegen.loops.program import Rolled
from codegen.native.names import function_name, identifier, unique
from codegen.program import Program
from codegen.target import Float

__all__ = ["CInterface", "header"]

_C_TYPES: Final = {"f64": "double", "f32": "float", "b": "unsigned char"}
_SUFFIX: Final[dict[Float, str]] = {"f64": "", "f32": "f"}  # as in libm
_WIDTH: Final = 96


@dataclass(frozen=True)
class _Operand:
    """A parameter: its C name, shape and element type, and whether it is written to."""

    name: str
    shape: tuple[int, ...]
    is_bool: bool
    is_result: bool


@dataclass(frozen=True)
class CInterface:
    """The C functions of a program under a name that becomes a C identifier."""

    program: Program | Rolled
    wanted: str
    dtypes: tuple[Float, ...]
    batch_last: bool

    @cached_property
    def name(self) -> str:
        """The name as C takes it, for functions and files."""
        stems = [_SUFFIX[dtype] for dtype in self.dtypes]
        return function_name(self.wanted, [f"{s}{end}" for s in stems for end in ("", "_strided")])

    @property
    def teller(self) -> str:
        """The function that names the instruction set in use."""
        return f"{self.name}_target"

    @property
    def functions(self) -> tuple[CFunctions, ...]:
        """The functions of each float type."""
        stems = [(dtype, self.name + _SUFFIX[dtype]) for dtype in self.dtypes]
        return tuple(CFunctions(dtype, stem, f"{stem}_strided") for dtype, stem in stems)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All names that a linker sees."""
        return (*(n for f in self.functions for n in (f.plain, f.strided)), self.teller)

    @cached_property
    def operands(self) -> tuple[_Operand, ...]:
        """The parameters in order; `n` comes before them."""
        taken, made = {"n"}, []
        operands: tuple[Any, ...] = self.program.operands
        arguments = len(self.program.arguments)
        for place, operand in enumerate(operands):
            result = place >= arguments
            unnamed = result and re.fullmatch(r"out\d*", operand.name)
            name = identifier(f"{self.name}_{operand.name}" if unnamed else operand.name)
            name = unique(name, taken, ("", "_stride", "_pitch"))
            is_bool = self.program.type_of(operand) == "b"
            made.append(_Operand(name, operand.shape, is_bool, result))
        return tuple(made)

    def prototype(self, functions: CFunctions, *, strided: bool) -> str:
        """Return the declaration of one function."""
        parameters = ["size_t n"]
        for operand in self.operands:
            const = "" if operand.is_result else "const "
            kind = _C_TYPES["b" if operand.is_bool else functions.dtype]
            # results may be arguments, but not where a point has several components
            alone = self.restrict if operand.is_result else ""
            parts = [f"{const}{kind} *{alone}{operand.name}"]
            if strided:
                parts.append(f"ptrdiff_t {operand.name}_stride")
            if strided and self.batch_last and operand.shape:
                parts.append(f"ptrdiff_t {operand.name}_pitch")
            parameters.append(", ".join(parts))
        name = functions.strided if strided else functions.plain
        return _wrapped(f"void {name}(", parameters)

    @property
    def restrict(self) -> str:
        """The word for results that nothing else may point into."""
        return "" if self.program.is_elementwise else f"{self.name.upper()}_RESTRICT "

    def layout(self, operand: _Operand) -> str:
        """Write how an operand of the contiguous functions lies in memory, as C indices."""
        sizes = [str(size) for size in operand.shape]
        sizes = [*sizes, "n"] if self.batch_last else ["n", *sizes]
        return operand.name + "".join(f"[{size}]" for size in sizes)


def header(
    interface: CInterface, expression: str, grade: str, targets: Sequence[str], kept: int
) -> str:
    """Return the text of a header for C and C++; calls keep so many bytes of memory."""
    guard = f"{interface.name.upper()}_H_INCLUDED"
    lines = [*_comment(_about(interface, expression, grade, targets, kept))]
    lines += [f"#ifndef {guard}", f"#define {guard}", "", "#include <stddef.h>", ""]
    if interface.restrict:
        lines += _restrict_macro(interface.restrict.strip())
    lines += ["#ifdef __cplusplus", 'extern "C" {', "#endif", ""]
    for functions in interface.functions:
        for strided in (False, True):
            about = _strides(interface) if strided else _shapes(interface)
            lines += [*_comment(about), interface.prototype(functions, strided=strided), ""]
    lines += _comment([f"Name the instruction set that is used here: {_or(targets)}."])
    lines += [f"const char *{interface.teller}(void);", ""]
    lines += ["#ifdef __cplusplus", "}", "#endif", "", f"#endif /* {guard} */"]
    return "\n".join(lines) + "\n"


def _about(
    interface: CInterface, expression: str, grade: str, targets: Sequence[str], kept: int
) -> Iterator[str]:
    yield f"{interface.name}: machine code for\n"
    yield from (f"    {line}" for line in expression.splitlines())
    yield f"\n{grade}\n"
    if len(targets) > 1:
        yield (
            f"Code for {', '.join(targets)}: the first call finds out which of them the CPU and "
            f"the operating system run, and takes the first in this order; {targets[-1]} runs "
            "everywhere. Any number of threads may make that call. Two instruction sets may differ "
            "in last bits, within the grade.\n"
        )
    else:
        yield f"Code for {targets[0]}, which every machine of its architecture runs.\n"
    yield (
        "A result has the same bits for any n, stride, alignment and place in the array. It is "
        "computed in the default floating-point environment (round to nearest, subnormals kept), "
        "and the caller's is as before afterwards: no flags are raised.\n"
    )
    yield f"{_overlap(interface)}\n"
    memory = "They take 32 KiB of stack, and more for long formulas."
    if kept:
        memory = (
            f"Each float type keeps up to {-(-kept >> 10)} KiB of memory for the next call, which "
            "is given back at the end; more is taken while several threads are in it."
        )
    yield f"The functions are reentrant. {memory} Link with -lm."


def _overlap(interface: CInterface) -> str:
    if interface.program.is_elementwise:
        return (
            "A result may be the very array of an argument of the same type and stride; arrays "
            "may not overlap in any other way, and no two results may."
        )
    return "Results may overlap neither arguments nor each other."


def _shapes(interface: CInterface) -> list[str]:
    sides = [
        ", ".join(interface.layout(x) for x in interface.operands if x.is_result == is_result)
        for is_result in (False, True)
    ]
    lines = [f"n points: {' -> '.join(side for side in sides if side)}."]
    if any(operand.is_bool for operand in interface.operands):
        lines.append("An unsigned char is true unless it is 0; results are 0 or 1.")
    return lines


def _strides(interface: CInterface) -> list[str]:
    lines = [
        "The same with strides, in elements, from point to point; they may be negative, and 0 has "
        "an argument's one value for all points."
    ]
    shaped = [operand for operand in interface.operands if operand.shape]
    if shaped and interface.batch_last:
        lines.append("A pitch is the distance between components of one point, in row-major order.")
    elif shaped:
        sizes = ", ".join(f"{prod(operand.shape)} of {operand.name}" for operand in shaped)
        lines.append(f"The components of one point are contiguous, row-major: {sizes}.")
    return lines


def _restrict_macro(name: str) -> list[str]:
    return [
        "#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 199901L",
        f"#define {name} restrict",
        "#elif defined(__GNUC__) || defined(_MSC_VER)",
        f"#define {name} __restrict",
        "#else",
        f"#define {name}",
        "#endif",
        "",
    ]


def _comment(paragraphs: "Sequence[str] | Iterator[str]") -> list[str]:
    """Write a comment that no text can end or nest."""
    lines = [
        line
        for paragraph in paragraphs
        for part in paragraph.split("\n")
        for line in textwrap.wrap(part, _WIDTH, break_on_hyphens=False) or [""]
    ]
    text = re.sub(r"\?(?=\?)", "? ", "\n".join(lines).replace("\\", "/"))  # no trigraphs
    while "*/" in text or "/*" in text:
        text = text.replace("*/", "* /").replace("/*", "/ *")
    first, *rest = text.split("\n")
    if not rest and len(first) < _WIDTH - 6:
        return [f"/* {first} */"]
    return [f"/* {first}", *(f" * {line}".rstrip() for line in rest), " */"]


def _wrapped(start: str, parameters: Sequence[str]) -> str:
    line = f"{start}{', '.join(parameters)});"
    if len(line) <= _WIDTH:
        return line
    return f"{start}\n    " + ",\n    ".join(parameters) + ");"


def _or(names: Sequence[str]) -> str:
    shown = [f'"{name}"' for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
