"""From formulas to a result: run them on all draws at once, and on a tornado's few points.

The formulas never learn which of the two they are run on.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.fields import Compute, Field, Output, Told
from fairwitness.planner.inputs import Given, Inputs
from fairwitness.planner.ranges import HIGH, LOW, Array, Number, summary
from fairwitness.planner.result import Input, Quantity, Result, Swing, Tornado

_MOST_SWINGS = 12


def outcome(inputs: Inputs, compute: Compute, outputs: Sequence[Output], told: Told) -> Result:
    """Return quantities, inputs and tornados; the verb adds verdict, tables and charts."""
    told("drawing", 0, 2)
    found = quantities(compute(inputs.draws()), outputs)
    told("what moves it", 1, 2)
    moved = tornados(inputs, compute, [each for each in outputs if each.swings])
    told("done", 2, 2)
    return Result(
        verb=inputs.verb.name,
        verdict="",
        quantities=found,
        inputs=used(inputs),
        tornados=moved,
        seed=inputs.seed,
        draws=inputs.count,
    )


def quantities(values: Mapping[str, Number], outputs: Sequence[Output]) -> tuple[Quantity, ...]:
    """Return median and interval of each output."""
    found = []
    for output in outputs:
        median, low, high = summary(values[output.key])
        found.append(
            Quantity(output.name, output.label, output.unit, median, low, high, output.note)
        )
    return tuple(found)


def tornados(inputs: Inputs, compute: Compute, outputs: Sequence[Output]) -> tuple[Tornado, ...]:
    """Return for each output that anything moves what moves it, the strongest first."""
    names = inputs.uncertain()
    if not outputs or not names:
        return ()
    values = compute(inputs.swings())
    size = 2 * len(names) + 1
    found = [
        _tornado(inputs, names, output, np.broadcast_to(values[output.key], size))
        for output in outputs
    ]
    return tuple(tornado for tornado in found if tornado.swings)


def used(inputs: Inputs) -> tuple[Input, ...]:
    """Return the inputs as a result tells them."""
    return tuple(_used(given) for given in inputs.given.values())


def _tornado(inputs: Inputs, names: Sequence[str], output: Output, results: Array) -> Tornado:
    count = len(names)
    swings = [
        Swing(
            input=name,
            at_low=_at(inputs.given[name], LOW),
            at_high=_at(inputs.given[name], HIGH),
            low=float(results[1 + place]),
            high=float(results[1 + count + place]),
        )
        for place, name in enumerate(names)
    ]
    moving = [swing for swing in swings if swing.low != swing.high]
    moving.sort(key=lambda swing: -abs(swing.high - swing.low))
    return Tornado(
        output.name, output.label, output.unit, float(results[0]), tuple(moving[:_MOST_SWINGS])
    )


def _at(given: Given, p: float) -> str:
    assert isinstance(given.field, Field)
    assert given.spread is not None
    return shown(given.spread.quantile(p), _shown_unit(given.field))


def _shown_unit(field: Field) -> str:
    return "%" if not field.unit and field.most == 1 else field.unit


def _used(given: Given) -> Input:
    field, spread = given.field, given.spread
    unit = field.unit if isinstance(field, Field) else ""
    return Input(
        name=field.name,
        text=given.text,
        unit=unit,
        median=spread.median if spread else None,
        low=spread.quantile(LOW) if spread else None,
        high=spread.quantile(HIGH) if spread else None,
        origin=given.origin,
        source=given.source,
        help=field.help,
    )
