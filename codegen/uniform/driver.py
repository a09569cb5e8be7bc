"""The driver of a loop with scalar arguments: it computes what depends on them alone by itself.

It is NumPy's inner loop. The two parts of the program are compiled when calls with the same scalars
have taken long enough; until then, and for all other calls, the whole loop is run.
"""

import ctypes
from typing import Final

from llvmlite import ir

from codegen.llvm.scribe import I64, POINTER, VOID
from codegen.llvm.streams import feeds_back
from codegen.llvm.words import Words
from codegen.target import Target
from codegen.uniform.split import MOST_VALUES

__all__ = ["MOST_OPERANDS", "NEVER", "UNIFORM", "UniformData", "emit_uniform"]

UNIFORM: Final = "rewrite_uniform"
MOST_OPERANDS: Final = 32
"""Of the whole, and of its parts."""
NEVER: Final = -1
"""A mask that fits no call."""


class UniformData(ctypes.Structure):
    """What NumPy hands to this driver."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in (
                # the whole loop's driver and what it reads; operands, and how many are arguments
                "driver", "data", "operands", "inputs",
                # elements that are worth two calls; which arguments must be scalars (0: not known),
                # what that is to be, and what finds out
                "least", "mask", "wanted", "prepare",
                # picoseconds of such calls that are left until then, and those of an element
                "left", "work",
                # the first part, and how many arguments and results it has
                "first_driver", "first", "first_takes", "values",
                # the rest, and its arguments
                "rest_driver", "rest", "rest_takes",
            )
        ),
        ("first_map", ctypes.c_int64 * MOST_OPERANDS),
        ("rest_map", ctypes.c_int64 * MOST_OPERANDS),
    )  # fmt: skip


def emit_uniform(target: Target) -> str:
    """Return the text of the driver's LLVM module."""
    module = ir.Module(name=UNIFORM)
    module.triple = target.triple
    _Driver(module).emit()
    return str(module)


