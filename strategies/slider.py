"""A slider over the iterations of a saturation, as a widget of ipywidgets."""

from functools import cache
from typing import TYPE_CHECKING, Any

from rewrite.optional import needed
from rewrite.tables import clean

if TYPE_CHECKING:
    from strategies.explore import Saturated

__all__ = ["slider"]


def slider(found: "Saturated") -> Any:
    """Return a box with the slider and the picture of the e-graph after that many iterations.

    Pictures are made when they are first looked at.
    """
    widgets = needed("ipywidgets", "Saturated.slider", "rewrite[notebook]")
    last = len(found.report.iterations)

    @cache
    def page(iteration: int) -> str:
        shown = found.at(iteration).show()
        size = f"<p>{clean(shown.notes[0])}</p>"
        return size + (shown._repr_svg_() or shown._repr_html_() or "")

    control = widgets.IntSlider(
        value=last, min=0, max=last, description="iterations", continuous_update=False
    )
    picture = widgets.HTML(page(last))

    def moved(change: Any) -> None:
        picture.value = page(change["new"])

    control.observe(moved, names="value")
    return widgets.VBox([control, picture])
