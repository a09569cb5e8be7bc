"""What notebooks are given: HTML and LaTeX of bounded length, escaped, and text in any case."""

import pickle
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.display import MOST, Code, Displayed, preformatted
from rewrite.rules import SIMPLIFY
from rewrite.rules.arithmetic import COMMUTATIVITY, FACTORING
from rewrite.store import Symbol
from rewrite.tables import Bar, Section, Table, bars
from rewrite.term import current_store

a, x, y = rw.symbols("a x y")
EVIL = "<script>alert(1)</script>&$x$\\(y\\)"
VOID = {"br", "td", "th"}


class Tags(HTMLParser):
    """Keep what is open, and all names of tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen |= {tag, *(name for name, _ in attrs)}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_html(text: str) -> None:
    """Look whether tags nest, and whether there is none that runs."""
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert not tags.open
    assert not {"script", "iframe", "img", "onload", "onclick", "href", "src"} & tags.seen


def evil_term() -> Any:
    bad = rw.Term(current_store(), current_store().symbol(Symbol(EVIL)))
    return bad * x + bad * y


def large_term() -> Any:
    term: Any = x
    for _ in range(400):
        term = rw.sin(term) * y + term
    return term


def best(exprs: Any) -> Any:
    return rw.optimize(exprs, limits=rw.Limits(iterations=3))


def kernel_of(term: Any) -> Any:
    return rw.compile(sorted(term.free_symbols, key=str), term, optimize_terms=False)


def bad_rule() -> rw.Rule:
    (p,) = rw.pattern_vars("p")
    return rw.Rule(EVIL.replace("\\", ""), p * 1, p)  # names have no backslash


SHOWN: dict[str, Callable[[], Any]] = {
    "term": evil_term, "large term": large_term,
    "array": lambda: rw.asarray([evil_term(), x]),
    "large array": lambda: rw.asarray([large_term(), x]),
    "optimized": lambda: best(evil_term()), "report": lambda: best(evil_term()).report,
    "several": lambda: best({"<b>": evil_term(), "y": y}),
    "explanation": lambda: rw.explain(evil_term() * 1, evil_term()),
    "unexplained": lambda: rw.explain(x, y, limits=rw.Limits(iterations=1)),
    "kernel": lambda: kernel_of(evil_term()), "large kernel": lambda: kernel_of(large_term()),
    "program": lambda: kernel_of(evil_term()).program,
    "large program": lambda: kernel_of(large_term()).program,
    "cost": lambda: rw.compile([x], x * 1).cost, "rule": bad_rule,
    "rules": lambda: SIMPLIFY, "e-graph": lambda: rw.egraph(evil_term(), FACTORING),
    "table": lambda: Table((EVIL,), (Section(EVIL, (EVIL,), ((EVIL,), ("\ud800",))),)),
    "code": lambda: Code(EVIL * 5000, "llvm"),
}  # fmt: skip
TYPESET = ("term", "large term", "array", "large array", "rule")


@pytest.mark.parametrize("name", SHOWN)
def test_every_form_is_bounded_and_escaped_beside_the_text(name: str) -> None:
    value = SHOWN[name]()
    assert isinstance(value, Displayed)
    found = value._repr_mimebundle_()
    assert found["text/plain"] and len(found["text/plain"]) <= MOST + 1
    for kind, text in found.items():
        text.encode()  # as messages to a notebook are
        if kind == "text/html":
            check_html(text)
            assert len(text) <= MOST and "<script" not in text
        if kind == "text/latex":
            inner = text.removeprefix("$\\displaystyle ").removesuffix("$")
            assert not re.search(r"(?<!\\)[$%&#]", re.sub(r" &&? |^&=? ", "", inner, flags=re.M))
            bare = re.sub(r"\\[{}]", "", inner)
            assert bare.count("{") == bare.count("}")
            assert "<" not in inner and ">" not in inner
    if name not in TYPESET:
        assert "text/html" in found or "image/svg+xml" in found
    assert list(value._repr_mimebundle_(include=["text/plain"])) == ["text/plain"]
    assert "text/plain" not in value._repr_mimebundle_(exclude=["text/plain"])


def test_what_is_too_long_to_typeset_is_text() -> None:
    assert "text/latex" in (x + 1)._repr_mimebundle_()
    assert list(large_term()._repr_mimebundle_()) == ["text/plain"]
    assert list(rw.asarray(np.arange(5000))._repr_mimebundle_()) == ["text/plain"]


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (rw.asarray([[x, 1], [y, x / y]]), r"x & 1 \\ y & \frac{x}{y}"),
        (rw.asarray([x, y]), r"x \\ y"), (rw.asarray(x), "x"),
    ],
)  # fmt: skip
def test_arrays_are_matrices(array: rw.TermArray, text: str) -> None:
    shown = f"$\\displaystyle \\begin{{bmatrix}}{text}\\end{{bmatrix}}$"
    assert array._repr_latex_() == shown


def test_a_rule_and_a_rule_set() -> None:
    rule = FACTORING.rules[0]
    assert "\\rightarrow" in (rule._repr_latex_() or "") and rule.law() in repr(rule)
    page = COMMUTATIVITY._repr_html_()
    assert "add-comm" in page and "?a + ?b -&gt; ?b + ?a" in page
    assert str(SIMPLIFY.table(most=2)).startswith(f"{len(SIMPLIFY) - 2} more rules")


def test_a_derivation_on_a_page() -> None:
    found = rw.explain([a * x + a * y, x * 1], [a * (x + y), x])
    page, latex = found._repr_html_(), found.latex()
    for step in found:
        assert f"<b>{step.name}</b>" in page and f"\\texttt{{{step.name}}}" in latex
    assert "= <code>a*(x + y)</code>" in page
    assert latex.count("\\\\") == len(found) + 2  # and each source
    assert found._repr_mimebundle_()["text/plain"] == str(found)


def test_costs_have_bars_as_long_as_they_are() -> None:
    made = bars("t", [("one", 4.0), ("two", 1.0), ("endless", float("inf"))], what=("", "n"))
    assert [row[-1].part for row in made.rows] == [1.0, 0.25, 1.0]
    assert "width:2.50em" in made.html() and "█████" in str(made)
    assert Bar(1, 0).part == 0 and Bar(-1, 2).part == 0 and str(Bar(0, 1)) == ""
    best = rw.optimize(a * x + a * y)
    page = best._repr_html_()
    assert "a*(x + y)" in page and page.count("background:#4c72b0") == 2
    kernel = rw.compile([x], rw.exp(x))
    kernel.measure(64, seconds=0.01)
    assert "measured" in kernel._repr_html_() and "measured" in str(kernel.cost.section())


def test_of_many_terms_few_are_written() -> None:
    many = rw.optimize([x + k for k in range(500)], limits=rw.Limits(iterations=0))
    page, text = many._repr_html_(), repr(many)
    assert "… 480 more" in page and "x + 19" in page and "x + 20" not in page
    assert text.startswith("<Optimized 500 terms: ")


def test_code_is_a_text_in_colour() -> None:
    kernel = rw.compile([x, y], x * y)
    for code, language in ((kernel.llvm, "llvm"), (kernel.asm, "gas")):
        assert code.language == language
        assert repr(code) == str(code) and type(str(code)) is str
        again = pickle.loads(pickle.dumps(code))
        assert again == code and again.language == language
        pytest.importorskip("pygments")
        assert '<span style="color' in code._repr_html_()
    assert kernel.assembly("neon").language == "gas"


def test_code_without_pygments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygments", None)
    assert Code("a < b", "llvm")._repr_html_().endswith(">a &lt; b</pre>")


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_name_is_shown(name: str) -> None:
    check_html(preformatted(name))
    check_html(Table((name,), (Section(name, (name, name), ((name, 1),)),))._repr_html_())
    symbol = rw.Term(current_store(), current_store().symbol(Symbol(name)))
    for text in symbol._repr_mimebundle_().values():
        text.encode()
