"""`KernelCost`: what a kernel's loop costs, by the model and as it was measured."""

from dataclasses import dataclass

__all__ = ["KernelCost"]


@dataclass(frozen=True, slots=True)
class KernelCost:
    """Predicted cost of a kernel's loop body, in the unit of its model."""

    before: float
    after: float
    unit: str
    model: str
    measured: float | None = None
    """Cycles an element, once `Kernel.measure` has been asked."""
    predicted: float | None = None
    """Cycles an element of the loop as it was emitted, once `Kernel.predict` or `measure` has."""

    def __repr__(self) -> str:
        """Show the figures and where they come from."""
        more = "" if self.predicted is None else f", loop predicted {self.predicted:.4g}"
        more += "" if self.measured is None else f", measured {self.measured:.4g}"
        return f"{self.before:.4g} -> {self.after:.4g} {self.unit} ({self.model}){more}"
