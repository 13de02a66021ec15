"""A plan on disk: TOML with every input, its source and the seed, so that it reruns to the same.

    plan = "train"
    seed = 0
    draws = 10000

    [rates]
    EUR = 1.08

    [inputs]
    chips = "100000"
    power = "600..700 W"

    [sources]
    power = "catalogue: H100: data sheet, 2026-08"

Values stay the texts that people typed: reading them again gives the same numbers to the last bit.
A file that people write may leave out whatever has a default.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.fields import Field, Verb
from fairwitness.planner.inputs import Inputs, Origin
from fairwitness.planner.ranges import COUNT

_KEYS = {"plan", "seed", "draws", "rates", "catalogue", "inputs", "sources"}
_ORIGINS: tuple[Origin, ...] = get_args(Origin)


@dataclass(frozen=True)
class PlanFile:
    """What a plan file says."""

    verb: str
    inputs: Mapping[str, str]
    sources: Mapping[str, tuple[Origin, str]] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    catalogue: tuple[str, ...] = ()
    seed: int = 0
    draws: int = COUNT


def read_plan(path: Path) -> PlanFile:
    """Return what a plan file says; raise PlanError with the file's name if it cannot be read."""
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: is no TOML: {error}") from error
    if unknown := sorted(set(said) - _KEYS):
        raise PlanError(f"{path}: knows no {unknown[0]!r}; inputs stand under [inputs]")
    if not isinstance(said.get("plan"), str):
        raise PlanError(f'{path}: does not say which plan it is; write plan = "train"')
    inputs = _table(path, said, "inputs")
    return PlanFile(
        verb=said["plan"],
        inputs={name: _text(name, value) for name, value in inputs.items()},
        sources={name: _source(text) for name, text in _table(path, said, "sources").items()},
        rates={code: _number(code, rate) for code, rate in _table(path, said, "rates").items()},
        catalogue=tuple(str(each) for each in said.get("catalogue", ())),
        seed=_whole(path, "seed", said.get("seed", 0)),
        draws=_whole(path, "draws", said.get("draws", COUNT)),
    )


def merged(verb: Verb, file: PlanFile, said: Mapping[str, str]) -> PlanFile:
    """Return a plan file with what was said on top.

    A figure that the file took from the catalogue goes with the row that it was taken from: another
    chip brings its own power, whether it was said or written into the file.
    """
    inputs = {**file.inputs, **said}
    stale = {
        field.name
        for field in verb.fields
        if isinstance(field, Field) and field.name not in said and _stale(field, file, inputs)
    }
    return replace(
        file,
        inputs={name: text for name, text in inputs.items() if name not in stale},
        sources={n: each for n, each in file.sources.items() if n not in {*said, *stale}},
    )


def _stale(field: Field, file: PlanFile, inputs: Mapping[str, str]) -> bool:
    """Return whether a figure is from another row of the catalogue than the one now named."""
    origin, source = file.sources.get(field.name, ("you", ""))
    row = inputs.get(field.figure.partition(".")[0])
    if origin != "catalogue" or row is None:
        return False
    return source.partition(":")[0].lower() != row.strip().lower()


def plan_text(inputs: Inputs, catalogue: tuple[str, ...] = ()) -> str:
    """Return a plan file that gives these inputs again, whatever becomes of defaults."""
    return "\n".join(_lines(inputs, catalogue)) + "\n"


def _lines(inputs: Inputs, catalogue: tuple[str, ...]) -> Iterator[str]:
    yield f"plan = {_quoted(inputs.verb.name)}"
    yield f"seed = {inputs.seed}"
    yield f"draws = {inputs.count}"
    if catalogue:
        yield f"catalogue = [{', '.join(_quoted(each) for each in catalogue)}]"
    if inputs.rates:
        yield "\n[rates]"
        yield from (f"{code} = {rate!r}" for code, rate in sorted(inputs.rates.items()))
    yield "\n[inputs]"
    yield from (f"{name} = {_quoted(given.text)}" for name, given in inputs.given.items())
    yield "\n[sources]"
    for name, given in inputs.given.items():
        said = f"{given.origin}: {given.source}" if given.source else given.origin
        yield f"{name} = {_quoted(said)}"


def _quoted(text: str) -> str:
    # A JSON string is a TOML string but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _source(text: Any) -> tuple[Origin, str]:
    origin, _, source = str(text).partition(":")
    for each in _ORIGINS:
        if origin.strip() == each:
            return each, source.strip()
    return "you", str(text)


def _table(path: Path, said: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = said.get(name, {})
    if not isinstance(table, dict):
        raise PlanError(f"{path}: {name} is no table; write [{name}] and a line for each")
    return table


def _text(name: str, value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case int() | float():
            return repr(value)
    raise InputError(name, value, "is no text or number", 'write it like "700 kW"')


def _number(code: str, rate: Any) -> float:
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise InputError("rates", f"{code} = {rate}", "is no number", f"write {code} = 1.08")
    return float(rate)


def _whole(path: Path, name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PlanError(f"{path}: {name}: {value!r} is no whole number")
    return value
