"""What `plan serve` takes and gives."""

from __future__ import annotations

from fairwitness.planner.fields import Field, Output, Word
from fairwitness.planner.shapes import BYTES_OF

_OURS = "our choice"
_FORMATS = tuple(BYTES_OF)

FIELDS: tuple[Field | Word, ...] = (
    Word("model", "Shape of the model: a name, or a config.json.", "grok-1", _OURS),
    Word("chip", "Accelerator.", "H100", _OURS, kind="accelerator"),
    Word("server", "Server that the chips stand in.", "DGX-H100", _OURS, kind="server"),
    Word("precision", "Format that is multiplied in.", "bf16", _OURS, choices=("bf16", "fp8")),
    Word("weights", "Format of the weights.", "int8", _OURS, choices=_FORMATS),
    Word("cache", "Format of the KV cache.", "bf16", _OURS, choices=_FORMATS),
    Word("trace", "JSON lines of requests (at_s, prompt_tokens, answer_tokens) to simulate."),
    Word("calibrate", "Measurements of an engine: JSON rows, or of bench engine."),
    Field("users", "user", "People a day.", "60M", _OURS),
    Field("uses", "", "Questions of each, a day.", "5..15", _OURS),
    Field("peak", "", "Busiest hour over the mean.", "1.5..2.5", _OURS, least=1.0),
    Field("prompt", "token", "Tokens of a prompt.", "800..2500", _OURS),
    Field("answer", "token", "Tokens of an answer.", "200..500", _OURS),
    Field("cached", "", "Share of prompts found in the prefix cache.", "20..60 %", _OURS, most=1,
          zero=True),
    Field("spread", "", "Standard deviation of a length's logarithm.", "1", _OURS, zero=True),
    Field("first_limit", "s", "95 % of first tokens come within.", "2 s", _OURS),
    Field("token_limit", "s", "A token of an answer takes at most.", "50 ms", _OURS),
    Field("headroom", "", "Load of a replica in the busiest hour.", "70 %", _OURS, most=1),
    Field("chips_each", "chip", "Chips of a replica; else the cheapest.", whole=True),
    Field("memory", "byte", "Memory of a chip.", figure="chip.memory"),
    Field("memory_rate", "byte/s", "Rate of that memory.", figure="chip.memory_rate"),
    Field("scale_up", "byte/s", "Link within a server.", figure="chip.scale_up", bits=True),
    Field("scale_up_chips", "chip", "Chips on it.", figure="chip.scale_up_chips", whole=True),
    Field("scale_out", "byte/s", "Link to others.", figure="chip.scale_out", bits=True),
    Field("matrix", "", "Share of the peak that prompts reach.", "40..70 %", _OURS, most=1),
    Field("attention", "", "And answers.", "30..60 %", _OURS, most=1),
    Field("memory_reached", "", "Of the memory's rate.", "60..85 %", _OURS, most=1),
    Field("step", "s", "Host and launches of a step.", "1..6 ms", _OURS, zero=True),
    Field("chip_power", "W", "Power of a chip.", figure="chip.power"),
    Field("server_power", "", "Power of a server over its chips'.",
          figure="server.chip_to_server_power", least=1.0),
    Field("draw", "", "Average over nameplate power.", "50..80 %", _OURS, most=1),
    Field("pue", "", "Power at the meter over that of servers.", "1.1..1.3", _OURS, least=1.0),
    Field("rent", "USD/chip/h", "Price of a chip's hour.", figure="chip.rent"),
)  # fmt: skip

OUTPUTS = (
    Output("peak_requests", "1/s", "questions a second in the busiest hour"),
    Output("chips_needed", "chip", "chips", swings=True),
    Output("replicas", "", "replicas"),
    Output("batch", "", "answers side by side in a replica"),
    Output("token_gap", "s", "between two tokens, at that batch"),
    Output("first", "s", "first token, with nothing queued"),
    Output("answer_rate", "token/s", "answer tokens of a replica"),
    Output("answer_price", "USD", "a million answer tokens", swings=True),
    Output("prompt_price", "USD", "a million prompt tokens"),
    Output("whole_price", "USD", "a million answer tokens, if all cost is theirs"),
    Output("question_price", "USD", "an answered question"),
    Output("user_price", "USD", "a user and month"),
    Output("question_energy", "kWh", "energy of a question"),
    Output("power", "W", "average power at the meter"),
    Output("rent_a_day", "USD", "a day"),
    Output("slots", "", "answers whose caches fit a replica"),
    Output("idle", "", "share of chip time unused over a day"),
)
