"""`RolledLoop`: a rolled program's code for one float type as NumPy calls it."""

import ctypes
import threading
import weakref
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from math import ceil
from typing import Any, Final

from codegen.coder import once
from codegen.engine import Code, load, object_code
from codegen.failure import Failure, words
from codegen.instruction import Argument
from codegen.loops.code import begun
from codegen.loops.driver import (
    DRIVER,
    TEAM,
    OperandEntry,
    PieceRow,
    Prepare,
    RolledData,
    emit_rolled_driver,
)
from codegen.loops.linkable import Compiled, Part
from codegen.loops.plan import Piece
from codegen.loops.program import Cells, Numbers, Operand, Reduce, Rolled, Step, Zero
from codegen.store.objects import kept_object
from codegen.target import ITEMSIZE, Float, Target, host
from rewrite.progress import shown, stage

__all__ = [
    "MOVED", "RolledLoop", "add_work", "describe", "least_points", "rolled_driver", "weigh_blocks",
    "with_argument",
]  # fmt: skip

_TYPE_NUMBERS: Final = {"b": 0, "f32": 11, "f64": 12}  # NPY_BOOL, NPY_FLOAT, NPY_DOUBLE
_NEVER: Final = 1 << 62
MOVED: Final = 1.0
"""Cycles to pack or unpack a number of a block."""
_APART: Final = 4.0
"""Cycles to copy a number of one of many points that lie side by side: each is in another line.
Measured on Zen 4, of 64."""
_LINE: Final = 64
_PIECE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)  # fmt: skip


class RolledLoop:
    """The loop of one float type: what the driver reads, and the code behind it."""

    def __init__(
        self, program: Rolled, dtype: Float, target: Target, failure: Failure, *, lazy: bool
    ) -> None:
        self.dtype, self.failure = dtype, failure
        self.data = RolledData()
        self.maker = _Maker(program, dtype, target, self.data, failure)
        # the stub stays alive with the loop: a call may still be on its way through it
        self._stub = Prepare(self.maker.prepare)
        self.data.prepare = ctypes.cast(self._stub, ctypes.c_void_p).value
        weakref.finalize(self, _release, self.data).atexit = False
        if not lazy:
            self.maker.begin()

    @property
    def is_compiled(self) -> bool:
        """Tell whether the machine code for a point exists, or is being made."""
        return self.maker.pending is not None or 0 in self.maker.made

    def compiled(self) -> Compiled:
        """Return the code for one point, which is made if it is not there.

        Raise `CompilationError` where that fails.
        """
        try:
            self.maker.compile(0)
        except Exception as error:
            raise self.failure.said(error, words(self.dtype)) from error
        return self.maker.made[0]

    def ready(self) -> None:
        """Wait for code that is being made; raise `CompilationError` where that fails."""
        if self.maker.pending is not None:
            self.compiled()

    @property
    def driver(self) -> Code:
        """The function that NumPy calls."""
        return rolled_driver()

    def types(self) -> bytes:
        """Return NumPy's type numbers of the operands."""
        program = self.maker.program
        kinds = map(program.type_of, program.operands)
        return bytes(_TYPE_NUMBERS["b" if kind == "b" else self.dtype] for kind in kinds)


class _Maker:
    """Compiles for a point and for batches. It does not refer to the stub: no cycle keeps code."""

    def __init__(
        self, program: Rolled, dtype: Float, target: Target, data: RolledData, failure: Failure
    ) -> None:
        self.program, self.dtype, self.target, self.data = program, dtype, target, data
        self.failure = failure
        self.made: dict[int, Compiled] = {}
        self.pending: Future[Compiled] | None = None
        """The code for a point, until it is called for."""
        self.kept: list[Any] = []
        self.lock = threading.Lock()
        self.lanes = target.lanes(dtype)
        self.work_bytes = 0
        self.kept.append(describe(program, dtype, self.lanes, data))

    def begin(self) -> None:
        """Have the code for a point made, by the time that it is called for."""
        self.pending = begun(self.program, self.dtype, self.target, batch=False)

    def compile(self, which: int) -> None:
        """Make the code for a point (0) or a batch (1); a second thread waits for the first."""
        if which in self.made:
            return
        with self.lock:
            if which in self.made:
                return
            pending = None if which else self.pending
            pending = pending or begun(self.program, self.dtype, self.target, batch=which == 1)
            with shown(None):
                stage("generating code")
                made = pending.result()
            if not which:
                self.pending = None
                self.work_bytes = work_bytes(made.work, self.dtype)
            add_work(self.data, made.work, self.dtype, batch=which == 1)
            self.made[which] = made  # other threads look at it without the lock
            self._publish(which, made.rows, len(made.parts))

    def _publish(self, which: int, rows: "ctypes.Array[PieceRow]", count: int) -> None:
        data = self.data
        if which:
            data.batch_count, data.batch_pieces = count, ctypes.addressof(rows)
        else:
            data.count, data.pieces = count, ctypes.addressof(rows)
            found = self.made[0].parts if 0 in self.made else ()
            weigh_blocks(self.program, found, data)

    def prepare(self, which: int) -> None:
        """Compile on the first call.

        Python reports an exception that leaves here and goes on, so results are NaN then; who
        called NumPy finds the failure noted, now and in later calls.
        """
        try:
            self.compile(which)
        except BaseException as error:
            row = PieceRow(ctypes.cast(self._failing(which, error), ctypes.c_void_p).value, None, 1)
            rows = (PieceRow * 1)(row)
            self.kept.append(rows)
            self._publish(which, rows, 1)
            raise

    def _failing(self, which: int, error: BaseException) -> Any:
        """Return a piece that fills the results with NaN, and notes that."""
        what = words(self.dtype, "code of many points" if which else "code")
        first, total = self.data.inputs, self.data.total
        lanes = self.lanes if which else 1
        sizes = {
            number: self.program.size(number) * lanes * self.size(number)
            for number in range(first, total)
        }

        def fill(segments: int, _words: int, _begin: int, _end: int) -> None:
            self.failure.note(error, what)
            places = (ctypes.c_void_p * total).from_address(segments)
            for number, size in sizes.items():
                filler = 255 if self.size(number) > 1 else 0
                ctypes.memset(places[number] or 0, filler, size)

        made = _PIECE(fill)
        self.kept.append(made)
        return made

    def size(self, number: int) -> int:
        """Return the bytes of an operand's numbers."""
        kind = self.program.type_of(self.program.operands[number])
        return 1 if kind == "b" else ITEMSIZE[self.dtype]


