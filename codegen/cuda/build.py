"""From a lowered program to the kernel of a GPU, and the device that a target names."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from codegen.cuda import runtime
from codegen.cuda.kernel import CudaKernel
from codegen.program import Program
from codegen.target import Target
from rewrite.errors import ArgumentError

__all__ = ["cuda_kernel", "present"]

PRESENT: Final = "cuda"
"""The target that is the device which is there."""


def present(target: Target) -> Target:
    """Return a GPU as a target, with the architecture of the device that is there.

    Raise `TargetError` that names what is missing where no kernel can run.
    """
    runtime.require()
    if target.name != PRESENT:
        return target
    return replace(target, cpu="sm_{}{}".format(*runtime.capability()))


def cuda_kernel(program: Program, target: Target, options: Mapping[str, Any]) -> CudaKernel:
    """Make the kernel; refuse what is only of CPUs."""
    given = dict(options)
    if given.pop("parallel") != 1:
        raise ArgumentError("parallel= counts threads of the CPU; a GPU takes all that it has")
    if any(given.pop("patterns")):
        raise ArgumentError(
            "target='cuda' returns no sparse arrays: compile their entries, as in .terms of "
            "what rw.sparse_jacobian returns, and give them the structure of its pattern"
        )
    return CudaKernel(program, target, **given)
