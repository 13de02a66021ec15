"""`plan fleet`: what it takes, and what it gives."""

from fairwitness.planner.fields import Field, Output, Word

_CAR = "Tesla's computer as generally reported, not read again"
_OURS = "assumed"

FIELDS = (
    Word("model", "Shape of the model: a name or a JSON config.", "llama-3.1-8b", _OURS),
    Field("weight_size", "", "Bytes of a parameter.", "0.5", "four bits", most=4),
    Word(
        "trace",
        "When machines are idle: car, desktop, flat, or a file of 168 shares from Monday midnight.",
        "car",
        _OURS,
    ),
    Field("machines", "machine", "How many there are.", "5M", _OURS, whole=True),
    Field("join", "", "Owners that take part.", "20..50 %", _OURS, most=1),
    Field("idle_time", "h", "Idle hours in a week.", "112 h", "two thirds of a week", most=168),
    Field("stretch", "h", "Mean length of an idle stretch.", "1..8 h", _OURS),
    Field("memory", "byte", "Of a machine.", "16 GB", _CAR),
    Field("usable", "", "Of it, for the model.", "60..90 %", _OURS, most=1),
    Field("memory_rate", "byte/s", "How fast it is read.", "68 GB/s", _CAR),
    Field("compute", "FLOP/s", "Peak of a machine.", "144 TFLOP/s", f"int8; {_CAR}"),
    Field("efficiency", "", "Reached of both.", "40..70 %", "0.6 in planner.md 1.2", most=1),
    Field("power", "W", "More than when it idles.", "80..120 W", _OURS),
    Field("load_rate", "byte/s", "From its disk.", "0.3..2 GB/s", _OURS),
    Field("line", "byte/s", "From the internet.", "30..200 Mbit/s", _OURS, bits=True),
    Field("hop", "s", "From machine to machine.", "20..60 ms", _OURS),
    Field("updates", "1/month", "New weights.", "1/month", _OURS, zero=True),
    Field("prompt", "token", "Of a question.", "500", _OURS),
    Field("answer", "token", "Of an answer.", "300", _OURS),
    Field("batch", "", "Answers at once on a machine.", "1", _OURS, least=1),
    Field("copies", "", "Machines that make each answer: 1, 2, 3, 5.", "2", _OURS, whole=True),
    Field("cheating", "", "Machines that lie.", "0.1..2 %", _OURS, most=0.49, zero=True),
    Word("region", "Whose electricity it is.", "USA", _OURS, kind="region"),
    Field("electricity", "USD/kWh", "What owners pay.", figure="region.electricity"),
    Field("owner_pay", "USD/machine/h", "For a busy hour.", "0.01..0.05 USD/h", _OURS, zero=True),
    Field("overhead", "", "Scheduling, support, audits.", "10..30 %", _OURS, zero=True),
    Word("chip", "Accelerator of the data centre beside it.", "H100", _OURS, kind="accelerator"),
    Field("chip_rate", "FLOP/s", "Its peak.", figure="chip.bf16"),
    Field("chip_rent", "USD/chip/h", "Its price.", figure="chip.rent"),
    Field("chip_power", "W", "Its draw.", figure="chip.power"),
    Field(
        "chip_mfu",
        "",
        "Reached of it in batches.",
        "25..55 %",
        "serving Llama 2 70B, planner.md 2.3",
        most=1,
    ),
    Field("chip_use", "", "Hours in which it is wanted.", "50..80 %", _OURS, most=1),
    Field("site_factor", "", "Draw at the meter over the chip's.", "2.2", "1.82 x PUE", least=1),
)

OUTPUTS = (
    Output("fits", "", "times the model goes into a machine"),
    Output("machine_rate", "token/s", "tokens of one machine"),
    Output("answer_time", "s", "an answer takes"),
    Output("asked", "", "idle hours that meet a question"),
    Output("finished", "", "of them, not interrupted"),
    Output("loaded", "", "of them, after loading and updates"),
    Output("useful", "", "of a busy hour, tokens that are used once"),
    Output("wrong", "", "answers that are wrong and believed"),
    Output("daily", "token/day", "usable tokens", swings=True),
    Output("chips", "chip", "accelerators that make as many"),
    Output("cost", "USD", "a million tokens from the fleet", swings=True),
    Output("site_cost", "USD", "a million tokens from a data centre"),
    Output("energy", "kWh", "energy of a million tokens from the fleet"),
    Output("site_energy", "kWh", "the same from a data centre"),
    Output("split_rate", "token/s", "tokens of one answer, were the model split over machines"),
)
