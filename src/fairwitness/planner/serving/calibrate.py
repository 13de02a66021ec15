"""An engine's effective rates, fitted on measured steps or loads.

Whoever can look into an engine measures single steps (`steps.py`), which tells most. A load is what
is seen from outside: some clients that each ask again as soon as they are answered. The simulation
that a plan uses predicts it, and three rates (arithmetic, memory, host) are moved until prediction
and measurement agree best, in the logarithm: being 10 % fast and 10 % slow count alike. Whether
steps cost as much as if each sequence had its own is tried both ways, and the better one kept.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.planner.errors import PlanError
from fairwitness.planner.serving.arrivals import Arrival
from fairwitness.planner.serving.pace import Pace, Served
from fairwitness.planner.serving.simulate import Policy, simulate
from fairwitness.planner.serving.steps import Step, fit_steps, took_s

ENGINE = Policy(slots=64, chunk_tokens=256, page_tokens=64)
"""Our engine's scheduler, as data; a test holds the two together."""

ASKED_EACH = 2  # times that each simulated client asks, and each measured one
_WIDEST, _ROUGH, _NARROWEST = math.log(2.0), math.log(1.1), math.log(1.005)  # steps of the search
# What sections of `bench engine --json` were measured with, unless they say so themselves.
_STREAM_PROMPT, _STREAM_ANSWER, _PREFILL, _FIRST = 128, 128, 1024, 1500


T = TypeVar("T")
Loss = Callable[[NDArray[np.float64]], float]


@dataclass(frozen=True)
class Load:
    """Clients in a closed loop, and what was measured; either measurement may be missing."""

    prompt_tokens: int
    answer_tokens: int
    clients: int
    tokens_per_s: float | None = None  # of answers, all clients together, prompts' time included
    first_ms: float | None = None  # median time to the first token


@dataclass(frozen=True)
class Calibration:
    """Fitted rates, how the engine steps, and how far the fit is off."""

    pace: Pace
    worst: float  # largest error of what was fitted, as a share; of steps, the median's


def predict(served: Served, pace: Pace, load: Load) -> Load:
    """Simulate a load."""
    policy = replace(ENGINE, clients=load.clients)
    arrivals = [Arrival(0.0, load.prompt_tokens, load.answer_tokens)] * (load.clients * ASKED_EACH)
    seen = simulate(served, pace, policy, arrivals)
    return Load(
        load.prompt_tokens,
        load.answer_tokens,
        load.clients,
        seen.tokens_per_s,
        1000 * seen.rank("first_s", 50),
    )


def calibrate(served: Served, loads: Sequence[Load]) -> Calibration:
    """Fit on measured loads.

    Raises:
        PlanError: no load, or one without a measurement that can be.
    """
    if not loads:
        raise PlanError("calibrate: no measured load; at least one of decoding is needed")
    for load in loads:
        _check(load)
    # who was only seen with one client is taken to step each apart: that promises less
    ways = (0.0, 1.0) if any(load.clients > 1 for load in loads) else (1.0,)
    rough = []
    for apart in ways:
        loss = _loss(served, loads, apart)
        for start in _starts(served, loads):
            place = _descend(loss, np.log(start), _WIDEST, _ROUGH)
            rough.append((loss(place), apart, place))
    _, apart, place = min(rough, key=lambda each: each[0])
    place = _descend(_loss(served, loads, apart), place, _ROUGH, _NARROWEST)
    worst = np.abs(_errors(served, loads, place, apart)).max()
    return Calibration(_pace(place, apart), float(np.expm1(worst)))


def calibrate_file(served: Served, path: Path) -> Calibration:
    """Fit on what a file holds: `steps` if there are any, else loads.

    Raises:
        PlanError: names the file, and what is wrong with it.
    """
    said = _read(path)
    if isinstance(said, Mapping) and "steps" in said:
        return calibrate_steps(_told(path, _steps, said))
    return calibrate(served, _loads(path, said))


def calibrate_steps(steps: Sequence[Step]) -> Calibration:
    """Fit on single steps; errors as in `fit_steps`."""
    pace = fit_steps(steps)
    return Calibration(
        pace, float(np.median([abs(took_s(pace, step) / step.seconds - 1) for step in steps]))
    )


def read_loads(path: Path) -> list[Load]:
    """Loads from a JSON file: a list of rows, or what `fairwitness bench engine --json` prints.

    A row has `prompt`, `output`, `concurrency`, and `tok_s`, `ttft_ms` or both.

    Raises:
        PlanError: names the file, and what is wrong with it.
    """
    return _loads(path, _read(path))


def _loads(path: Path, said: object) -> list[Load]:
    is_bench = isinstance(said, Mapping) and "loads" not in said
    loads = _told(path, _bench if is_bench else _rows, said)
    if not loads:
        raise PlanError(f"{path}: no measurements: neither rows nor decode, prefill, streams_N")
    return loads


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise PlanError(f"{path}: no measurements: {error}") from error


