"""Pictures of e-graphs: what is drawn once, what lies in what, where edges end; valid XML."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewrite.egraph.edges import Box
from rewrite.egraph.layout import Layout, layout
from rewrite.egraph.picture import Picture
from rewrite.egraph.svg import Drawn, Item, svg
from rewrite.errors import ArgumentError
from rewrite.tables import Section, Table

SVG = "{http://www.w3.org/2000/svg}"


@st.composite
def drawings(draw: st.DrawFn) -> Drawn:
    """Any graph: circles, classes that nothing reaches, empty ones, names of any letters."""
    classes = draw(st.integers(1, 9))
    some = st.integers(0, classes - 1)
    args = st.lists(some, max_size=3).map(tuple)
    items = st.builds(Item, some, st.text(max_size=30), args)
    nodes = draw(st.lists(items, max_size=25))
    roots = draw(st.lists(some, min_size=1, max_size=2))
    chosen = draw(st.sets(st.sampled_from(range(len(nodes))), max_size=4)) if nodes else set()
    titles = tuple(draw(st.text(max_size=5)) for _ in range(classes))
    return Drawn(tuple(nodes), titles, tuple(roots), chosen)


def placed(drawn: Drawn, width: float = 40.0) -> Layout:
    return layout(
        [item.owner for item in drawn.nodes], [item.args for item in drawn.nodes],
        [width] * len(drawn.nodes), len(drawn.classes), drawn.roots,
    )  # fmt: skip


def apart(boxes: list[Box]) -> bool:
    return not any(
        one.left < other.right and other.left < one.right
        and one.top < other.bottom and other.top < one.bottom
        for k, one in enumerate(boxes) for other in boxes[:k]
    )  # fmt: skip


def inside(inner: Box, outer: Box) -> bool:
    return (
        outer.left <= inner.left
        and inner.right <= outer.right
        and outer.top <= inner.top
        and inner.bottom <= outer.bottom
    )


def on_border(point: tuple[float, float], box: Box) -> bool:
    x, y = point
    level = box.left <= x <= box.right and y in (box.top, box.bottom)
    return level or (box.top <= y <= box.bottom and x in (box.left, box.right))


@given(drawings())
def test_boxes_lie_apart_and_nodes_in_their_class(drawn: Drawn) -> None:
    made = placed(drawn)
    assert len(made.classes) == len(drawn.classes) and len(made.nodes) == len(drawn.nodes)
    assert apart(made.classes) and apart(made.nodes)
    assert all(
        inside(box, made.classes[item.owner])
        for box, item in zip(made.nodes, drawn.nodes, strict=True)
    )
    page = Box(0, 0, made.width, made.height)
    assert all(inside(box, page) for box in made.classes)


@given(drawings())
def test_edges_lead_from_each_argument_to_its_class(drawn: Drawn) -> None:
    made = placed(drawn)
    expected = [
        (node, k, group)
        for node, item in enumerate(drawn.nodes)
        for k, group in enumerate(item.args)
    ]
    assert [(r.node, r.argument, r.target) for r in made.routes] == expected
    for route in made.routes:
        assert on_border(route.end, made.classes[route.target])
        assert on_border(route.start, made.nodes[route.node])
        first, last = (route.path.split()[k].lstrip("MCL").split(",") for k in (0, -1))
        assert tuple(map(float, first)) == pytest.approx(route.start, abs=0.06)
        assert tuple(map(float, last)) == pytest.approx(route.end, abs=0.06)


@given(drawings())
def test_everything_is_drawn_once_and_what_is_chosen_set_off(drawn: Drawn) -> None:
    text = svg(drawn)
    tree = ET.fromstring(text)
    assert svg(drawn) == text
    groups = [(g.get("class", "").split(), g) for g in tree.iter(f"{SVG}g")]
    classes = [g.get("data-class") for kind, g in groups if kind[0] == "class"]
    assert classes == [f"e{at}" for at in range(len(drawn.classes))]
    nodes = [(kind, g) for kind, g in groups if kind[0] == "node"]
    assert [g.get("data-node") for _, g in nodes] == [str(at) for at in range(len(drawn.nodes))]
    assert {at for at, (kind, _) in enumerate(nodes) if "chosen" in kind} == set(drawn.chosen)
    edges = [g for kind, g in groups if kind[0] == "edge"]
    assert len(edges) == sum(len(item.args) for item in drawn.nodes)
    for kind, g in groups:
        if kind[0] == "edge":
            assert ("chosen" in kind) == (int(g.get("data-node", "")) in drawn.chosen)
    assert {g.get("data-class") for kind, g in groups if "root" in kind} == {
        f"e{root}" for root in drawn.roots
    }


def test_a_layered_graph_without_circles_points_downwards() -> None:
    made = layout([0, 0, 1, 2], [(1, 2), (2, 2), (2,), ()], [30.0] * 4, 3, [0])
    assert [route.heading for route in made.routes] == ["down"] * 5
    assert made.classes[0].bottom < made.classes[1].top < made.classes[2].top


def test_the_order_of_ranks_avoids_crossings() -> None:
    """One path through three roots and four leaves, given in another order."""
    args: list[tuple[int, ...]] = [(3, 6), (5, 4), (4, 3), (), (), (), ()]
    made = layout(range(7), args, [30.0] * 7, 7, [0, 1, 2])
    for path in ((0, 2, 1), (6, 3, 4, 5)):
        middles = [made.classes[group].middle for group in path]
        assert middles in (sorted(middles), sorted(middles, reverse=True))


def test_classes_stand_over_what_they_use() -> None:
    """A node over each of four leaves, listed the other way round."""
    made = layout(
        [0, *range(1, 5), *range(5, 9)], [(1, 2, 3, 4), (8,), (7,), (6,), (5,), (), (), (), ()],
        [30.0] * 9, 9, [0],
    )  # fmt: skip
    middles = [box.middle for box in made.classes]
    assert middles[1:5] == sorted(middles[1:5])
    assert [middles[9 - k] - middles[k] for k in range(1, 5)] == pytest.approx([0.0] * 4, abs=1.0)


def test_edges_of_an_upper_row_pass_between_the_nodes_below() -> None:
    nodes = 16
    made = layout([0] * nodes + [1], [(1,)] * nodes + [()], [40.0] * (nodes + 1), 2, [0])
    rows = sorted({box.top for box in made.nodes[:nodes]})
    assert len(rows) == 3
    for route in made.routes:
        lines = [part[1:].split(",") for part in route.path.split() if part[0] == "L"]
        below = [top for top in rows if top > made.nodes[route.node].top]
        for top, (x, _) in zip(below, lines, strict=False):
            row = [box for box in made.nodes[:nodes] if box.top == top]
            assert not any(box.left < float(x) < box.right for box in row)


def test_a_small_picture(golden: Callable[[str], None]) -> None:
    """(a*2)/2 = a in one class, with a circle, a loop and a name that needs escapes."""
    golden(svg(Drawn(
        (
            Item(0, "a<&>", (), "symbol", "a<&>"), Item(0, "/", (1, 2), title="(a*2)/2"),
            Item(0, "*", (0, 3)), Item(1, "*", (0, 2)), Item(2, "2", (), "constant"),
            Item(3, "1", (), "constant"),
        ),
        ("a", "a*2", "2", "1"), (0,), {0},
    )))  # fmt: skip


def test_names_cannot_break_out_of_what_is_shown() -> None:
    name = '"/><script>alert(1)</script>\x00\ud800\n'
    drawn = Drawn((Item(0, name, (), "symbol", name),), (name,), (0,))
    text = svg(drawn)
    ET.fromstring(text)
    assert "<script" not in text and "\x00" not in text and "\ud800" not in text
    page = Picture(drawn, (name,), most=0)._repr_html_()
    assert page is not None and "<script" not in page and "&lt;script" in page


def test_too_large_a_graph_is_summed_up() -> None:
    drawn = Drawn(
        (Item(0, "+", (1, 1)), Item(0, "*", (1, 1)), Item(1, "x", (), "symbol")),
        ("x + x", "x"),
        (0,),
    )
    small, large = Picture(drawn), Picture(drawn, most=2)
    assert str(small) == "e0 = +(e1, e1) | *(e1, e1)\ne1 = x"
    assert small.svg and small._repr_svg_() == small.svg and small._repr_html_() is None
    assert large.svg is None and large._repr_svg_() is None
    text = str(large)
    assert "3 e-nodes are too many to draw (at most 2)" in text and "show(most=)" in text
    assert "e0           2  x + x" in text and "symbol" in text


def test_pictures_are_saved_as_the_ending_says(tmp_path: Path) -> None:
    drawn = Drawn((Item(0, "\ud800", (), "symbol"),), ("x",), (0,))
    small, large = Picture(drawn), Picture(drawn, most=0)
    for name in ("a.svg", "a.html", "a.txt"):
        small.save(tmp_path / name)
    assert ET.parse(tmp_path / "a.svg").getroot().tag == f"{SVG}svg"
    large.save(tmp_path / "b.html")
    with pytest.raises(ArgumentError, match=r"c\.svg: 1 e-nodes are too many"):
        large.save(tmp_path / "c.svg")
    with pytest.raises(ArgumentError, match=r"c\.png: choose one of the endings"):
        small.save(tmp_path / "c.png")


def test_tables_line_up_and_are_escaped() -> None:
    table = Table(("n<",), (Section("t", ("a", "b"), (("x<y", 1), ("z", 20.123))),))
    assert str(table) == "n<\nt\n  a       b\n  x<y     1\n  z    20.1"
    assert "x&lt;y" in table._repr_html_() and "n&lt;" in table._repr_html_()
    assert str(Section("none", ("a", "b"), ())) == "none\n  a  b"
