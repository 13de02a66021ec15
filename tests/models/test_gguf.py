import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.models import ChatTemplateError, ModelFileError, open_model
from fairwitness.models.gguf import open_gguf


def preamble(tensors: int = 0, entries: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries)


def tensor_entry(tiny, name="t", shape=(32,), kind=0, offset=0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return tiny.gguf_string(name) + sizes + struct.pack("<IQ", kind, offset)


def test_reads_what_was_written(tiny, tiny_gguf):
    file = open_gguf(tiny_gguf)
    assert file.version == 3
    assert file.metadata["llama.block_count"] == 2
    assert file.metadata["tokenizer.ggml.merges"] == ["h e", "l l", "he ll", "hell o", "Ġ hello"]
    for name, weight in tiny.gguf_weights(tiny.weights()).items():
        np.testing.assert_array_equal(file.read(name), weight)


def test_reads_version_2(tiny, tmp_path):
    path = tmp_path / "two.gguf"
    path.write_bytes(tiny.gguf_bytes({"a": 1}, {"t": np.ones((2, 4), np.float32)}, version=2))
    assert open_gguf(path).read("t").shape == (2, 4)


def test_missing_tensor_is_named(tiny_gguf):
    with pytest.raises(ModelFileError, match="no tensor 'nothing'"):
        open_gguf(tiny_gguf).read("nothing")


HOSTILE = {
    "is empty": lambda tiny: b"",
    "magic needs 4 bytes": lambda tiny: b"GG",
    "it starts with b'GGML'": lambda tiny: b"GGML" + bytes(60),
    "version 1 is not": lambda tiny: preamble(version=1),
    "version 50331648 is not": lambda tiny: b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "a table of 18446744073709551615 tensors": lambda tiny: preamble(tensors=2**64 - 1),
    "metadata of 18446744073709551615 entries": lambda tiny: preamble(entries=2**64 - 1),
    "a metadata key needs 1099511627776 bytes": lambda tiny: (
        preamble(entries=1) + struct.pack("<Q", 2**40) + bytes(64)
    ),
    "key is not valid UTF-8": lambda tiny: (
        preamble(entries=1) + struct.pack("<Q", 2) + b"\xff\xfe" + bytes(64)
    ),
    "'k' has unknown type 99": lambda tiny: (
        preamble(entries=1) + tiny.gguf_string("k") + struct.pack("<I", 99) + bytes(64)
    ),
    "key 'k' appears twice": lambda tiny: (
        preamble(entries=2) + 2 * (tiny.gguf_string("k") + struct.pack("<Ii", 5, 1)) + bytes(64)
    ),
    "'k' needs 4611686018427387904 bytes": lambda tiny: (
        preamble(entries=1) + tiny.gguf_string("k") + struct.pack("<IIQ", 9, 4, 2**60) + bytes(64)
    ),
    "'k' needs 9223372036854775808 bytes": lambda tiny: (
        preamble(entries=1) + tiny.gguf_string("k") + struct.pack("<IIQ", 9, 8, 2**60) + bytes(64)
    ),
    "'k' is an array of arrays": lambda tiny: (
        preamble(entries=1) + tiny.gguf_string("k") + struct.pack("<IIQ", 9, 9, 1) + bytes(64)
    ),
    "general.alignment is 24": lambda tiny: tiny.gguf_bytes({"general.alignment": 24}, {}),
    "general.alignment is 'x'": lambda tiny: tiny.gguf_bytes({"general.alignment": "x"}, {}),
    "'t' has 4294967295 dimensions": lambda tiny: (
        preamble(tensors=1) + tiny.gguf_string("t") + struct.pack("<I", 2**32 - 1) + bytes(64)
    ),
    "'t' ends at byte": lambda tiny: (
        preamble(tensors=1) + tensor_entry(tiny, shape=(2**63, 2**63, 2**63)) + bytes(256)
    ),
    "'t' has unsupported type 77": lambda tiny: (
        preamble(tensors=1) + tensor_entry(tiny, kind=77) + bytes(256)
    ),
    "rows of 33, not a multiple of 32": lambda tiny: (
        preamble(tensors=1) + tensor_entry(tiny, shape=(33,), kind=3) + bytes(256)
    ),
    "'t' starts at 7, not a multiple": lambda tiny: (
        preamble(tensors=1) + tensor_entry(tiny, offset=7) + bytes(256)
    ),
    "'t' ends at byte 18446744073709551": lambda tiny: (
        preamble(tensors=1) + tensor_entry(tiny, offset=2**64 - 32) + bytes(256)
    ),
    "tensor 't' appears twice": lambda tiny: (
        preamble(tensors=2) + 2 * tensor_entry(tiny) + bytes(512)
    ),
}


@pytest.mark.parametrize("problem", HOSTILE)
def test_hostile_header_is_refused_by_name(tiny, tmp_path, problem):
    path = tmp_path / "hostile.gguf"
    path.write_bytes(HOSTILE[problem](tiny))
    with pytest.raises(ModelFileError) as caught:
        open_gguf(path)
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_is_an_error_of_ours(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_gguf(tmp_path / "nothing.gguf")


def read_everything(path: Path) -> None:
    model = open_model(path)
    model.parameters(lambda array: array)
    model.tokenizer().encode("hello 12 <|im_end|>")
    model.chat_template()


@pytest.fixture(scope="module")
def whole(tiny) -> bytes:
    return tiny.gguf_bytes(tiny.gguf_metadata(), tiny.gguf_weights(tiny.weights()))


RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(data=st.data())
def test_any_truncation_is_refused(tmp_path, whole, data):
    length = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole[:length])
    with pytest.raises(ModelFileError):
        read_everything(path)


@RELAXED
@given(data=st.data())
def test_flipped_bytes_are_read_or_refused(tmp_path, whole, data):
    """In the header, where they matter most, and anywhere."""
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 9000) | st.integers(0, len(whole) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "flipped.gguf"
    path.write_bytes(damaged)
    with contextlib.suppress(ModelFileError, ChatTemplateError):
        read_everything(path)
