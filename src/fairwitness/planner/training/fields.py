"""What `plan train` takes and gives."""

from __future__ import annotations

import math

from fairwitness.planner.fields import Field, Output, Word
from fairwitness.planner.training import tuning

_OURS = "our choice"
_KERNELS = "Reached in planner/device.py: 67 % fitted on Megatron 175B (arXiv 2205.05198)"

FIELDS: tuple[Field | Word, ...] = (
    Word("model", "Shape of the model: a name, or a config.json.", "grok-1", _OURS),
    Word("method", "What kind of training.", "pretrain", _OURS, choices=tuning.METHODS),
    Word("chip", "Accelerator.", "H100", _OURS, kind="accelerator"),
    Word("server", "Server that the chips stand in.", "DGX-H100", _OURS, kind="server"),
    Word("region", "Where it runs.", "Tennessee", _OURS, kind="region"),
    Word("precision", "Format of matrix products.", "bf16", _OURS, choices=("bf16", "fp8")),
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
          "405B: 34.5 % of its chip-hours' peak at an MFU of 40 % (arXiv 2407.21783, model card)",
          most=1),
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
          "arXiv 2404.10102", least=-math.inf, zero=True),
    Field("size_z", "", "Its power of size, in standard errors.", "normal(-1.645..1.645)",
          "arXiv 2404.10102", least=-math.inf, zero=True),
    Field("data_z", "", "Its power of data, in standard errors.", "normal(-1.645..1.645)",
          "arXiv 2404.10102", least=-math.inf, zero=True),
)  # fmt: skip

OUTPUTS = (
    Output("calendar", "s", "from first step to last", swings=True),
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
