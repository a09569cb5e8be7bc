"""`UniformLoop`: a loop whose calls with scalar arguments compute what is made of these once."""

import _thread
import ctypes
import threading
from collections.abc import Callable
from typing import Any, Final

from codegen.coder import once
from codegen.crew.loop import SpreadLoop, picoseconds
from codegen.engine import Code, load, object_code
from codegen.failure import Failure
from codegen.llvm.loop import Loop
from codegen.program import Program
from codegen.store.objects import kept_object
from codegen.target import Float, Target, host
from codegen.uniform.driver import MOST_OPERANDS, NEVER, UNIFORM, UniformData, emit_uniform
from codegen.uniform.split import MOST_VALUES, Split, split, worthwhile

__all__ = ["UniformLoop", "uniform"]

type Around = Callable[[Loop, Program], Loop | SpreadLoop]

_LEAST: Final = 128
"""Elements: below, a second call of a driver takes as long as what is saved."""
_WORK: Final = 3e10
"""Picoseconds of calls with scalars after which the parts are compiled, which takes as long."""
_TRIES: Final = 4
"""So many kinds of scalars are looked at."""
_SOON: Final = 0.01
"""Seconds until an interruption is passed on, when the machine code that called is done."""
_PREPARE = ctypes.CFUNCTYPE(None, ctypes.c_int64)


class UniformLoop:
    """A loop as NumPy is to call it where some of its values may be the same for all elements."""

    def __init__(
        self, loop: Loop | SpreadLoop, program: Program, target: Target, failure: Failure,
        around: Around,
    ) -> None:  # fmt: skip
        self.loop = loop
        work = int(picoseconds(program, loop.dtype, target)) + 1
        self.data = UniformData(
            driver=loop.driver.address, data=ctypes.addressof(loop.data),
            operands=len(program.operands), inputs=len(program.arguments), least=_LEAST,
            work=work, left=int(_WORK),
        )  # fmt: skip
        self.maker = _Maker(program, loop.dtype, target, failure, around, self.data)
        # the stub stays alive with the loop: a call may still be on its way through it
        self._stub = _PREPARE(self.maker.prepare)
        self.data.prepare = ctypes.cast(self._stub, ctypes.c_void_p).value or 0

    @property
    def dtype(self) -> Float:
        """Its float type."""
        return self.loop.dtype

    @property
    def driver(self) -> Code:
        """The function that NumPy calls."""
        return _driver()

    def types(self) -> bytes:
        """Return NumPy's type numbers of the operands."""
        return self.loop.types()


class _Maker:
    """Takes a program apart. It does not refer to the stub: no cycle keeps code."""

    def __init__(
        self, program: Program, dtype: Float, target: Target, failure: Failure, around: Around,
        data: UniformData,
    ) -> None:  # fmt: skip
        self.program, self.dtype, self.target, self.failure = program, dtype, target, failure
        self.around, self.data = around, data
        self.tries = _TRIES
        self.lock = threading.Lock()
        self.kept: tuple[Any, ...] = ()

    def prepare(self, scalars: int) -> None:
        """Make the loops of both parts for these scalars, unless there is little to gain.

        Nothing leaves here, as nobody would see it: what fails is not tried again, an interruption
        comes after the call. Who comes meanwhile, as a signal's handler, runs the whole loop.
        """
        if not self.lock.acquire(blocking=False):
            return
        try:
            self.data.left = int(_WORK)
            if not self.data.wanted:
                self.look(scalars)
        except KeyboardInterrupt:
            threading.Timer(_SOON, _thread.interrupt_main).start()
        except Exception:
            self.data.wanted = NEVER
        finally:
            self.lock.release()

    def look(self, scalars: int) -> None:
        """Take the program apart if that pays."""
        made = split(self.program, scalars)
        if made is not None:
            self.publish(made)
            return
        self.tries -= 1
        if not self.tries:
            self.data.wanted = NEVER

    def publish(self, made: Split) -> None:
        """Compile the parts, and let the driver find them."""
        data, common = self.data, (self.dtype, self.target, self.failure)
        first = Loop(made.first, *common, lazy=False)
        rest = self.around(Loop(made.rest, *common, lazy=False), made.rest)
        self.kept = first, rest
        data.first_driver, data.first = first.driver.address, ctypes.addressof(first.data)
        data.rest_driver, data.rest = rest.driver.address, ctypes.addressof(rest.data)
        data.first_takes, data.rest_takes = len(made.first_takes), len(made.rest_takes)
        data.values = len(made.first.outputs)
        data.first_map[: len(made.first_takes)] = made.first_takes
        data.rest_map[: len(made.rest_takes)] = made.rest_takes
        data.wanted = made.mask


def uniform(
    loop: Loop | SpreadLoop, program: Program, target: Target, failure: Failure,
    around: Around = lambda loop, program: loop,
) -> Loop | SpreadLoop | UniformLoop:  # fmt: skip
    """Return the loop as NumPy is to call it; `around` wraps that of what is left likewise."""
    if len(program.operands) + MOST_VALUES > MOST_OPERANDS or not worthwhile(program):
        return loop
    return UniformLoop(loop, program, target, failure, around)


@once
def _driver() -> Code:
    """Compile the driver, once per process."""
    made = kept_object(
        host(), lambda: (UNIFORM,), lambda: object_code(emit_uniform(host()), host())
    )
    return load(made, UNIFORM, host())
