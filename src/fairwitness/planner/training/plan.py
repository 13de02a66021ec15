"""`plan train`: from tokens or a loss to a mesh, days, failures, energy, carbon, water, money."""

from __future__ import annotations

from functools import partial

import msgspec

from fairwitness.planner.amounts import shown
from fairwitness.planner.certain import one_number
from fairwitness.planner.device import Device, Reached
from fairwitness.planner.errors import InputError, PlanError
from fairwitness.planner.fields import Told, Values, Verb
from fairwitness.planner.inputs import Inputs
from fairwitness.planner.outcome import outcome
from fairwitness.planner.ranges import Number
from fairwitness.planner.result import Result, Table
from fairwitness.planner.shapes import ModelShape, active_weights, find_shape, weights
from fairwitness.planner.training import bill, tuning
from fairwitness.planner.training.failures import checkpoint_bytes, goodput, mean_time_between_s
from fairwitness.planner.training.fields import FIELDS, OUTPUTS
from fairwitness.planner.training.memory import chip_memory
from fairwitness.planner.training.mesh import Job, Mesh
from fairwitness.planner.training.scaling import loss, tokens_for, uncertain_law
from fairwitness.planner.training.search import Found, find_mesh
from fairwitness.planner.training.step import StepTime, step_time, utilisation


def plan_train(inputs: Inputs, told: Told) -> Result:
    """Search the mesh at the inputs' medians, then run the formulas on draws."""
    shape = find_shape(inputs.word("model"))
    middle = inputs.middle()
    job = _job(inputs, shape)
    told("mesh", 0, 1)
    device = _device(inputs, middle)
    found = find_mesh(job, int(one_number(inputs, "chips")), device, _reached(middle))
    told("mesh", 1, 1)
    compute = partial(_compute, inputs, job, found.mesh)
    result = outcome(inputs, compute, OUTPUTS, told)
    taken = step_time(job, found.mesh, device, _reached(middle))
    tables = (_tried(job, found, device), _where(taken), _held(job, found.mesh))
    return msgspec.structs.replace(
        result, verdict=_verdict(found, taken), tables=tables, notes=_notes(inputs, shape)
    )


def _job(inputs: Inputs, shape: ModelShape) -> Job:
    sequence, batch = int(one_number(inputs, "sequence")), int(one_number(inputs, "batch"))
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
        "calendar_s": wall_s,
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
    fields=FIELDS,
    plan=plan_train,
)