def _told(path: Path, reader: Callable[[Any], list[T]], said: object) -> list[T]:
    try:
        return reader(said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanError(f"{path}: no measurements: {error!r}") from error


def _steps(said: Mapping[str, list[dict[str, float]]]) -> list[Step]:
    return [
        Step(
            int(row["answers"]),
            float(row["answer_looks"]),
            int(row["prompt_tokens"]),
            float(row["prompt_looks"]),
            float(row["ms"]) / 1000,
        )
        for row in said["steps"]
    ]


def _rows(said: object) -> list[Load]:
    rows = said["loads"] if isinstance(said, Mapping) else said
    assert isinstance(rows, list)
    return [
        Load(
            int(row["prompt"]),
            int(row["output"]),
            int(row["concurrency"]),
            _optional(row.get("tok_s")),
            _optional(row.get("ttft_ms")),
        )
        for row in rows
    ]


def _bench(said: Mapping[str, Mapping[str, float]]) -> list[Load]:
    loads = []
    if decode := said.get("decode"):
        answer = int(decode.get("output", _STREAM_ANSWER))
        loads.append(Load(int(decode.get("prompt", 1)), answer, 1, float(decode["tok_s"])))
    if prefill := said.get("prefill"):
        prompt = int(prefill.get("prompt", _PREFILL))
        loads.append(Load(prompt, 1, 1, first_ms=1000 * prompt / float(prefill["tok_s"])))
    if first := said.get("ttft_ms"):
        loads.append(Load(int(first.get("prompt", _FIRST)), 1, 1, first_ms=float(first["cold"])))
    for name, streams in said.items():
        if name.startswith("streams_") and streams:
            prompt = int(streams.get("prompt", _STREAM_PROMPT))
            answer = int(streams.get("output", _STREAM_ANSWER))
            loads.append(Load(prompt, answer, int(name[8:]), float(streams["tok_s"])))
    return loads


def _optional(value: object) -> float | None:
    return None if value is None else float(str(value))


def _check(load: Load) -> None:
    sizes = (load.prompt_tokens, load.answer_tokens, load.clients)
    measured = [each for each in (load.tokens_per_s, load.first_ms) if each is not None]
    sane = measured and all(math.isfinite(each) and each > 0 for each in measured)
    if min(sizes) < 1 or not sane:
        raise PlanError(
            f"calibrate: {load} cannot be; sizes are at least 1, and a rate or a time to the first "
            "token is there, above 0"
        )


def _loss(served: Served, loads: Sequence[Load], apart: float) -> Loss:
    return lambda place: float(np.square(_errors(served, loads, place, apart)).sum())


def _descend(
    loss: Loss, place: NDArray[np.float64], reach: float, narrowest: float
) -> NDArray[np.float64]:
    """Compass search over the logarithms of three rates.

    Steps go along each rate and along trades of one for another, the last good way first. Medians
    of a few first tokens jump as requests change places, so slopes would mislead.
    """
    ways = [np.array(way, float) for way in itertools.product((0, -1, 1), repeat=3) if any(way)]
    least = loss(place)
    while reach > narrowest:
        for number, way in enumerate(ways):
            tried = loss(place + reach * way)
            if tried < least:
                least, place = tried, place + reach * way
                ways.insert(0, ways.pop(number))
                break
        else:
            reach /= 2
    return place


def _starts(served: Served, loads: Sequence[Load]) -> list[list[float]]:
    """Rates of the right order: as if memory bound the slowest load, or the host did."""
    tokens_per_s = max(
        max(load.tokens_per_s or 0.0, 1000 * load.prompt_tokens / (load.first_ms or math.inf))
        for load in loads
    )
    flops_per_s = 2 * served.weight_bytes / served.weight_bytes_each * tokens_per_s
    slowest = max(load.tokens_per_s or 0.0 for load in loads) or tokens_per_s
    bytes_per_s = served.weight_bytes * slowest
    return [
        [flops_per_s, bytes_per_s, 0.1 / slowest],
        [flops_per_s, 10 * bytes_per_s, 0.9 / slowest],
    ]


def _pace(place: NDArray[np.float64], apart: float) -> Pace:
    flops_per_s, bytes_per_s, step_s = np.exp(place).tolist()
    return Pace(flops_per_s, flops_per_s, bytes_per_s, step_s, apart=apart)


def _errors(
    served: Served, loads: Sequence[Load], place: NDArray[np.float64], apart: float
) -> NDArray[np.float64]:
    errors = []
    for load in loads:
        seen = predict(served, _pace(place, apart), load)
        for predicted, measured in (
            (seen.tokens_per_s, load.tokens_per_s),
            (seen.first_ms, load.first_ms),
        ):
            if measured is not None and predicted is not None:
                errors.append(math.log(predicted / measured))
    return np.array(errors)
