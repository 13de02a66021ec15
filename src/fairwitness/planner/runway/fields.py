"""`plan runway`: what it takes, and what it gives. Defaults are the broker's OpenAI of 2023."""

from fairwitness.planner.fields import Field, Output, Word

_BROKER = "Founder Securities, 21 July 2023"
_OURS = "assumed"

FIELDS = (
    Word("start", 'First month, as in "2023-08".', "2023-08", _BROKER),
    Field("cash", "USD", "In the bank at the start.", "10 GUSD", _BROKER),
    Field("users", "user", "Who come, counted on users_base.", "60M", _BROKER),
    Word("users_base", "What users counts.", "DAU", _BROKER, choices=("DAU", "MAU")),
    Field("growth", "1/month", "Of users.", "0 %/month", _BROKER, least=-0.9, zero=True),
    Field("paid_share", "", "Who pay in the first month, of paid_base.", "1..3 %", _OURS, most=1),
    Word("paid_base", "What the paid share is of.", "DAU", _OURS, choices=("DAU", "MAU")),
    Field("dau_per_mau", "", "Share of monthly users that come on a day.", most=1),
    Field("paid_ramp", "", "Added to the paid share each month.", "0.5 %", _BROKER, zero=True),
    Field("most_paid", "", "Where the ramp ends.", "30 %", _OURS, most=1),
    Field("price", "USD/user/month", "What a payer pays.", "20 USD/month", _BROKER),
    Field("high_part", "", "Payers of a dearer tier.", "0 %", _OURS, most=1, zero=True),
    Field("high_price", "USD/user/month", "What they pay.", "200 USD/month", _OURS),
    Field(
        "free_use",
        "chip/user",
        "Chips that one free user of a day keeps busy.",
        "0.0016..0.0054 chip/user",
        f"{_BROKER}: 272,000 A100 for 25 M users, compressed to 0.15 to 0.5",
        zero=True,
    ),
    Field(
        "paid_use",
        "chip/user",
        "The same for a payer.",
        "0.02656 chip/user",
        f"{_BROKER}: 664,000 A100 for 25 M users",
    ),
    Field("high_use", "chip/user", "The same in the dearer tier.", "0.1 chip/user", _OURS),
    Field("chip_rent", "USD/chip/h", "A rented chip.", "1.2..1.8 USD/h", "A100, 2023 and 2024"),
    Word("chips", "Rent chips, or buy them when needed.", "rent", _OURS, choices=("rent", "buy")),
    Field("chip_price", "USD/chip", "A bought chip, all in.", "15..20 kUSD", _OURS),
    Field("chip_upkeep", "USD/chip/h", "A bought chip's energy and care.", "0.4 USD/h", _OURS),
    Field("churn", "1/month", "Payers that leave.", "3..8 %/month", _OURS, most=1, zero=True),
    Field("acquire", "USD/user", "To win a payer.", "0 USD/user", _OURS, zero=True),
    Field("fees", "", "What stores and cards keep.", "3..10 %", _OURS, most=0.9, zero=True),
    Field("other_income", "USD/month", "API, advertising.", "0 USD/month", _OURS, zero=True),
    Field(
        "other_spending", "USD/month", "Staff, training.", "100..250 MUSD/month", _OURS, zero=True
    ),
    Field("investor_share", "", "Of profits, until repaid; 75 % for instance.", most=1),
    Field("investor_until", "USD", "Until he has had so much.", "13 GUSD", "Fortune, 24 Jan 2023"),
    Field("investor_after", "", "His share afterwards.", "49 %", "Fortune, 24 Jan 2023", most=1),
    Field("horizon", "month", "How far the plan looks.", "60 months", _OURS, whole=True),
)

OUTPUTS = (
    Output("cash_out", "month", "cash-out: first month that ends without cash", swings=True),
    Output("break_even", "month", "break-even: first month that pays for itself"),
    Output("break_even_share", "", "paid share that breaks even", swings=True),
    Output("payer_cost", "USD/user/month", "a payer costs"),
    Output("payer_margin", "USD/user/month", "a payer leaves", swings=True),
    Output("payback", "month", "a payer has paid for his chips, if bought, after"),
    Output("lifetime", "month", "a payer stays"),
    Output("first_flow", "USD/month", "flow of the first month"),
    Output("deepest", "USD", "most that has to be put in"),
    Output("last_cash", "USD", "cash at the end of the plan"),
    Output("investor", "USD", "had by the investor"),
)
