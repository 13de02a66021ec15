"""`plan train`: from tokens or a loss to a mesh, days, failures, energy, carbon, water, money."""

from __future__ import annotations

from functools import partial

import msgspec
import numpy as np

from fairwitness.planner.amounts import shown
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.fields import Field, Output, Told, Values, Verb, Word
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.result import Result, Table
from fairwitness.planner.shapes import ModelShape, active_weights, find_shape, weights
from fairwitness.planner.training import bill, tuning
from fairwitness.planner.training.failures import checkpoint_bytes, goodput, mean_time_between_s
from fairwitness.planner.training.memory import chip_memory
from fairwitness.planner.training.mesh import Job, Mesh
from fairwitness.planner.training.scaling import loss, tokens_for, uncertain_law
from fairwitness.planner.training.search import Found, find_mesh
from fairwitness.planner.training.step import StepTime, step_time, utilisation

_OURS = "our choice"
_KERNELS = "Reached in planner/device.py: 67 % fitted on Megatron 175B (arXiv 2205.05198)"

_FIELDS: tuple[Field | Word, ...] = (
    Word("model", "Shape of the model: a name, or a config.json.", "grok-1"),
    Word("method", "What kind of training.", "pretrain", choices=tuning.METHODS),
    Word("chip", "Accelerator.", "H100", kind="accelerator"),
    Word("server", "Server that the chips stand in.", "DGX-H100", kind="server"),
    Word("region", "Where it runs.", "Tennessee", kind="region"),
    Word("precision", "Format that matrices are multiplied in.", "bf16", choices=("bf16", "fp8")),
    Field("chips", "chip", "Chips to train on.", "100000", _OURS, whole=True),
    Field("tokens", "token", "Tokens to train on.", "10T", _OURS),
    Field("loss", "", "Loss to reach, instead of a number of tokens."),
    Field("sequence", "token", "Tokens of a sequence.", "8192", "Grok-1's context", whole=True),
    Field("batch", "token", "Tokens of a step.", "64M", _OURS, whole=True),
    Field("memory", "byte", "Memory of a chip.", figure="chip.memory"),
    Field("memory_rate", "byte/s", "Rate of that memory.", figure="chip.memory_rate"),
    Field("scale_up", "byte/s", "Link within a server.", figure="chip.scale_up", bits=True),
    Field("scale_up_chips", "chip", "Chips on it.", figure="chip.scale_up_chips", whole=True),
    Field("scale_out", "byte/s", "Link to others.", figure="chip.scale_out", bits=True),
    Field("matrix", "", "Share of the peak that matrices reach.", "50..72 %", _KERNELS, most=1),
    Field("attention", "", "The same of attention.", "35..60 %", _KERNELS, most=1),
    Field("memory_reached", "", "Of the memory's rate.", "70..90 %", _KERNELS, most=1),
    Field("scale_up_reached", "", "Of the inner link.", "60..85 %", _KERNELS, most=1),
    Field("scale_out_reached", "", "Of the outer link.", "60..90 %", _KERNELS, most=1),
    Field("expert_hidden", "", "Expert exchange behind compute.", "30..90 %", _OURS, most=1),
    Field("end_to_end", "", "Planned stops, evaluations, lost steps: what is left.", "80..97 %",
          "405B: effective share over MFU is 0.85 (planner reference 2.1)", most=1),
    Field("failures", "1/chip/h", "Failures.", "1e-5..8e-5 1/chip/h",
          "RSC-2 1.2e-5, Llama 3 1.97e-5, RSC-1 3.4e-5, OPT 8.1e-5"),
    Field("saving", "s", "How long a checkpoint blocks the run.", "1..20 s", _OURS),
    Field("write", "s", "Until it is durable, beside the run.", "20..120 s", _OURS, zero=True),
    Field("restart", "s", "From a failure to the next step.", "2..10 min", _OURS),
    Field("chip_power", "W", "Power of a chip.", figure="chip.power"),
    Field("server_power", "", "Power of a server over its chips'.",
          figure="server.chip_to_server_power", least=1.0),
    Field("average_draw", "", "Average over nameplate power.", figure="server.average_draw",
          most=1),
    Field("pue", "", "Power at the meter over that of servers.", "1.1..1.3", _OURS, least=1.0),
    Field("electricity", "USD/kWh", "Price of power.", figure="region.electricity"),
    Field("carbon", "kg/kWh", "Carbon of power.", figure="region.carbon"),
    Field("water_grid", "l/kWh", "Water of power.", figure="region.water", zero=True),
    Field("water_site", "l/kWh", "Water of cooling.", "0.2..1.8 l/kWh",
          "Colossus 0.30 in 2026; evaporating all heat 1.59", zero=True),
    Field("rent", "USD/chip/h", "Price of a chip's hour.", figure="chip.rent"),
    Field("price", "USD/chip", "Price of a chip.", figure="chip.price"),
    Field("server_price", "", "Price of a server over its chips'.", figure="server.price_ratio",
          least=1.0),
    *tuning.FIELDS,
    Field("floor_z", "", "Loss's floor, in standard errors.", "normal(-1.645..1.645)",
          "arXiv 2404.10102", least=-np.inf, zero=True),
    Field("size_z", "", "Its power of size, in standard errors.", "normal(-1.645..1.645)",
          "arXiv 2404.10102", least=-np.inf, zero=True),
    Field("data_z", "", "Its power of data, in standard errors.", "normal(-1.645..1.645)",
          "arXiv 2404.10102", least=-np.inf, zero=True),
)  # fmt: skip

