"""What all kernels call, compiled by the thread of LLVM while terms are searched for.

Each is made once in a process. Where that begins only once it is asked for, it waits behind the
code of the kernel itself.
"""

from functools import cache, partial

from codegen.coder import begin
from codegen.direct import point_maker
from codegen.engine import driver
from codegen.guarded import guard_maker
from codegen.loops.loop import rolled_driver

__all__ = ["ahead"]


@cache
def ahead(*, arrays: bool, rolled: bool) -> None:
    """Begin to make what a first kernel needs; what fails is made again where it is called for."""
    begin(partial(guard_maker, narrow=False, sized=False))
    if arrays:
        begin(point_maker)
    begin(rolled_driver if rolled else driver)
