"""`runnable`: the target that a name stands for on this machine, if it has one that runs it.

What is for GPUs is loaded where one is named.
"""

from codegen.target import Target, get

__all__ = ["runnable"]


def runnable(target: str | Target) -> Target:
    """Return a target that can run here, "cuda" with the architecture of the device that is there.

    Raise `TargetError` that names what is missing where no kernel can run.
    """
    machine = get(target)
    if machine.is_cuda:
        from codegen.cuda.build import on_device

        return on_device(machine)
    machine.require_host()
    return machine
