"""From a lowered program to the kernel of a GPU, and the device that a target names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from codegen.cuda import runtime
from codegen.cuda.kernel import CudaKernel
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import Target
from rewrite.errors import ArgumentError

__all__ = ["cuda_kernel", "on_device"]

PRESENT: Final = "cuda"
"""The target that is the device which is there."""


def on_device(machine: Target) -> Target:
    """Return the target of a GPU, "cuda" with the architecture of the device that is there.

    Raise `TargetError` that names what is missing where no kernel can run.
    """
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
