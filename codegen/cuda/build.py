"""From a lowered program to the kernel of a GPU, and the device that a target names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from codegen.cuda import runtime
from codegen.cuda.kernel import CudaKernel
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import Target, get
from rewrite.errors import ArgumentError

__all__ = ["cuda_kernel", "runnable"]

PRESENT: Final = "cuda"
"""The target that is the device which is there."""


def runnable(target: str | Target) -> Target:
    """Return a target that can run here, "cuda" with the architecture of the device that is there.

    Raise `TargetError` that names what is missing where no kernel can run.
    """
    machine = get(target)
    if not machine.is_cuda:
        machine.require_host()
        return machine
    runtime.require()
    if machine.name != PRESENT:
        return machine
    return replace(machine, cpu="sm_{}{}".format(*runtime.capability()))


def cuda_kernel(
    program: Program | Rolled, target: Target, options: Mapping[str, Any]
) -> CudaKernel:
    """Make the kernel; refuse what is only of CPUs."""
    given = dict(options)
    if given.pop("parallel") != 1:
        raise ArgumentError("parallel= counts threads of the CPU; a GPU takes all that it has")
    return CudaKernel(program, target, **given)
