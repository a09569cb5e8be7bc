"""`KernelCost`: what a kernel's loop costs, by the model and as it was measured."""

from dataclasses import dataclass

from rewrite.display import Displayed
from rewrite.tables import Section, bars

__all__ = ["KernelCost"]


@dataclass(frozen=True, slots=True)
class KernelCost(Displayed):
    """Predicted cost of a kernel's loop body, in the unit of its model."""

    before: float
    after: float
    unit: str
    model: str
    measured: float | None = None
    """Cycles an element, once `Kernel.measure` has been asked."""
    predicted: float | None = None
    """Cycles an element, by the loop as it was emitted, once `Kernel.predict` or `measure` has."""

    def __repr__(self) -> str:
        """Show the figures and where they come from."""
        more = "" if self.predicted is None else f", predicted {self.predicted:.4g}"
        more += "" if self.measured is None else f", measured {self.measured:.4g}"
        return f"{self.before:.4g} -> {self.after:.4g} {self.unit} ({self.model}){more}"

    def rows(self) -> list[tuple[str, float]]:
        """Return what is known, by name, in the unit of the model or in cycles an element."""
        known = [("before", self.before), ("after", self.after)]
        later = [("predicted", self.predicted), ("measured", self.measured)]
        return known + [(name, value) for name, value in later if value is not None]

    def section(self) -> Section:
        """Make a table with bars.

        >>> print(KernelCost(6.0, 3.0, "cycles/element", "zen4-avx2/f64").section())
        cost by zen4-avx2/f64
                  cycles/element
          before               6  ████████████████████
          after                3  ██████████
        """
        return bars(f"cost by {self.model}", self.rows(), what=("", self.unit))

    def _repr_html_(self) -> str:
        return self.section().html()
