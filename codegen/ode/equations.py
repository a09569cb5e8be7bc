"""`Equations`: the kernels of a system, compiled when they are first needed."""

from functools import cached_property
from typing import Any

import numpy as np

from codegen.compile import compile_kernel
from codegen.kernel import Kernel
from codegen.native.call import Native, derivatives
from codegen.ode.system import System
from rewrite.array import asarray
from strategies.calculus.pattern import Pattern
from strategies.calculus.sparse import SparseTerms, jacobian_sparsity, sparse_jacobian

__all__ = ["Equations"]


class Equations:
    """The right-hand side of a system and its Jacobian by the states, as terms and as kernels.

    Kernels take the time, the state and the parameters.
    """

    def __init__(self, system: System, options: dict[str, Any]) -> None:
        self.system, self.options = system, options

    def __repr__(self) -> str:
        """Show the size."""
        return f"<Equations of {self.system!r}>"

    @property
    def arguments(self) -> list[Any]:
        """What the kernels take."""
        return [self.system.time, self.system.states, *self.system.parameters]

    @cached_property
    def rhs(self) -> Kernel:
        """The kernel of the derivatives."""
        kernel: Kernel = compile_kernel(
            self.arguments, self.system.rhs, name="rhs", **self.options
        )  # fmt: skip
        return kernel

    @cached_property
    def derivatives(self) -> Native:
        """The derivatives as a C function, for solvers in machine code."""
        return derivatives(self.rhs)

    @cached_property
    def jacobian_terms(self) -> SparseTerms:
        """The entries of the Jacobian that are not zero, column by column."""
        found = sparse_jacobian(self.system.rhs, self.system.states, format="csc")
        if found.nnz:
            return found
        # solvers and compilers want an entry: derivatives of time alone have a zero
        nowhere = np.zeros(1, np.int32)
        pattern, _ = Pattern.of(nowhere, nowhere, found.shape, "csc")
        return SparseTerms(asarray([0], self.system.rhs.store), pattern)

    @cached_property
    def jacobian(self) -> Kernel:
        """The kernel of the Jacobian, which returns or fills SciPy's CSC array."""
        kernel: Kernel = compile_kernel(
            self.arguments, self.jacobian_terms, name="jacobian", **self.options
        )  # fmt: skip
        return kernel

    @property
    def pattern(self) -> Pattern:
        """Where the Jacobian has its entries."""
        return self.jacobian_terms.pattern

    @cached_property
    def sparsity(self) -> Any:
        """Where the Jacobian may be other than zero, told without a derivative, as SciPy has it."""
        found = jacobian_sparsity(self.system.rhs, self.system.states)
        if not found.nnz:
            return self.jacobian_terms.sparsity().astype(np.float64)
        return found.astype(np.float64).tocsc()