_OUTPUTS = (
    Output("days", "", "days from first step to last", swings=True),
    Output("mfu", "", "MFU of a step"),
    Output("goodput", "", "progress as a share of time, after failures"),
    Output("effective", "", "model FLOP as a share of all chip-hours' peak"),
    Output("chip_hours", "", "chip-hours", swings=True),
    Output("trained_tokens", "token", "tokens trained on"),
    Output("final_loss", "", "loss forecast", note="nats a token, Chinchilla's data"),
    Output("work", "FLOP", "work of the model"),
    Output("step", "s", "one step"),
    Output("failure_gap", "s", "time between failures"),
    Output("save_gap", "s", "work between checkpoints"),
    Output("checkpoint", "byte", "a checkpoint"),
    Output("power", "W", "average power at the meter"),
    Output("energy", "kWh", "energy"),
    Output("co2", "kg", "carbon of the energy"),
    Output("water", "l", "water, site and grid"),
    Output("rented", "USD", "rented", swings=True),
    Output("owned", "USD", "owned: value lost, and energy"),
)


def plan_train(inputs: Inputs, told: Told) -> Result:
    """Search the mesh at the inputs' medians, then run the formulas on draws."""
    shape = find_shape(inputs.word("model"))
    middle = inputs.middle()
    job = _job(inputs, shape, middle)
    told("mesh", 0, 1)
    device = _device(inputs, middle)
    found = find_mesh(job, int(middle["chips"]), device, _reached(middle))
    told("mesh", 1, 1)
    compute = partial(_compute, inputs, job, found.mesh)
    result = outcome(inputs, compute, _OUTPUTS, told)
    taken = step_time(job, found.mesh, device, _reached(middle))
    tables = (_tried(job, found, device), _where(taken), _held(job, found.mesh))
    return msgspec.structs.replace(
        result, verdict=_verdict(found, taken), tables=tables, notes=_notes(inputs, shape)
    )


