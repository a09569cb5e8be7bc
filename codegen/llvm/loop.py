"""`Loop`: a program's code for one float type as NumPy calls it, compiled when it is needed."""

import ctypes
import threading
from collections.abc import Callable
from math import prod
from typing import Any, Final, Literal, TypedDict

import numpy as np

from codegen.engine import Code, driver, load, object_code
from codegen.failure import Failure, words
from codegen.llvm.body import emit_module, rare_place, symbol
from codegen.llvm.choices import interleaved, waits_for_memory
from codegen.llvm.leave import leaves_rare
from codegen.llvm.passed import idle, passed
from codegen.llvm.streams import CHUNK_BYTES, Entry, LoopData
from codegen.program import Program
from codegen.store.columns import program_digest
from codegen.store.objects import kept_object
from codegen.target import ITEMSIZE, Float, Target, cache_bytes

__all__ = ["Loop", "loop_data", "stream_table"]

_TYPE_NUMBERS: Final = {"b": 0, "f32": 11, "f64": 12}  # NPY_BOOL, NPY_FLOAT, NPY_DOUBLE
_NEVER: Final = 1 << 62
_KINDS: Final = {
    "body": "code", "behind": "code of large arrays", "guarded": "code of rare arguments",
}  # fmt: skip
_BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


class _Kind(TypedDict):
    """What else a loop can be: one that stores past the caches, or that branches in functions."""

    behind: bool
    guarded: bool


class Loop:
    """The loop of one float type: what the driver reads, and the code behind it."""

    def __init__(
        self, program: Program, dtype: Float, target: Target, failure: Failure, *, lazy: bool
    ) -> None:
        self.dtype, self.failure = dtype, failure
        self._table = stream_table(program, dtype)
        self.data = loop_data(program, dtype, target, self._table)
        # stubs stay alive with the loop: a call may still be on its way through one
        self._stubs: list[Any] = []
        self._code = self._later(_LazyCode(program, dtype, target, self.data, "body", failure))
        if leaves_rare(program, target):
            self._later(_LazyCode(program, dtype, target, self.data, "guarded", failure))
        if not lazy:
            self._code.compile()
        if waits_for_memory(program) and target.triple.startswith("x86"):
            self._later(_LazyCode(program, dtype, target, self.data, "behind", failure))
            self.data.large = cache_bytes() // sum(part.size for part in self._table)

    def _later(self, code: "_LazyCode") -> "_LazyCode":
        """Let the driver find what compiles the code when it is first called."""
        stub = _BODY(code.first_call)
        self._stubs.append(stub)
        setattr(self.data, code.place, ctypes.cast(stub, ctypes.c_void_p).value)
        return code

    def ready(self) -> None:
        """Do nothing: what is not late was compiled, or raised, when the loop was made."""

    @property
    def is_compiled(self) -> bool:
        """Tell whether the machine code exists."""
        return self._code.code is not None

    @property
    def driver(self) -> Code:
        """The function that NumPy calls."""
        return driver()

    def types(self) -> bytes:
        """Return NumPy's type numbers of the operands."""
        program = self._code.program
        kinds = map(program.type_of, program.operands)
        return bytes(_TYPE_NUMBERS["b" if kind == "b" else self.dtype] for kind in kinds)


class _LazyCode:
    """Compiles on the first call. It does not refer to the stub, so no cycle keeps code alive."""

    def __init__(
        self, program: Program, dtype: Float, target: Target, data: LoopData,
        place: Literal["body", "behind", "guarded"], failure: Failure,
    ) -> None:  # fmt: skip
        self.program, self.dtype, self.target = program, dtype, target
        self.data, self.place, self.failure = data, place, failure
        """The field of the loop's description that the code belongs to."""
        self.kind: _Kind = {"behind": place == "behind", "guarded": place == "guarded"}
        self.code: Code | None = None
        self.lock = threading.Lock()

    def compile(self) -> None:
        """Make the code and let the driver find it; a second thread waits for the first."""
        with self.lock:
            if self.code is None:
                name = symbol(self.program, self.dtype, **self.kind)
                compiled = kept_object(
                    self.target, lambda: ("loop", program_digest(self.program), name), self._emit
                )
                variables = {}
                if self.data.guarded and self.place != "guarded":
                    place = ctypes.addressof(self.data) + LoopData.guarded.offset
                    variables[rare_place(self.program, self.dtype)] = place
                self.code = load(compiled, name, self.target, variables)
                setattr(self.data, self.place, self.code.address)

    def _emit(self) -> bytes:
        text = emit_module(self.program, self.dtype, self.target, **self.kind)
        return object_code(text, self.target)

    def first_call(self, pointers: int, count: int) -> None:
        """Stand in for the body until it is compiled.

        Python reports an exception that leaves here and goes on, so results are NaN then; who
        called NumPy finds the failure noted. The next call tries again.
        """
        try:
            self.compile()
        except BaseException as error:
            self.failure.note(error, words(self.dtype, _KINDS[self.place]))
            self._fill_nan(pointers, count)
            raise
        body: Callable[[int, int], None] = _BODY(getattr(self.data, self.place))
        body(pointers, count)

    def _fill_nan(self, pointers: int, count: int) -> None:
        total = self.data.streams
        entries = (Entry * total).from_address(self.data.table)
        places = (ctypes.c_void_p * total).from_address(pointers)
        for stream in range(self.data.inputs, total):
            size = entries[stream].size
            ctypes.memset(places[stream] or 0, 255 if size > 1 else 0, size * count)


def stream_table(program: Program, dtype: Float) -> "ctypes.Array[Entry]":
    """Say where each stream starts; NumPy puts the strides of core axes after all others."""
    axes = len(program.operands)
    copied = passed(program)
    parts = []
    for number, operand in enumerate(program.operands):
        rows = np.zeros((prod(operand.shape), len(Entry._fields_)), np.int64)
        rows[:, 0] = number
        rows[:, 1] = 1 if program.type_of(operand) == "b" else ITEMSIZE[dtype]
        for axis, index in enumerate(np.indices(operand.shape)):
            rows[:, 2 + 2 * axis] = axes + axis
            rows[:, 3 + 2 * axis] = index.ravel()
        axes += len(operand.shape)
        parts.append(rows)
    table = np.concatenate(parts)
    table[:, -1] = -1
    for stream, source in copied.items():
        table[stream, -1] = source
    for stream in idle(program, copied):
        table[stream, -1] = stream
    return (Entry * len(table)).from_buffer(table)


def loop_data(
    program: Program, dtype: Float, target: Target, table: "ctypes.Array[Entry]"
) -> LoopData:
    """Describe a loop to the driver; it points into the table, which has to stay."""
    total = len(table)
    lanes = target.lanes(dtype) * interleaved(program)
    inputs = sum(prod(argument.shape) for argument in program.arguments)
    chunk = max(CHUNK_BYTES // (8 * total) // lanes, 1) * lanes
    binary = program.is_elementwise and (len(program.arguments), len(program.outputs)) == (2, 1)
    return LoopData(
        table=ctypes.addressof(table),
        large=_NEVER,
        register_bytes=target.vector_bits // 8,
        streams=total,
        inputs=inputs,
        lanes=lanes,
        chunk=chunk,
        scratch=total * (8 * chunk + 9 * 8),
        feedback=int(binary),
        copies=len(passed(program)),
        arguments=0 if program.is_elementwise else len(program.arguments),
        operands=0 if program.is_elementwise else len(program.operands),
    )
