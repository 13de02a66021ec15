"""One result as text, as JSON and as a page; two of them beside each other."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import msgspec
import pytest

from fairwitness.planner.charts import alone, chart_svg, tornado_svg
from fairwitness.planner.compare import Named, compare
from fairwitness.planner.errors import InputError
from fairwitness.planner.fields import Verb
from fairwitness.planner.inputs import read_inputs
from fairwitness.planner.page import page
from fairwitness.planner.result import Chart, Line, Result, Swing, Tornado
from fairwitness.planner.telling import told


def quiet(step: str, done: int, total: int) -> None:
    """Nobody looks."""


def test_all_forms_say_the_same(bill: Verb) -> None:
    result = bill.plan(read_inputs(bill, {}), quiet)
    cost = result.quantity("cost")
    text, html = told(result), page(result)
    as_json = msgspec.json.decode(msgspec.json.encode(result))
    assert as_json["quantities"][1]["median"] == cost.median
    for form in (text, html):
        assert "it can be paid" in form
        assert "14" in form
        assert "0.06 USD/kWh" in form


def test_explaining_lists_every_input_with_its_source(bill: Verb) -> None:
    result = bill.plan(read_inputs(bill, {}), quiet)
    assert "a guess" not in told(result)
    assert "a guess" in told(result, explain=True)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.outside += [v for k, v in attrs if k in ("src", "href", "xlink:href") and v]


def test_a_page_needs_nothing_from_outside(bill: Verb) -> None:
    html = page(bill.plan(read_inputs(bill, {}), quiet), "fairwitness plan bill")
    tags = Tags()
    tags.feed(html)
    assert "script" not in tags.seen
    assert "link" not in tags.seen
    assert tags.outside == []
    assert "url(" not in html
    assert html.count("<svg") == 4
    assert "prefers-color-scheme:dark" in html


def test_what_plan_files_say_cannot_become_markup(bill: Verb) -> None:
    html = page(bill.plan(read_inputs(bill, {}), quiet), "--power '<b>'")
    assert "<b>here" not in html
    assert "here <b>" not in html
    assert "prices &lt;move&gt;" in html
    assert "&lt;b&gt;" in html


def test_plots_are_files_of_their_own(bill: Verb) -> None:
    result = bill.plan(read_inputs(bill, {}), quiet)
    for svg in [*map(chart_svg, result.charts), *map(tornado_svg, result.tornados)]:
        root = ElementTree.fromstring(alone(svg))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_plots_bear_never_and_one_number() -> None:
    never = float("inf")
    swings = (Swing("x", "1", "2", 3.0, never), Swing("y", "1", "2", 2.0, 4.0))
    charts = [
        tornado_svg(Tornado("end", "end", "month", 3.0, swings)),
        tornado_svg(Tornado("end", "end", "month", never, ())),
        chart_svg(Chart("t", "x", "y", (Line("l", (0.0, 1.0), (never, never)),))),
        chart_svg(Chart("t", "x", "y", (Line("l", (1.0,), (1.0,)),))),
        chart_svg(Chart("t", "x", "y", (Line("l", (0.0, 1.0), (0.0, 10.0)),), kind="log")),
        chart_svg(
            Chart("t", "", "y", (Line("l", (), (never, -1.0), names=("a", "b")),), kind="bar")
        ),
    ]
    for svg in charts:
        ElementTree.fromstring(svg)
        assert not re.search(r"\b(nan|inf)\b", svg)


def named(bill: Verb, name: str, **said: str) -> Named:
    return Named(name, read_inputs(bill, said))


def table(result: Result, title: str) -> list[tuple[object, ...]]:
    return [tuple(row) for each in result.tables if each.title == title for row in each.rows]


def test_a_comparison_names_what_differs_and_what_causes_it(bill: Verb) -> None:
    one = named(bill, "one", power="1 kW", price="0.1 USD/kWh", where="here")
    other = named(bill, "other", power="2 kW", price="0.15 USD/kWh", where="there")
    steps: list[int] = []
    result = compare(one, other, lambda step, done, total: steps.append(done))
    assert [row[0] for row in table(result, "Inputs that differ")] == ["power", "price", "where"]
    assert ("bill", "10 USD", "30 USD", "+20 USD, × 3") in table(result, "Results")
    causes = table(result, "What changes energy")
    assert causes == [("power", "+100 kWh"), ("all together", "+100 kWh")]
    assert steps == sorted(steps)


def test_the_same_said_otherwise_is_no_difference(bill: Verb) -> None:
    result = compare(named(bill, "a", power="1 kW"), named(bill, "b", power="1000 W"), quiet)
    assert table(result, "Inputs that differ") == []


def test_plans_of_two_kinds_are_not_compared(bill: Verb) -> None:
    cooling = Verb("cooling", "", "", (), bill.plan)
    with pytest.raises(InputError, match="cool: 'cooling' is another kind of plan"):
        compare(named(bill, "a"), Named("cool", read_inputs(cooling, {})), quiet)
