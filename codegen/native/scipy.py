"""`as_scipy`: a kernel as a `scipy.LowLevelCallable`, which SciPy calls without Python."""

import ctypes
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from codegen.native.call import CALLBACKS, callback
from rewrite.errors import ArgumentError, TargetError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["low_level_callable"]

_MANY: Final = "int (npy_intp *, double *, int, int, void *)"


def low_level_callable(kernel: "Kernel", signature: str | None, user_data: Any) -> Any:
    """Return the callable; see `Kernel.as_scipy`."""
    try:
        from scipy import LowLevelCallable
    except ImportError:
        raise TargetError("as_scipy() needs SciPy: pip install scipy") from None
    arguments, results = kernel.native_operands()
    given = np.empty(0) if user_data is None else np.array(user_data, np.float64).ravel()
    count = sum(each.components for each in arguments) - len(given)
    if any(each.kind != "double" for each in (*arguments, *results)):
        raise TargetError(
            f"SciPy calls functions of doubles, and kernel {kernel.__name__!r} has operands of "
            "float32 or truth values; compile it without dtype=float32, and compare within it"
        )
    if count < 1:
        raise ArgumentError(
            f"user_data holds {len(given)} numbers, and kernel {kernel.__name__!r} takes "
            f"{count + len(given)}, of which SciPy gives at least one"
        )
    form = signature or _default(count, len(given))
    if form not in CALLBACKS:
        raise TargetError(
            f"signature={form!r} is none that is known here; choices: {', '.join(CALLBACKS)}"
        )
    if len(given) and "void *" not in form:
        raise ArgumentError(f"signature={form!r} has no void *, which user_data needs")
    if form.startswith("double (double") and count != 1:
        raise ArgumentError(
            f"signature={form!r} has one number, and {count} are left for SciPy to give; fix the "
            "others with user_data=, or ask for 'double (int, double *)'"
        )
    if form != _MANY and (len(results) != 1 or results[0].components != 1):
        raise ArgumentError(f"signature={form!r} has one result, and the kernel has several")
    made = callback(form, arguments, results, len(given), kernel.native_source)
    function = made.function()
    function.user_data = given  # it stays as long as the callable does
    data = ctypes.c_void_p(given.ctypes.data) if len(given) else None
    return LowLevelCallable(function, data, signature=form)


def _default(count: int, own: int) -> str:
    more = ", void *" if own else ""
    return f"double (double{more})" if count == 1 else f"double (int, double *{more})"
