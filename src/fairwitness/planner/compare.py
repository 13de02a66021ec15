"""Two plans side by side: what comes out differently, and which of their inputs causes it.

The cause is found by trying: the first plan is made again with one input of the second, for each
input that differs. What the single changes do not add up to is what they do together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairwitness.planner.amounts import band, shown
from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.fields import Told
from fairwitness.planner.inputs import Given, Inputs, read_inputs
from fairwitness.planner.result import Cell, Quantity, Result, Table

_CAUSED = 6


@dataclass(frozen=True)
class Named:
    """A plan with the name that it is told by."""

    name: str
    inputs: Inputs


def compare(first: Named, second: Named, told: Told) -> Result:
    """Return a result whose tables show the differences of two plans of one verb."""
    verb = first.inputs.verb
    if verb.name != second.inputs.verb.name:
        right = f"compare two plans of {verb.name}"
        raise InputError(second.name, second.inputs.verb.name, "is another kind of plan", right)
    changed = _changed(first.inputs, second.inputs)
    steps = len(changed) + 2
    told(first.name, 0, steps)
    before = verb.plan(first.inputs, _quiet)
    told(second.name, 1, steps)
    after = verb.plan(second.inputs, _quiet)
    causes: dict[str, Mapping[str, float] | str] = {}
    for place, name in enumerate(changed):
        told(name, 2 + place, steps)
        causes[name] = _with_one(first.inputs, second.inputs, name)
    told("done", steps, steps)
    return Result(
        verb=f"compare ({verb.name})",
        verdict=_verdict(first, second, before, after),
        quantities=(),
        inputs=(),
        tables=(
            _results(first.name, second.name, before, after),
            _inputs(first, second, changed),
            *_caused(before, after, causes),
        ),
        notes=(f"{first.name}: {before.verdict}", f"{second.name}: {after.verdict}"),
        seed=first.inputs.seed,
        draws=first.inputs.count,
    )


def _quiet(_step: str, _done: int, _total: int) -> None:
    """Say nothing: the comparison tells its own steps."""


def _changed(first: Inputs, second: Inputs) -> list[str]:
    """Return the names of the inputs that do not mean the same."""
    names = [field.name for field in first.verb.fields]
    return [name for name in names if not _same(first.given.get(name), second.given.get(name))]


def _same(one: Given | None, other: Given | None) -> bool:
    if one is None or other is None:
        return one is other
    # "1000 W" and "1 kW" are the same; a triangular's mode is nan elsewhere, so repr compares.
    return repr(one.spread) == repr(other.spread) if one.spread else one.text == other.text


def _with_one(first: Inputs, second: Inputs, name: str) -> Mapping[str, float] | str:
    """Return the medians of the first plan with one input of the second, or why there are none."""
    said = {each: given.text for each, given in first.given.items()}
    said.pop(name, None)
    if name in second.given:
        said[name] = second.given[name].text
    rates = {**second.rates, **first.rates}
    try:
        inputs = read_inputs(
            first.verb,
            said,
            catalogue=second.catalogue,
            rates=rates,
            count=first.count,
            seed=first.seed,
        )
        result = first.verb.plan(inputs, _quiet)
    except PlanError as error:
        return str(error)
    return {each.name: each.median for each in result.quantities}


def _verdict(first: Named, second: Named, before: Result, after: Result) -> str:
    main = _main(before)
    if main is None:
        return ""
    then, now = before.quantity(main.name), after.quantity(main.name)
    change = _change(then.median, now.median, then.unit)
    return (
        f"{main.label}: {shown(then.median, then.unit)} by {first.name},"
        f" {shown(now.median, now.unit)} by {second.name} ({change})"
    )


def _main(result: Result) -> Quantity | None:
    """Return the quantity that the plan is about: the first whose swings were asked for."""
    if result.tornados:
        return result.quantity(result.tornados[0].output)
    return result.quantities[0] if result.quantities else None


def _results(first: str, second: str, before: Result, after: Result) -> Table:
    later = {each.name: each for each in after.quantities}
    rows: list[tuple[Cell, ...]] = []
    for each in before.quantities:
        other = later.get(each.name)
        if other is None:
            continue
        rows.append(
            (
                each.label,
                band(each.median, each.low, each.high, each.unit),
                band(other.median, other.low, other.high, other.unit),
                _change(each.median, other.median, each.unit),
            )
        )
    columns = ("result", first, second, "change of the median")
    return Table("Results", columns, tuple(rows))


def _inputs(first: Named, second: Named, changed: Sequence[str]) -> Table:
    rows = tuple(
        (name, _said(first.inputs.given.get(name)), _said(second.inputs.given.get(name)))
        for name in changed
    )
    note = "" if rows else "none: the plans say the same"
    return Table("Inputs that differ", ("input", first.name, second.name), rows, note)


def _said(given: Given | None) -> str:
    return "not given" if given is None else given.text


def _caused(
    before: Result, after: Result, causes: Mapping[str, Mapping[str, float] | str]
) -> list[Table]:
    """Return for each main quantity which input changes it by how much, the strongest first."""
    names = [each.output for each in before.tornados] or [q.name for q in before.quantities[:1]]
    tables = []
    for name in names:
        start, end = before.quantity(name), after.quantity(name)
        alone = {
            cause: medians[name] - start.median
            for cause, medians in causes.items()
            if not isinstance(medians, str) and name in medians
        }
        strongest = sorted((c for c in alone if alone[c]), key=lambda cause: -abs(alone[cause]))
        rows: list[tuple[Cell, ...]] = [
            (cause, _signed(alone[cause], start.unit)) for cause in strongest[:_CAUSED]
        ]
        rows += [(cause, f"alone: {why}") for cause, why in causes.items() if isinstance(why, str)]
        whole = end.median - start.median
        rows.append(("all together", _signed(whole, start.unit)))
        tables.append(Table(f"What changes {start.label}", ("input", "alone"), tuple(rows)))
    return tables


def _change(before: float, after: float, unit: str) -> str:
    if before == after:
        return "none"
    if before > 0 and after > 0 and float("inf") not in (before, after):
        return f"{_signed(after - before, unit)}, × {after / before:.3g}"
    return _signed(after - before, unit)


def _signed(change: float, unit: str) -> str:
    if change != change:  # never against never
        return "none"
    return f"{'+' if change > 0 else ''}{shown(change, unit)}"
