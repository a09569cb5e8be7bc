"""`egraph`: what a saturated e-graph says of terms, and what comes out of it."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.egraph.svg import Drawn
from rewrite.errors import ArgumentError, MissingLibrary, StrategyError
from rewrite.fastmath import FastMath
from rewrite.rule import ruleset
from rewrite.rules.arithmetic import ASSOCIATIVITY, COMMUTATIVITY, DISTRIBUTIVITY, FACTORING
from rewrite.rules.contraction import CONTRACTION

LAWS = [FACTORING, DISTRIBUTIVITY, COMMUTATIVITY, ASSOCIATIVITY]
a, b, x, y, z = rw.symbols("a b x y z")


OPS: list[Callable[[rw.Term, rw.Term], rw.Term]] = [
    lambda p, q: p + q, lambda p, q: p * q, lambda p, q: p - q, lambda p, q: rw.fma(p, q, p),
]  # fmt: skip


def terms() -> st.SearchStrategy[rw.Term]:
    leaves = st.sampled_from([a, x, y, rw.const(2), rw.const(0.5)])
    calls = st.sampled_from(OPS)
    return st.recursive(
        leaves, lambda t: st.builds(lambda f, p, q: f(p, q), calls, t, t), max_leaves=6
    )


def test_questions_about_one_term() -> None:
    source = a * x + a * y
    found = rw.egraph(source, FACTORING)
    assert (len(found), found.classes) == (8, 7)
    assert found.extract() == a * (x + y)
    assert found.equal(source, a * (x + y)) and not found.equal(x, y)
    assert source in found and x + y in found and y + x not in found and 3 not in found
    assert found.forms(source) == [a * (x + y), source] and found.forms(x) == [x]
    assert found.best(5) == [a * (x + y), source]
    assert repr(found) == "<Saturated: 8 e-nodes in 7 classes; stopped by: no rule adds anything>"
    with pytest.raises(ArgumentError, match=r"y \+ x does not occur"):
        found.equal(y + x, x + y)
    with pytest.raises(ArgumentError, match="about terms, not 3"):
        found.forms(3)  # type: ignore[arg-type]


def test_several_terms_and_terms_of_other_stores() -> None:
    with rw.scope():
        p, q = rw.symbols("a x")
        other = p * q
    found = rw.egraph([a * x + a * y, x * a], LAWS)
    assert found.extract() == [a * (x + y), found.extract()[1]]
    assert found.equal(other, x * a) and found.equal(other, a * x)
    assert all(len(pair) == 2 for pair in found.best(2))
    array = rw.egraph(rw.asarray([[a * x + a * y], [x * a]]), LAWS)
    assert array.extract() == found.extract()


def test_what_rules_replaced_for_good_is_still_known() -> None:
    """x*0 has the value 0, and no e-node any more."""
    found = rw.egraph(x * 0 + y)
    assert found.equal(x * 0, rw.const(0)) and found.equal(x * 0 + y, y)
    assert found.extract() == y


def test_long_sums_and_constants_are_found_as_the_graph_holds_them() -> None:
    source = rw.apply("add", x, y, z, 0.5)
    found = rw.egraph(source, COMMUTATIVITY)
    assert found.equal(source, (x + y + z) + rw.const(rw.const(1).value / 2))
    picture = found.show(source)
    assert len(picture.drawn.chosen) == 7  # four leaves and three sums of two


@given(terms())
def test_each_part_is_found_and_each_form_is_equal(source: rw.Term) -> None:
    found = rw.egraph(source, LAWS, limits=rw.Limits(iterations=2, nodes=100))
    stack = [source]
    while stack:
        part = stack.pop()
        assert part in found and found.equal(part, part)
        forms = found.forms(part)
        assert forms and all(found.equal(part, form) for form in forms)
        stack += part.args
    assert found.equal(source, found.extract())


@given(terms())
def test_the_picture_holds_the_graph_and_the_choice(source: rw.Term) -> None:
    found = rw.egraph(source, LAWS, limits=rw.Limits(iterations=2, nodes=100))
    drawn: Drawn = found.show(most=10_000).drawn
    chosen = [drawn.nodes[at] for at in drawn.chosen]
    extra = sum("(" in item.label for item in drawn.nodes)
    assert len(drawn.nodes) - extra == len(found) and len(drawn.classes) == found.classes
    reached, waiting = set(), list(drawn.roots)
    while waiting:
        group = waiting.pop()
        if group not in reached:
            reached.add(group)
            (item,) = [item for item in chosen if item.owner == group]
            waiting += item.args
    assert reached == {item.owner for item in chosen} and drawn.roots == (0,)
    assert drawn.classes[0]
    assert found.show(()).drawn.chosen == frozenset()


def test_a_negated_operand_that_is_chosen_is_drawn() -> None:
    """An fma negates operands for nothing: the choice is a node that the e-graph does not hold."""
    found = rw.egraph(a - b * x, [CONTRACTION, *(g for g in LAWS)])
    drawn = found.show().drawn
    assert found.extract() == rw.fma(-b, x, a)
    assert any(drawn.nodes[at].label == "fma(-,+,+)" for at in drawn.chosen)
    assert not any("(" in item.label for item in found.show(()).drawn.nodes)


def test_the_table_adds_up() -> None:
    found = rw.egraph(a * x + a * y, LAWS)
    growth, rules = found.table().sections
    assert [row[1] for row in growth.rows][-1] == growth.rows[0][1] + sum(r[2] for r in growth.rows)
    assert {row[0]: row[1] for row in rules.rows} == found.report.matches
    text, page = str(found.table()), found.table()._repr_html_()
    assert "stopped by: no rule adds anything" in text and "mul-comm" in text and "mul-comm" in page


def test_notebooks_show_the_picture_or_the_summary() -> None:
    small, large = rw.egraph(a * x, LAWS), rw.egraph(1 / (1 / a + 1 / b))
    assert (small._repr_svg_() or "").startswith("<svg") and small._repr_html_() is None
    assert large._repr_svg_() is None and "too many to draw" in (large._repr_html_() or "")
    assert small._repr_svg_() == small._repr_svg_()


def test_mistakes_say_what_to_do() -> None:
    p = rw.pattern_vars("p")[0]
    wrong = ruleset("wrong", FastMath.NONE, ("div-self", p / p, 1), ("zero-div", 0 / p, 0))
    with pytest.raises(ArgumentError, match="one or more terms"):
        rw.egraph([])
    with pytest.raises(ArgumentError, match="one or more terms, not 3"):
        rw.egraph(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="neither a rule nor"):
        rw.egraph(x, 3)
    with pytest.raises(ArgumentError, match="limits=3 is not Limits"):
        rw.egraph(x, limits=3)  # type: ignore[arg-type]
    with pytest.raises(StrategyError, match=r"'strict' does not grant.*factor-left"):
        rw.egraph(x, FACTORING, math="strict")
    with pytest.raises(StrategyError, match=r"contradict.*a division by zero"):
        rw.egraph(rw.const(0) / rw.const(0), wrong)
    with pytest.raises(ArgumentError, match="too many for one e-graph"):
        rw.egraph(rw.apply("add", *rw.symbols(" ".join(f"v{k}" for k in range(50_001)))))


def test_an_earlier_iteration_is_what_it_was() -> None:
    found = rw.egraph((a * x + a * y) / a + x * (y + z))
    sizes = [step.nodes for step in found.report.iterations]
    last = len(sizes)
    for k in range(last + 1):
        assert [step.nodes for step in found.at(k).report.iterations] == sizes[:k]
    assert len(found.at(0)) < len(found.at(1)) and found.at(last) is found
    assert found.at(1).report.stop is rw.StopReason.ITERATIONS
    both = rw.egraph([a * x + a * y, x * y], LAWS)
    assert both.at(0).extract() == [a * x + a * y, x * y]
    for wrong, told in ((last + 1, f"none of 0 to {last}"), (-1, "none of 0"), (True, "no whole")):
        with pytest.raises(ArgumentError, match=told):
            found.at(wrong)


def test_the_slider_shows_the_iteration_it_is_at() -> None:
    pytest.importorskip("ipywidgets", reason="ipywidgets is not installed")
    found = rw.egraph(a * x + a * y, LAWS)
    control, picture = found.slider().children
    last = len(found.report.iterations)
    assert (control.min, control.max, control.value) == (0, last, last) and "<svg" in picture.value
    whole = picture.value
    control.value = 0
    assert "6 e-nodes" in picture.value and picture.value != whole
    control.value = last
    assert picture.value == whole


def test_without_a_widget_library_the_slider_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(MissingLibrary, match=r"slider needs ipywidgets.*rewrite\[notebook\]"):
        rw.egraph(x + y, FACTORING).slider()
