import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.models import ModelFileError
from fairwitness.models.safetensors import open_folder, open_safetensors


def packed(header: object, body: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + body


def entry(dtype="F32", shape=(2,), offsets=(0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_reads_what_was_written(tiny, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(tiny.safetensors_bytes(tiny.weights()))
    file = open_safetensors(path)
    for name, weight in tiny.weights().items():
        np.testing.assert_array_equal(file.read(name), weight)


def test_reads_half_formats(tmp_path):
    values = np.array([1.5, -2.25], np.float32)
    upper_halves = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    body = values.astype("<f2").tobytes() + upper_halves
    path = tmp_path / "model.safetensors"
    header = {"a": entry("F16", (2,), (0, 4)), "b": entry("BF16", (2,), (4, 8))}
    path.write_bytes(packed({"__metadata__": {"format": "pt"}, **header}, body))
    file = open_safetensors(path)
    np.testing.assert_array_equal(file.read("a"), values)
    np.testing.assert_array_equal(file.read("b"), values)
    with pytest.raises(ModelFileError, match="no tensor 'c'"):
        file.read("c")


HOSTILE = {
    "not a safetensors file: 3 bytes": b"abc",
    "a header of 18446744073709551615 bytes": b"\xff" * 8 + b"{}",
    "does not parse": packed(b"[1, 2]"),
    "header does not parse": packed(b"\xff\xfe"),
    "unsupported dtype 'F8_E4M3'": packed({"t": entry("F8_E4M3")}, bytes(8)),
    "the data has 4 bytes": packed({"t": entry()}, bytes(4)),
    "lies at -8..0": packed({"t": entry(offsets=(-8, 0))}, bytes(8)),
    "lies at 8..0": packed({"t": entry(offsets=(8, 0))}, bytes(8)),
    "its shape needs 12": packed({"t": entry(shape=(3,))}, bytes(8)),
    "has shape (-1, -2)": packed({"t": entry(shape=(-1, -2))}, bytes(8)),
    "'b' overlaps": packed({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(16)),
}


@pytest.mark.parametrize("problem", HOSTILE)
def test_hostile_file_is_refused_by_name(tmp_path, problem):
    path = tmp_path / "model.safetensors"
    path.write_bytes(HOSTILE[problem])
    with pytest.raises(ModelFileError) as caught:
        open_safetensors(path)
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_deeply_nested_header_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(packed(b'{"a":' + b"[" * 200_000))
    with pytest.raises(ModelFileError, match="does not parse"):
        open_safetensors(path)


RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(data=st.data())
def test_damaged_file_is_read_or_refused(tiny, tmp_path, data):
    some = {name: weight for name, weight in tiny.weights().items() if "layers.0" in name}
    whole = tiny.safetensors_bytes(some)
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3)) if damaged else 0):
        place = data.draw(st.integers(0, min(len(damaged), 1200) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "model.safetensors"
    path.write_bytes(damaged)
    with contextlib.suppress(ModelFileError):
        file = open_safetensors(path)
        for name in file.tensors:
            file.read(name)


def write_shards(folder, tiny, index_change):
    weights = tiny.weights()
    names = sorted(weights)
    halves = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, members in halves.items():
        part = {name: weights[name] for name in members}
        (folder / shard).write_bytes(tiny.safetensors_bytes(part))
    index = {name: shard for shard, members in halves.items() for name in members}
    index |= index_change
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))


def test_shards_are_one_model(tiny, tmp_path):
    write_shards(tmp_path, tiny, {})
    file = open_folder(tmp_path)
    for name, weight in tiny.weights().items():
        np.testing.assert_array_equal(file.read(name), weight)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"x": "../a.safetensors"}, "not a plain file name"),
        ({"x": "c.safetensors"}, "cannot be read"),
        ({"x": "a.safetensors"}, "no tensor 'x', which the index puts here"),
    ],
)
def test_shard_table_that_lies_is_refused(tiny, tmp_path, change, problem):
    write_shards(tmp_path, tiny, change)
    with pytest.raises(ModelFileError, match=problem):
        open_folder(tmp_path)


def test_shard_table_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(ModelFileError, match="not a shard table"):
        open_folder(tmp_path)
