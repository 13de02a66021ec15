"""The catalogue: every figure says its unit, its source and when; people override it."""

import re
from pathlib import Path

import pytest

from fairwitness.planner.catalogue import KINDS, bundled, read_files
from fairwitness.planner.errors import CatalogueError, InputError, PlanError

FIGURES = [(row.name, figure) for row in bundled().rows() for figure in row.said]
WANTED = """A100 H100 H200 B200 GB200 B300 GB300 MI300X TPU-v5p TPU-v6e TPU-v7 Trainium2 Tesla-D1
Dojo-tile""".split()


@pytest.mark.parametrize(("row", "figure"), FIGURES)
def test_every_figure_has_unit_source_and_date(row: str, figure: str) -> None:
    read = bundled().row(row).figure(figure)
    assert read.unit == KINDS[bundled().row(row).kind][figure]
    assert (
        read.unit == ""
        or re.search(r"[A-Za-z]", read.text)
        or figure in ("chips", "scale_up_chips")
    )
    assert len(read.source) > 5
    assert re.fullmatch(r"20\d\d(-\d\d){0,2}", read.date)
    assert read.median > 0


@pytest.mark.parametrize("name", WANTED)
def test_every_chip_that_people_ask_for_is_there(name: str) -> None:
    row = bundled().row(name)
    assert row.kind == "accelerator"
    assert {"bf16"} <= set(row.said)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_has_rows(kind: str) -> None:
    assert bundled().rows(kind)


def test_no_chip_mixes_dense_with_sparse_rates() -> None:
    """An fp8 rate is twice bf16's at most; four times is the sparse figure's mark."""
    for row in bundled().rows("accelerator"):
        if "fp8" in row.said:
            assert row.figure("fp8").median <= 2.01 * row.figure("bf16").median, row.name


def test_gibibytes_are_not_gigabytes() -> None:
    assert bundled().row("H100").figure("memory").median == 80 * 2**30
    assert bundled().row("MI300X").figure("memory").median == 192e9


def test_links_are_said_per_direction() -> None:
    row = bundled().row("H100")
    assert row.figure("scale_up").median == 450e9
    assert "both directions" in " ".join(row.said["scale_up"].conflicts)


def test_conflicts_stay_visible() -> None:
    assert any("1,750 W" in each for each in bundled().row("B300").said["power"].conflicts)


def write(folder: Path, text: str) -> Path:
    path = folder / "own.toml"
    path.write_text(text)
    return path


def test_people_add_rows_and_override_figures(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
        [H100]
        power = { value = "650 W", source = "our own meter", date = "2026-11" }
        [Ours]
        kind = "accelerator"
        title = "Our chip"
        bf16 = { value = "500 TFLOP/s", source = "our lab", date = "2026-11" }
        """,
    )
    catalogue = read_files([path])
    assert catalogue.row("h100").figure("power").median == 650
    assert catalogue.row("H100").figure("bf16").median == 989e12
    assert catalogue.row("Ours").figure("bf16").source == "our lab"
    assert bundled().row("H100").figure("power").median == 700


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        ('power = { value = "700 W", date = "2026" }', "Ours.power: '700 W' has no source"),
        ('power = { value = "700 W", source = "us" }', "Ours.power: '700 W' has no date"),
        ('power = { value = "700", source = "us", date = "2026" }', "has no unit"),
        ('power = { value = "700 kWh", source = "us", date = "2026" }', "is energy"),
        ('weight = { value = "7 kg", source = "us", date = "2026" }', "Ours.weight: is no figure"),
        ("power = 700", "Ours.power: 700 is no figure"),
    ],
)
def test_a_row_that_lacks_something_is_refused_by_name(
    tmp_path: Path, figure: str, told: str
) -> None:
    path = write(tmp_path, f'[Ours]\nkind = "accelerator"\n{figure}\n')
    with pytest.raises(PlanError, match=re.escape(told)):
        read_files([path])


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "power = = 7")
    with pytest.raises(CatalogueError, match=re.escape(str(path))):
        read_files([path])


def test_an_unknown_row_says_what_is_near() -> None:
    with pytest.raises(InputError, match="did you mean H100"):
        bundled().row("H10O")
