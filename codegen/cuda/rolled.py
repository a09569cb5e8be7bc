"""Launches of programs of loops: which threads share a state, and what they share of memory."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from math import ceil, inf
from typing import Any, Final, NamedTuple

import numpy as np

from codegen.branches import weight
from codegen.cuda import runtime
from codegen.cuda.arrays import View
from codegen.cuda.call import Given
from codegen.cuda.launch import Arranged, arrange, check_room, copied, launch, number_type, operands
from codegen.cuda.loops import LoopForm, Stage, loop_source, staged
from codegen.loops.program import Rolled
from codegen.target import ITEMSIZE, Float

__all__ = ["Loops", "Plan", "plain_source", "planned", "table_kinds"]

THREADS: Final = 256
RESIDENT: Final = 1024
"""Threads of a multiprocessor that keep its memory busy."""
_WARP: Final = 32
_USED: Final = 0.75
"""Share of threads that have something to do, at least, where some share a state."""
_LAUNCH: Final = 15.0
"""Rounds of loads that a launch takes as long as: some microseconds."""


class Plan(NamedTuple):
    """How threads are laid over states and instances."""

    lanes: int
    """States of a block."""
    columns: int
    """Blocks over states; each goes on to further states."""
    apart: bool
    """Whether each step is a launch, of as many rows of blocks as its instances fill."""


def planned(
    stages: Sequence[Stage], count: int, *, threads: int, resident: int, by_states: bool,
    room: float = inf,
) -> Plan:  # fmt: skip
    """Return the cheaper layout for so many states, of which `room` have work cells at a time.

    `by_states` says that neighbouring states are neighbours in memory, so that a warp should take
    one cell of 32 of them; else threads of a state share what the caches have of it.
    """
    width = _shared(stages, threads // _WARP if by_states and threads > _WARP else threads)
    lanes = threads // width
    lanes = min(lanes, 1 << (count - 1).bit_length())
    width = threads // lanes
    together = sum(ceil(s.units / width) * s.length for s in stages)
    each = sum(_LAUNCH + max(1.0, s.units * count / resident) * s.length for s in stages)
    # where states fill the device, steps apart would only read them from memory more often
    if each < together and count * width < resident and count <= room:
        lanes = min(_WARP, threads, 1 << (count - 1).bit_length()) if by_states else 1
        return Plan(lanes, ceil(count / lanes), True)
    columns = min(ceil(count / lanes), resident // threads, room // lanes)
    return Plan(lanes, max(1, int(columns)), False)


def _shared(stages: Sequence[Stage], most: int) -> int:
    """Return how many threads of a state have something to do most of the time."""
    costs = [(s.units, s.length * max(1, weight(s.shape.body))) for s in stages]
    work = sum(units * cost for units, cost in costs)
    width = 1
    while 2 * width <= most:
        taken = 2 * width * sum(ceil(units / (2 * width)) * cost for units, cost in costs)
        if work < _USED * taken:
            break
        width *= 2
    return width


class Loops:
    """A program of loops with its tables on the devices that it was called for."""

    def __init__(self, program: Rolled) -> None:
        self.found = staged(program)
        self.program = self.found.program
        self._tables: dict[tuple[int, Float], list[Any]] = {}
        self._work: dict[tuple[int, int | None, Float], Any] = {}
        self._dispatchers: dict[LoopForm, Any] = {}
        self._lock = threading.Lock()

    def source(self, form: LoopForm) -> str:
        """Return the Python that Numba compiles."""
        return loop_source(self.found, form)

    def launch(
        self, found: Sequence[Given], results: Sequence[View], shape: tuple[int, ...],
        dtype: Float, device: int, queue: int | None, *, last: bool,
    ) -> None:  # fmt: skip
        """Queue all steps for a batch of states."""
        made = arrange(self.program, found, results, shape, dtype, last=last)
        if not made.count:
            return
        form, views = _flat(self.program, made)
        made = replace(made, views=views, form=form)
        by_states = _by_states(made)
        plan = planned(
            self.found.stages, made.count, threads=_threads(), resident=_resident(),
            by_states=by_states, room=self._most(dtype),
        )  # fmt: skip
        with self._lock:  # work cells are those of the call before on the same stream
            self._queue(found, made, plan, by_states, device, queue)

    def _queue(
        self, found: Sequence[Given], made: Arranged, plan: Plan, by_states: bool, device: int,
        queue: int | None,
    ) -> None:  # fmt: skip
        dtype, cells = made.form.dtype, self.program.work
        slots = plan.columns * plan.lanes
        work = self._room(cells * slots, dtype, device, queue)
        wc, wt = (slots, 1) if by_states else (1, cells)
        sizes = [np.int64(size) for size in (made.count, *made.sizes[1:], plan.lanes, slots)]
        tables = [*self._on(device, dtype), work, np.int64(wc), np.int64(wt)]
        passed = operands(found, made)
        assert isinstance(made.form, LoopForm)
        dispatcher = self.dispatcher(made.form)
        stages = self.found.stages
        turns = [(k, k + 1) for k in range(len(stages))] if plan.apart else [(0, len(stages))]
        for begin, end in turns:
            rows = 1
            if plan.apart:
                width = _threads() // plan.lanes
                rows = min(ceil(stages[begin].units / width), 65_535)
            steps = [np.int64(begin), np.int64(end)]
            blocks: Any = (plan.columns, rows)
            launch(
                dispatcher, (blocks, _threads()), found, queue, [*sizes, *steps, *tables, *passed]
            )

    def _most(self, dtype: Float) -> float:
        """Return for how many states work cells fit into half of what memory is free."""
        free, _ = runtime.cuda().current_context().get_memory_info()
        size = self.program.work * ITEMSIZE[dtype]
        return free / 2 // size if size else inf

    def dispatcher(self, form: LoopForm) -> Any:
        """Return what launches a form."""
        if form not in self._dispatchers:
            self._dispatchers[form] = runtime.launchable(self.source(form), self.program, form)
        return self._dispatchers[form]

    def _room(self, cells: int, dtype: Float, device: int, queue: int | None) -> Any:
        """Return work cells for so many states at a time."""
        key, kind = (device, queue, dtype), number_type(dtype)
        held = self._work.get(key)
        if held is None or held.size < cells:
            self._work.pop(key, None)
            check_room(self.program.name, "room for work cells", (max(cells, 1),), kind)
            held = self._work[key] = runtime.cuda().device_array(max(cells, 1), kind)
        return held

    def _on(self, device: int, dtype: Float) -> list[Any]:
        """Return the tables on a device, copied there by the first call."""
        if (device, dtype) not in self._tables:
            arrays = self.found.arrays(dtype)
            self._tables[device, dtype] = copied(self.program.name, "a table of its loops", arrays)
        return self._tables[device, dtype]


def _flat(program: Rolled, made: Arranged) -> tuple[LoopForm, list[View]]:
    """Join the axes of cells where strides allow, and say where they do not."""
    form, rank = made.form, made.form.rank
    views, split = [], []
    held = iter(made.views)
    for number, operand in enumerate(program.operands):
        scalar = number < len(form.scalars) and form.scalars[number]
        view = None if scalar else next(held)
        apart = False
        if view is not None and len(operand.shape) > 1:
            (*outer, first, second), (*steps, far, near) = view.shape, view.strides
            if second == 1 or first == 1 or far == second * near:
                near = far if second == 1 else near
                view = replace(view, shape=(*outer, first * second), strides=(*steps, near))
            else:
                apart = True
        split.append(apart)
        if view is not None:
            views.append(view)
    return LoopForm(form.dtype, rank, form.wide, form.scalars, 1, tuple(split)), views


def _by_states(made: Arranged) -> bool:
    """Tell whether most cells of neighbouring states are neighbours in memory."""
    rank = made.form.rank
    votes = 0
    for view in made.views:
        cells = int(np.prod(view.shape[rank:], dtype=np.int64))
        if cells > 1 and view.strides[rank - 1]:
            votes += cells if abs(view.strides[rank - 1]) <= abs(view.strides[-1]) else -cells
    return votes >= 0


def _threads() -> int:
    return 4 if runtime.is_simulated() else THREADS  # a simulated thread is one of Python


def _resident() -> int:
    if runtime.is_simulated():
        return 8
    return RESIDENT * int(runtime.cuda().get_current_device().MULTIPROCESSOR_COUNT)


def plain_source(program: Rolled, dtype: Float) -> tuple[str, LoopForm]:
    """Return the source and the form for contiguous arrays of one axis."""
    scalars, split = (False,) * len(program.arguments), (False,) * len(program.operands)
    form = LoopForm(dtype, 1, False, scalars, 1, split)
    return loop_source(staged(program), form), form


def table_kinds(dtype: Float) -> list[Any]:
    """Return the types of what a kernel of loops is passed between sizes and operands."""
    kind = number_type(dtype)
    tables = [(np.dtype(np.int32), 1), (kind, 1), (kind, 1)]
    return [*[np.int64] * 4, *tables, *[np.int64] * 2]