class _Driver:
    """`uniform(args, dims, steps, data)`; `data` is a `UniformData`."""

    def __init__(self, module: ir.Module) -> None:
        function = ir.Function(module, ir.FunctionType(VOID, [POINTER] * 4), UNIFORM)
        self.args, self.dims, self.steps, self.data = function.args
        self.code = Words(function.append_basic_block("entry"))
        self.whole = self.code.append_basic_block("whole")
        tables = [self.code.room(8 * MOST_OPERANDS) for _ in range(2)]
        self.places, self.strides = tables
        self.results, self.one = self.code.room(8 * MOST_VALUES), self.code.room(8)

    def known(self, name: str) -> ir.Value:
        """Read a field of the description."""
        return self.code.get(self.data, UniformData, name)

    def unless(self, condition: ir.Value) -> None:
        """Leave for the whole loop unless a condition holds."""
        fine = self.code.append_basic_block("fine")
        self.code.cbranch(condition, fine, self.whole)
        self.code.position_at_end(fine)

    def emit(self) -> None:
        """Write it."""
        code = self.code
        count = code.load(self.dims, typ=I64)
        self.unless(code.icmp_signed(">=", count, self.known("least")))
        self.unless(code.not_(self.feedback(count)))
        scalars = self.scalars()
        self.unless(code.icmp_signed("!=", scalars, I64(0)))
        mask = code.word(self.data, UniformData, "mask")
        unknown = code.equal(code.load_atomic(mask, "acquire", 8, typ=I64), I64(0))
        with code.if_then(unknown, likely=False):
            self.find_out(scalars, count, mask)
        wanted = code.load_atomic(mask, "acquire", 8, typ=I64)
        fits = code.equal(code.and_(scalars, wanted), wanted)
        self.unless(code.and_(fits, code.icmp_signed("!=", wanted, I64(0))))
        self.run_first()
        self.run_rest()
        code.ret_void()
        code.position_at_end(self.whole)
        given = [self.args, self.dims, self.steps, code.inttoptr(self.known("data"), POINTER)]
        code.called(self.known("driver"), VOID, given)
        code.ret_void()

    def feedback(self, count: ir.Value) -> ir.Value:
        """Tell whether results are arguments of later elements, as in `ufunc.accumulate`.

        The rest has other arguments, so that its own driver would not see that. There are three
        operands at least: of one argument nothing is taken apart.
        """
        code = self.code
        pair = code.equal(self.known("inputs"), I64(2))
        single = code.equal(self.known("operands"), I64(3))
        found = feeds_back(code, self.args, self.steps, count)
        return code.and_(found, code.and_(pair, single))

    def scalars(self) -> ir.Value:
        """Return a bit for each argument that is a scalar; leave where a result is one, too."""
        code, found = self.code, self.one
        code.store(I64(0), found)
        with code.counted(I64(0), self.known("inputs")) as number:
            same = code.zext(code.equal(code.read(self.steps, number), I64(0)), I64)
            before = code.load(found, typ=I64)
            code.store(code.or_(before, code.shl(same, number)), found)
        with code.counted(self.known("inputs"), self.known("operands")) as number:
            self.unless(code.icmp_signed("!=", code.read(self.steps, number), I64(0)))
        return code.load(found, typ=I64)

    def find_out(self, scalars: ir.Value, count: ir.Value, mask: ir.Value) -> None:
        """Have the program taken apart, once such calls have taken long enough."""
        code = self.code
        work = code.mul(count, self.known("work"))
        left = code.sub(self.known("left"), work)
        code.put(left, self.data, UniformData, "left")
        with code.if_then(code.less(left, I64(0)), likely=False):
            code.called(self.known("prepare"), VOID, [scalars])
            code.atomic_rmw("xchg", mask, self.known("wanted"), "release")

    def run_first(self) -> None:
        """Compute what is the same for all elements."""
        code, takes = self.code, self.known("first_takes")
        operands = code.add(takes, self.known("values"))
        with code.counted(I64(0), operands) as number:
            code.store(I64(0), code.slot(self.strides, number))
        with code.counted(I64(0), takes) as number:
            place = code.read(self.args, self.mapped("first_map", number))
            code.store(place, code.slot(self.places, number))
        with code.counted(takes, operands) as number:
            place = code.slot(self.results, code.sub(number, takes))
            code.store(code.ptrtoint(place, I64), code.slot(self.places, number))
        code.store(I64(1), self.one)
        data = code.inttoptr(self.known("first"), POINTER)
        code.called(self.known("first_driver"), VOID, [self.places, self.one, self.strides, data])

    def run_rest(self) -> None:
        """Run the loop of what is left; results come after its arguments."""
        code, takes = self.code, self.known("rest_takes")
        with code.counted(I64(0), takes) as number:
            source = self.mapped("rest_map", number)
            with code.if_else(code.less(source, I64(0))) as (value, argument):
                with value:
                    place = code.slot(self.results, code.not_(source))
                    self.set(number, code.ptrtoint(place, I64), I64(0))
                with argument:
                    self.copy(number, source)
        inputs = self.known("inputs")
        with code.counted(inputs, self.known("operands")) as operand:
            self.copy(code.add(takes, code.sub(operand, inputs)), operand)
        data = code.inttoptr(self.known("rest"), POINTER)
        code.called(self.known("rest_driver"), VOID, [self.places, self.dims, self.strides, data])

    def mapped(self, name: str, number: ir.Value) -> ir.Value:
        """Read an entry of a map."""
        return self.code.read(self.code.word(self.data, UniformData, name), number)

    def copy(self, number: ir.Value, operand: ir.Value) -> None:
        """Hand over an operand as it came."""
        code = self.code
        self.set(number, code.read(self.args, operand), code.read(self.steps, operand))

    def set(self, number: ir.Value, place: ir.Value, step: ir.Value) -> None:
        """Enter an operand of a part."""
        code = self.code
        code.store(place, code.slot(self.places, number))
        code.store(step, code.slot(self.strides, number))