def _job(inputs: Inputs, shape: ModelShape, middle: dict[str, float]) -> Job:
    sequence, batch = int(middle["sequence_tokens"]), int(middle["batch_tokens"])
    if sequence > 16 * shape.context:
        right = f"write at most {16 * shape.context}"
        raise InputError("sequence", sequence, f"is far beyond {shape.name}'s context", right)
    if batch < sequence:
        raise InputError("batch", batch, "holds no whole sequence", f"write at least {sequence}")
    each = 1.0 if inputs.word("precision") == "fp8" else 2.0
    return Job(shape, sequence, batch // sequence, compute_bytes=each)


def _device(inputs: Inputs, values: Values) -> Device:
    """Rates may be draws; what a mesh must fit into is taken at its median."""
    chip, middle = inputs.catalogue.row(inputs.word("chip")), inputs.middle()
    try:
        return Device(
            chip.figure(inputs.word("precision")).median,
            middle["memory_bytes"],
            values["memory_rate_bytes_per_s"],
            values["scale_up_bytes_per_s"],
            int(middle["scale_up_chips"]),
            values["scale_out_bytes_per_s"],
        )
    except KeyError as error:
        option = str(error.args[0]).split("_bytes")[0].replace("_", "-")
        raise PlanError(f"{chip.name}: the catalogue has no {option}; give --{option}") from error


def _reached(values: Values) -> Reached:
    return Reached(
        matrix=values["matrix"],
        attention=values["attention"],
        memory=values["memory_reached"],
        scale_up=values["scale_up_reached"],
        scale_out=values["scale_out_reached"],
        expert_hidden=values["expert_hidden"],
    )


def _compute(inputs: Inputs, job: Job, mesh: Mesh, v: Values) -> dict[str, Number]:
    """Every output, for draws or points."""
    shape, device, reached = job.shape, _device(inputs, v), _reached(v)
    law = uncertain_law(v["floor_z"], v["size_z"], v["data_z"])
    active = float(active_weights(shape))
    tokens = v["tokens"] if "loss" not in v else tokens_for(law, active, v["loss"])
    step_s = step_time(job, mesh, device, reached).total_s
    work = tuning.work(inputs.word("method"), job, mesh, device, reached, step_s, tokens, v)
    share, save_gap_s = goodput(
        v["failures_per_chip_h"], v["chips"], v["saving_s"], v["restart_s"], v["write_s"]
    )
    wall_s = work.busy_s / (share * v["end_to_end"])
    chip_hours = wall_s / 3600 * v["chips"]
    return {
        "days": wall_s / 86_400,
        "mfu": utilisation(job, step_s, mesh.chips, device),
        "goodput": share,
        "effective": work.flops_per_s * share * v["end_to_end"] / (v["chips"] * device.flops_per_s),
        "chip_hours": chip_hours,
        "trained_tokens": work.tokens,
        "final_loss": loss(law, active, work.tokens),
        "work_flops": work.flops,
        "step_s": step_s,
        "failure_gap_s": mean_time_between_s(v["failures_per_chip_h"], v["chips"]),
        "save_gap_s": save_gap_s,
        "checkpoint_bytes": checkpoint_bytes(float(weights(shape).total)),
        **bill.bill(chip_hours, v),
    }


def _verdict(found: Found, taken: StepTime) -> str:
    parts = {name: float(part) for name, part in taken.parts().items()}
    binding = max(parts, key=lambda name: parts[name])
    share = parts[binding] / float(taken.total_s)
    mesh = found.mesh
    return f"feasible: {mesh.told()}; bound by {binding} ({share:.0%} of a step)"


def _tried(job: Job, found: Found, device: Device) -> Table:
    rows = [
        (mesh.told(), f"{float(mesh.chips):,.0f}", shown(step_s, "s"), _held_text(job, mesh))
        for mesh, step_s in ((found.mesh, found.step_s), *found.runners_up)
    ]
    note = f"{found.tried} meshes tried, {found.fitted} fit {shown(device.memory_bytes, 'byte')}"
    return Table("best meshes", ("mesh", "chips in use", "step", "memory"), tuple(rows), note)


def _where(taken: StepTime) -> Table:
    whole = float(taken.total_s)
    rows = tuple(
        (name, shown(float(part), "s"), f"{float(part) / whole:.1%}")
        for name, part in taken.parts().items()
        if float(part) > 0
    )
    return Table("where a step goes", ("part", "time", "share"), rows)


def _held(job: Job, mesh: Mesh) -> Table:
    memory = chip_memory(job, mesh)
    rows = tuple(
        (name, shown(float(getattr(memory, name)), "byte"))
        for name in ("weights", "gradients", "moments", "activations", "logits", "gathered")
    )
    return Table("what the fullest chip holds", ("part", "bytes"), rows)


def _held_text(job: Job, mesh: Mesh) -> str:
    return shown(float(chip_memory(job, mesh).total), "byte")


def _notes(inputs: Inputs, shape: ModelShape) -> tuple[str, ...]:
    told = (
        f"{shape.name}: {weights(shape).total / 1e9:.1f} G weights, "
        f"{active_weights(shape) / 1e9:.1f} G active ({shape.source or 'your file'})",
        "the mesh is the best on paper; published runs reach 10-20 % less than such a step",
    )
    note = tuning.NOTES.get(inputs.word("method"))
    return (*told, note) if note else told


VERB = Verb(
    name="train",
    help="Train a model: mesh, days, failures, energy, carbon, water and money.",
    example="--model llama-3.1-405b --chips 16384 --tokens 15.6T --batch 16M",
    fields=_FIELDS,
    plan=plan_train,
)
