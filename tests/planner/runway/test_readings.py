"""Section by section what has to be true for the two dates; each figure with its tolerance.

Figures: planner.md 1.6, computed there independently, from Founder Securities' inputs.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairwitness.planner.runway import readings
from fairwitness.planner.runway.burn import break_even_share, course, month_name

ON_THE_LINE = [(1.0, 0.74), (0.5, 1.18), (0.3, 1.55), (0.15, 2.03)]


@pytest.mark.parametrize(("compression", "usd_per_h"), ON_THE_LINE)
def test_twelve_per_cent_break_even_on_a_line_of_prices(
    compression: float, usd_per_h: float
) -> None:
    assert readings.line_usd_per_gpu_h(compression) == pytest.approx(usd_per_h, abs=0.005)
    assert readings.line_share(compression, usd_per_h) == pytest.approx(0.12, abs=0.001)


@pytest.mark.parametrize(
    ("compression", "loss_usd"), [(0.15, 3.4e9), (0.3, 5.2e9), (0.5, 6.6e9), (1.0, 8.2e9)]
)
def test_on_the_line_compute_alone_never_ends_the_cash(compression: float, loss_usd: float) -> None:
    assert readings.line_loss_usd(compression) == pytest.approx(loss_usd, rel=0.01)
    assert readings.line_loss_usd(compression) < readings.CASH_USD


@pytest.mark.parametrize(
    ("compression", "other_usd", "lost_usd"),
    [(1.0, 133e6, 6.6e9), (0.5, 183e6, 5.2e9), (0.3, 225e6, 4.1e9), (0.15, 280e6, 2.7e9)],
)
def test_reading_b1_needs_other_spending(
    compression: float, other_usd: float, lost_usd: float
) -> None:
    needed = readings.spending(compression)
    assert needed.other_usd_per_month == pytest.approx(other_usd, rel=0.01)
    assert needed.compute_lost_usd == pytest.approx(lost_usd, rel=0.02)
    assert needed.break_even_month == 24
    assert month_name("2023-11", needed.break_even_month) == "Nov 2025"


def test_reading_b1_runs_out_in_january_2026() -> None:
    price = readings.line_usd_per_gpu_h(0.3)
    other = readings.spending(0.3).other_usd_per_month + 1.0
    months = course(
        readings.business(0.3, price, readings.SLOW, readings.SLOW, other_spending_usd=other)
    )
    assert month_name("2023-12", float(months.cash_out_month)) == "Jan 2026"


@pytest.fixture(scope="module")
def drawn() -> readings.Draw:
    return readings.draw()


def test_reading_b_is_rare_and_breaks_even_at_sixteen(drawn: readings.Draw) -> None:
    accepted = readings.reading_b(drawn)
    # 0.12 % with another rule for "within a month"; ours counts whole months.
    assert 0.0006 < accepted.share < 0.0024
    assert np.median(accepted.taken.dau_per_mau) == pytest.approx(0.25, abs=0.02)
    assert np.median(accepted.taken.usd_per_gpu_h) == pytest.approx(1.72, rel=0.1)
    assert np.median(accepted.taken.compression) == pytest.approx(0.65, rel=0.1)
    assert np.median(accepted.taken.paid_share) == pytest.approx(0.020, abs=0.003)
    assert np.median(accepted.payer_cost_usd) == pytest.approx(8.0, abs=0.5)
    assert np.median(accepted.break_even_share) == pytest.approx(0.16, abs=0.01)


def test_reading_a_has_payers_who_lose_money_and_no_break_even(drawn: readings.Draw) -> None:
    accepted = readings.reading_a(drawn)
    assert 0.019 < accepted.share < 0.057  # 3.8 %, within a factor of two
    assert np.median(accepted.taken.usd_per_gpu_h) == pytest.approx(1.98, rel=0.1)
    assert np.median(accepted.taken.compression) == pytest.approx(0.31, rel=0.1)
    assert np.median(accepted.taken.paid_share) == pytest.approx(0.023, abs=0.003)
    assert np.median(accepted.payer_cost_usd) == pytest.approx(38, rel=0.1)
    assert np.isinf(np.median(accepted.break_even_share))
    assert readings.payers_lose_above_usd_per_h(0.3) == pytest.approx(1.18, abs=0.005)


def test_reading_c_buys_gpus_up_front() -> None:
    slow, fast = readings.reading_c(0.5, 20e3, 300.0, 0.02)
    assert slow == pytest.approx(25, abs=1)
    assert fast == pytest.approx(17, abs=1)
    assert readings.payback_months(0.5, 15e3) == pytest.approx(16, abs=0.5)


def test_their_gpus_for_gpt4() -> None:
    assert readings.gpus_for_better(272e3, 1.145) == pytest.approx(663e3, rel=1e-3)


def test_few_draws_agree_with_the_whole_model(drawn: readings.Draw) -> None:
    gained, fixed = readings._line(drawn, drawn.dau_per_mau)
    quick = readings.cash_out_month(gained, fixed, drawn.paid_share, readings.SLOW)
    for at in range(0, 2000, 97):
        slow = course(
            readings.business(
                drawn.compression[at],
                drawn.usd_per_gpu_h[at],
                readings.SLOW,
                drawn.paid_share[at] + readings.SLOW,
                drawn.dau_per_mau[at],
                months=48,
            )
        )
        assert float(slow.cash_out_month) + 1 == quick[at]


@settings(max_examples=150, deadline=None)
@given(
    compression=st.floats(0.05, 1.0),
    usd_per_h=st.floats(0.3, 4.0),
    ratio=st.floats(0.1, 1.0),
    paid=st.floats(0.0, 0.1),
    slow=st.floats(0.0, 0.02),
    more=st.floats(0.0, 0.02),
    other=st.floats(0.0, 1e9),
)
def test_a_faster_ramp_never_ends_the_cash_sooner_where_a_share_breaks_even(
    compression: float,
    usd_per_h: float,
    ratio: float,
    paid: float,
    slow: float,
    more: float,
    other: float,
) -> None:
    """The theorem. Costs follow use, so if any share breaks even, every payer adds cash."""

    def months(ramp: float) -> float:
        model = readings.business(compression, usd_per_h, ramp, paid, ratio, other)
        return float(course(model).cash_out_month)

    if np.isfinite(break_even_share(readings.business(compression, usd_per_h, 0.0, paid, ratio))):
        assert months(slow + more) >= months(slow)


def test_where_payers_lose_money_the_theorem_does_not_hold() -> None:
    """The other side, so that the property above is no tautology."""

    def months(ramp: float) -> float:
        return float(course(readings.business(0.31, 2.4, ramp, 0.02, None)).cash_out_month)

    assert np.isinf(break_even_share(readings.business(0.31, 2.4, 0.0, 0.02, None)))
    assert months(0.02) < months(0.0)
