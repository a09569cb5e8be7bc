"""What a kernel offers outside of Python and NumPy: addresses, callables, files, source text."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codegen.loops.program import Rolled
from codegen.native.call import Native, Operand, Source, narrow_body, native, operands_of
from codegen.program import Program
from rewrite.errors import TargetError

if TYPE_CHECKING:
    from codegen.kernel import Kernel
    from codegen.native.export import Exported, Kind

__all__ = ["Outside"]


class Outside:
    """The part of `Kernel` that hands its machine code and its program to others.

    Pointers that are handed out hold as long as the kernel does, or what it returned with them:
    `ctypes`, `as_scipy()` and functions of Numba keep the code that they call; an `address` is a
    number and keeps nothing. Who asks for one waits for the code, and gets `CompilationError` where
    it could not be made: a C function cannot raise. One part is made in the first call that needs
    it, that for arguments which are rare (huge, special, subnormal) in some elementary functions:
    where that fails, results are NaN, and Python reports the error as one that was ignored.
    """

    @property
    def _kernel(self) -> "Kernel":
        return cast("Kernel", self)

    @cached_property
    def native(self) -> Native:
        """The kernel as a C function for one point, with its `signature` and `address`.

        A kernel of single numbers with one result is `double f(double x, double s)`; any other is
        `void f(const double *v, double x, double *out)`, with arrays and results by the address of
        contiguous memory, and single numbers by value. With dtype=float32 numbers are `float`;
        truth values are `unsigned char`. Any number of threads may call it.
        """
        return native(*self.native_operands(), self.native_source)

    @cached_property
    def native_source(self) -> Source:
        """What C functions of this kernel call."""
        kernel = self._kernel
        kernel.loop().ready()
        body = narrow_body(kernel.program, kernel.loop().dtype, kernel.target)
        return Source(kernel.loop(), body, kernel.target)

    def native_operands(self) -> tuple[list[Operand], list[Operand]]:
        """Return the arguments and results of `native`."""
        kernel = self._kernel
        return operands_of(kernel.program, kernel.loop().dtype)

    @property
    def address(self) -> int:
        """The address of `native`, which is valid as long as the kernel is.

        >>> import ctypes, rewrite as rw
        >>> x, y = rw.symbols("x y")
        >>> f = rw.compile([x, y], x * y)
        >>> ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)(f.address)(3.0, 2.0)
        6.0
        """
        return self.native.address

    @property
    def c_signature(self) -> str:
        """The C type of `native`, such as 'double (double, double)'."""
        return self.native.signature

    @cached_property
    def ctypes(self) -> Any:
        """`native` as a function of ctypes, with its `argtypes` and `restype`.

        It keeps the machine code. Arrays are `POINTER(c_double)`: use
        `array.ctypes.data_as(f.argtypes[0])`, and keep the array contiguous.

        >>> import rewrite as rw
        >>> x = rw.symbol("x")
        >>> rw.compile([x], x + 1).ctypes(2.5)
        3.5
        """
        return self.native.function()

    def as_scipy(self, signature: str | None = None, *, user_data: Any = None) -> Any:
        """Return a `scipy.LowLevelCallable`: SciPy calls it without entering Python.

        By default it is 'double (double)' for a kernel of one number, as `scipy.integrate.quad`
        takes, and else 'double (int, double *)', for `quad` with `args=` and for `nquad`. The
        arguments are in order: x, then those of `args=`; an array counts as its numbers.
        `user_data` holds values of the last arguments, which SciPy then does not give; they are
        copied. 'int (double *, npy_intp, double *, void *)' is for `ndimage.generic_filter`, whose
        window are the arguments; 'int (double *, npy_intp, double *, npy_intp, void *)' for
        `generic_filter1d`; 'int (npy_intp *, double *, int, int, void *)' for
        `geometric_transform`, from coordinates to coordinates.

        Raise `TargetError` for another signature, for float32 and truth values, and where SciPy is
        not installed, `ArgumentError` where the number of arguments or results does not fit.

        >>> import rewrite as rw
        >>> x, a = rw.symbols("x a")
        >>> from scipy.integrate import quad
        >>> round(quad(rw.compile([x, a], rw.exp(-a * x)).as_scipy(user_data=[2.0]), 0, 1)[0], 12)
        0.432332358382
        """
        from codegen.native.scipy import low_level_callable  # loaded by those who ask

        return low_level_callable(self._kernel, signature, user_data)

    @cached_property
    def numba(self) -> Any:
        """The kernel as a function that Numba has compiled, for one point.

        In functions of `numba.njit` the kernel itself can be called, which is this function: with
        numbers, and contiguous arrays of the shapes of its array arguments; results are numbers and
        new arrays. Integers are cast. There, loop over the elements of longer arrays.
        Functions that call a kernel are left out of Numba's cache on disk.

        >>> import numba, rewrite as rw
        >>> x, y = rw.symbols("x y")
        >>> f = rw.compile([x, y], (x + y, x * y))
        >>> numba.njit(lambda a: f(a, 2)[1] + 1)(3.0)
        7.0
        """
        from codegen.native.numba import numba_function  # loaded by those who ask

        return numba_function(self._kernel)

    @property
    def _numba_type_(self) -> Any:
        """What Numba takes the kernel for."""
        return self.numba._numba_type_

    @cached_property
    def c_source(self) -> str:
        """The program as a C function that needs <math.h> alone, to read or to compile elsewhere.

        It is `native` by another road: the same order of operations, with the C library's
        elementary functions, so that last bits may differ. Compile it without -ffast-math, and
        with -ffp-contract=off.

        >>> import rewrite as rw
        >>> x = rw.symbol("x")
        >>> print(rw.compile([x], x * x + 1, name="f", math="strict").c_source.split("*/")[1])
        <BLANKLINE>
        #include <math.h>
        <BLANKLINE>
        double f(double x)
        {
            const double v1 = x * x;
            return v1 + 1.0;
        }
        <BLANKLINE>
        """
        from codegen.native.cloops import c_loops
        from codegen.native.csource import c_source

        kernel, program = self._kernel, self._kernel.program
        if isinstance(program, Rolled):
            return c_loops(program, kernel.loop().dtype, kernel.expression)
        return c_source(self._without_loops(program), kernel.loop().dtype, kernel.expression)

    @cached_property
    def python_source(self) -> str:
        """The program as a Python function of NumPy, to read or to run where this is not installed.

        Loops over tables are array operations, whose sums NumPy takes in an order of its own.

        >>> import rewrite as rw
        >>> x = rw.symbol("x")
        >>> print(rw.compile([x], rw.sin(x) + 1, name="f").python_source)
        import numpy as np
        <BLANKLINE>
        <BLANKLINE>
        def f(x):
            v1 = np.sin(x)
            return v1 + 1.0
        <BLANKLINE>
        """
        from codegen.native.pyloops import python_loops
        from codegen.native.pysource import python_source

        kernel, program = self._kernel, self._kernel.program
        if isinstance(program, Rolled):
            return python_loops(program, kernel.results)
        return python_source(self._without_loops(program), kernel.results)

    def _without_loops(self, program: Program) -> Program:
        """Return a program, or raise where it has loops that depend on data."""
        if program.steps:
            raise TargetError(
                f"kernel {self._kernel.__name__!r} runs loops as often as the arguments say, whose "
                "source is the function that it was made of"
            )
        return program

    def export(
        self, name: str, *, folder: str | Path = ".", targets: Sequence[str] | str = ("native",),
        kind: "Kind" = "object", dtype: Any = None,
    ) -> "Exported":  # fmt: skip
        """Write a C header and an object file or shared library, which need libm and no Python.

        `name` names files and functions; what is no C identifier becomes one. For x, s -> one
        result they are `void pdf(size_t n, const double *x, const double *s, double *pdf_out)` and
        `pdf_strided` with a stride after each pointer, in elements; `pdff` and `pdff_strided` are
        those of float32, `pdf_target` names the target in use. Booleans are unsigned char. Array
        operands are contiguous in each point, points first (last under `batch_axis=-1`). Tables of
        loops are constants of the file.

        The first call takes the first of `targets` that the CPU runs, widest vectors first; the
        baseline ("sse2" or "neon") is always among them, so that each machine of the architecture
        runs the code. "native" is the instruction set of this machine. Any architecture can be
        exported, of one at a time. Without `dtype` there are functions of each type that the
        kernel has. Results have the bits of the Python kernel on the same target.

        Return the paths (`.header`, `.binary`). Raise `TargetError` for targets of different
        architectures, and for kind="shared" where there is no C compiler to link with.
        """
        from codegen.native.export import export  # loaded by those who ask

        return export(self._kernel, name, folder, targets, kind, self._kernel.floats(dtype))
