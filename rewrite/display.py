"""What a notebook shows: HTML, LaTeX or SVG of bounded length, and text in any case."""

from functools import cache
from typing import Any, Final

__all__ = ["MOST", "Code", "Displayed", "legal", "preformatted"]

MOST: Final = 60_000
"""Letters of one form; a longer one is left out, and text is cut."""
MOST_CODE: Final = 9_000
"""Letters of code: in HTML a letter may take six, and with colours more."""
_WRITERS: Final = {
    "text/html": ("_repr_html_", MOST),
    "text/latex": ("_repr_latex_", MOST),
    "image/svg+xml": ("_repr_svg_", 50 * MOST),
}
# colours of its own: pages may be light or dark
_STYLE: Final = (
    "text-align:left;font-family:monospace;max-height:32em;overflow:auto;padding:0.4em;"
    "background:#f8f8f8;color:#222222"
)


# Terms are of this module: what it takes to write pages is loaded by those who do.


@cache
def _illegal() -> Any:
    """Match what XML 1.0 cannot hold, not even escaped, and messages to a notebook neither."""
    import re

    return re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def legal(text: str) -> str:
    r"""Replace what HTML cannot hold.

    >>> legal("a" + chr(0))
    'a�'
    """
    return str(_illegal().sub("\ufffd", text))


class Displayed:
    """A base for what looks better in a notebook than at a prompt.

    A class has `_repr_html_`, `_repr_latex_` or `_repr_svg_`, each of which may return None; what
    is too long is left out, and the text, which is always there, is cut.
    """

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Offer each form that is there and not too long, as IPython asks."""
        text = str(self)
        found = {"text/plain": text if len(text) <= MOST else f"{text[:MOST]}…"}
        for kind, (name, most) in _WRITERS.items():
            write = getattr(self, name, None)
            made = None if write is None else write()
            if made and len(made) <= most:
                found[kind] = made
        return {
            kind: legal(text)
            for kind, text in found.items()
            if (not include or kind in include) and (not exclude or kind not in exclude)
        }


def preformatted(text: str, most: int = MOST_CODE) -> str:
    """Write text as it stands, its first `most` letters; a page does not typeset it.

    >>> preformatted("a < $b$")[-16:]
    'a &lt; $b$</pre>'
    """
    from html import escape

    return _framed(escape(legal(text[:most])), len(text) - most)


def _framed(shown: str, left: int) -> str:
    more = f"\n… {left} more letters; print shows them" if left > 0 else ""
    return f'<pre style="{_STYLE}">{shown}{more}</pre>'


class Code(Displayed, str):
    r"""The text of a program: a `str` that shows its lines, in a notebook in colour.

    Colours are Pygments' where it is installed; else the text is as it is.

    >>> text = Code("define void @f() {\n}", "llvm")
    >>> text
    define void @f() {
    }
    >>> text == "define void @f() {\n}"
    True
    """

    language: str
    """By Pygments' name: "llvm", "gas", "ptx", "c"."""

    def __new__(cls, text: str, language: str) -> "Code":
        """Keep the language beside the text."""
        made = super().__new__(cls, text)
        made.language = language
        return made

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]
        """Pickle both."""
        return str(self), self.language

    def __repr__(self) -> str:
        """Show the lines as they are."""
        return str(self)

    def _repr_html_(self) -> str:
        most = MOST_CODE
        while True:
            shown = _framed(_coloured(legal(self[:most]), self.language), len(self) - most)
            if len(shown) <= MOST:
                return shown
            most //= 2


def _coloured(text: str, language: str) -> str:
    try:
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import get_lexer_by_name
    except ImportError:
        from html import escape

        return escape(text)
    made = HtmlFormatter(noclasses=True, nowrap=True)
    return str(highlight(text, get_lexer_by_name(language), made)).rstrip("\n")