def describe(program: Rolled, dtype: Float, lanes: int, data: RolledData) -> Any:
    """Fill in all that does not depend on the code; return the table that it points into."""
    operands = program.operands
    table = (OperandEntry * len(operands))()
    axes = len(operands)
    offset = batch = _line(8 * (len(operands) + 1))
    for number, operand in enumerate(operands):
        size = 1 if program.type_of(operand) == "b" else ITEMSIZE[dtype]
        shape, places = operand.shape, [*range(axes, axes + len(operand.shape))]
        axes += len(shape)
        counts = [1] * (2 - len(shape)) + list(shape)
        places = [number] * (2 - len(shape)) + places
        table[number] = OperandEntry(
            size, counts[0], places[0], counts[1], places[1], offset, batch
        )
        offset += _line(size * program.size(number))
        batch += _line(size * program.size(number) * lanes)
    data.operands = ctypes.addressof(table)
    data.total, data.inputs = len(operands), len(program.arguments)
    data.work = data.bytes = offset
    data.batch_work = data.batch_bytes = batch
    data.lanes, data.least, data.least_beside = lanes, _NEVER, _NEVER
    data.in_place = int(axes == len(operands))
    return table


def work_bytes(cells: int, dtype: Float) -> int:
    """Return the memory of work cells."""
    return _line(cells * ITEMSIZE[dtype]) + _LINE


def add_work(data: RolledData, cells: int, dtype: Float, *, batch: bool) -> None:
    """Make room in the scratch memory for work cells."""
    if batch:
        data.batch_bytes = data.batch_work + work_bytes(cells * data.lanes, dtype)
    else:
        data.bytes = data.work + work_bytes(cells, dtype)


def least_points(
    program: Rolled, parts: Sequence[Part | Piece], lanes: int, *, beside: bool = False
) -> int:
    """Return how many points are worth a block, which takes as long for one as for all.

    The parts are those of the code for one point, which may lie `beside` others.
    """
    cells = sum(program.size(number) for number in range(len(program.operands)))
    point = sum(part.cycles for part in parts) + _APART * cells * beside
    block = sum(part.batch_cycles for part in parts) + MOVED * cells * lanes
    least = ceil(block / max(point, 1.0)) + 1
    return least if least <= lanes else _NEVER


def weigh_blocks(program: Rolled, parts: Sequence[Part | Piece], data: RolledData) -> None:
    """Note how many points are worth a block, wherever they lie."""
    data.least, data.least_beside = (
        least_points(program, parts, data.lanes, beside=beside) for beside in (False, True)
    )


def _line(size: int) -> int:
    """Round up to whole cache lines, and keep large segments off the same sets of a cache."""
    return -(-size // _LINE) * _LINE + (_LINE if size >= 4096 else 0)


def _release(data: RolledData) -> None:
    free = ctypes.CDLL(None).free
    free.argtypes, free.restype = [ctypes.c_void_p], None
    for name in ("scratch", "batch_scratch"):
        free(getattr(data, name))
        setattr(data, name, 0)


def rolled_driver(symbol: str = DRIVER) -> Code:
    """Compile the driver, once per process."""
    return _drivers()[symbol]


@once
def _drivers() -> dict[str, Code]:
    code = kept_object(
        host(), lambda: (DRIVER,), lambda: object_code(emit_rolled_driver(host()), host())
    )
    return {name: load(code, name, host()) for name in (DRIVER, TEAM)}


def with_argument(program: Rolled, argument: Argument) -> Rolled:
    """Return a program without arguments as one with an argument that it does not read."""

    def moved(operand: Operand) -> Operand:
        if isinstance(operand, Numbers) or operand.segment < 0:
            return operand
        return Cells(operand.segment + 1, operand.index)

    def step(this: Step) -> Step:
        results: Any = this.results
        if isinstance(this, (Zero, Reduce)):
            results = moved(results)
        else:
            results = tuple(map(moved, results))
        if isinstance(this, Zero):
            return replace(this, results=results)
        return replace(this, results=results, operands=tuple(map(moved, this.operands)))

    return replace(program, arguments=(argument,), steps=tuple(map(step, program.steps)))
