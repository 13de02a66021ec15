"""Files that lie: each is refused by name, soon, and in little memory; or it is read."""

import contextlib
import json
import struct
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.models import ChatTemplateError, ModelFileError, TokenizerError, open_model
from fairwitness.models.dequantise import FORMATS
from fairwitness.models.gguf import open_gguf
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.safetensors import open_folder, open_safetensors
from fairwitness.models.writing import NewTensor

MAX_PEAK_BYTES = 20_000_000  # the files here have less than a megabyte
MAX_CPU_S = 5.0
ONE_MIB = bytes(1 << 20)


@contextlib.contextmanager
def cheaply() -> Iterator[None]:
    """Hold what happens inside to a little memory and time."""
    tracemalloc.start()
    started = time.process_time()
    try:
        yield
        assert time.process_time() - started < MAX_CPU_S
        assert tracemalloc.get_traced_memory()[1] < MAX_PEAK_BYTES
    finally:
        tracemalloc.stop()


def string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf(*entries: bytes, tensors: tuple[bytes, ...] = (), body: bytes = ONE_MIB) -> bytes:
    counts = struct.pack("<IQQ", 3, len(tensors), len(entries))
    return b"GGUF" + counts + b"".join(entries) + b"".join(tensors) + body


def tensor(name: str, offset: int, shape: tuple[int, ...] = (64,), kind: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return string(name) + sizes + struct.pack("<IQ", kind, offset)


def alignment(value: int) -> bytes:
    return string("general.alignment") + struct.pack("<II", 4, value)


GGUF = {
    "'b' overlaps": gguf(tensors=(tensor("a", 0), tensor("b", 32))),
    "'b' overlaps the one": gguf(tensors=tuple(tensor(name, 0, (2**17,)) for name in "abc")),
    "'a' ends at byte 3602879701896": gguf(tensors=(tensor("a", 2**55),)),
    "general.alignment is 0": gguf(alignment(0)),
    "'a' ends at byte 4294967552": gguf(alignment(2**31), tensors=(tensor("a", 2**31),)),
    "'a' has unsupported type 23 (IQ4_XS)": gguf(tensors=(tensor("a", 0, kind=23),)),
    "'a' has unsupported type 4294967295": gguf(tensors=(tensor("a", 0, kind=2**32 - 1),)),
    "'k' needs 4611686018427387904 bytes": gguf(
        string("k") + struct.pack("<IIQ", 9, 10, 2**59), body=b"\0" * 64
    ),
    "metadata 'k' needs 1099511627776 bytes": gguf(
        string("k") + struct.pack("<IQ", 8, 2**40), body=b"\0" * 64
    ),
    "a tensor name needs 9223372036854775807 bytes": gguf(
        tensors=(struct.pack("<Q", 2**63 - 1),), body=ONE_MIB
    ),
}


@pytest.mark.parametrize("problem", GGUF)
def test_gguf_that_lies_is_refused(tmp_path, problem):
    path = tmp_path / "lies.gguf"
    path.write_bytes(GGUF[problem])
    with cheaply(), pytest.raises(ModelFileError) as caught:
        open_gguf(path)
    assert problem in str(caught.value)


def safetensors(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def entry(shape: list[int], start: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


def header(**entries: object) -> bytes:
    return json.dumps(entries).encode()


SAFETENSORS = {
    "has 200000 dimensions": safetensors(header(a=entry([2**63 - 1] * 200_000, 0, 8)), bytes(8)),
    "its shape needs 39231885846": safetensors(header(a=entry([2**62] * 3, 0, 8)), bytes(8)),
    "'b' overlaps": safetensors(header(a=entry([2], 0, 8), b=entry([2], 0, 8)), bytes(8)),
    "does not parse": safetensors(b'{"a":' * 300_000),
    "'a' has shape (99999": safetensors(header(a=entry([10**4_000 - 1] * 8, 0, 8)), bytes(8)),
    "header does not parse: I": safetensors(
        b'{"a":{"dtype":"F32","data_offsets":[0,8],"shape":[' + b"9" * 9_000 + b"]}}"
    ),
    "unsupported dtype 'F4'": safetensors(header(a=entry([2], 0, 8) | {"dtype": "F4"}), bytes(8)),
    "the data has 8 bytes": safetensors(header(a=entry([2**40], 0, 2**42)), bytes(8)),
}


@pytest.mark.parametrize("problem", SAFETENSORS)
def test_safetensors_that_lie_are_refused(tmp_path, problem):
    path = tmp_path / "model.safetensors"
    path.write_bytes(SAFETENSORS[problem])
    with cheaply(), pytest.raises(ModelFileError) as caught:
        open_safetensors(path)
    assert problem in str(caught.value)


def index(**weights: str) -> bytes:
    return json.dumps({"weight_map": weights}).encode()


INDEXES = {
    "'../x.safetensors' is not a plain file name": index(a="../x.safetensors"),
    "'/x.safetensors' is not a plain file name": index(a="/x.safetensors"),
    "'x\\x00' is not a plain file name": index(a="x\0"),
    "Is a directory": index(a=".."),
    "cannot be read: No such file": index(a="nowhere"),
    "cannot be read: File name too long": index(a="x" * 5_000),
    "Too many levels of symbolic links": index(a="circle"),
    "no tensor 'b', which the index puts here": index(a="part", b="part"),
    "is not a shard table": b'{"weight_map":' * 300_000,
    "is not a shard table: Expected": b'{"weight_map": {"a": 1}}',
    "is empty": b"",
}


@pytest.mark.parametrize("problem", INDEXES)
def test_an_index_that_lies_is_refused(tmp_path, problem):
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "part").write_bytes(safetensors(header(a=entry([2], 0, 8)), bytes(8)))
    (tmp_path / "model.safetensors.index.json").write_bytes(INDEXES[problem])
    with cheaply(), pytest.raises(ModelFileError) as caught:
        open_folder(tmp_path)
    assert problem in str(caught.value)


@pytest.mark.parametrize("damage", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named(tiny, make_folder, tmp_path, damage):
    weights = tiny.weights()
    weights["model.layers.1.mlp.up_proj.weight"][7, 5] = damage
    with pytest.raises(ModelFileError, match=r"layers\.1\.mlp\.up_proj\.weight' holds infinity"):
        open_model(make_folder(weights)).parameters(lambda array: array)
    path = tmp_path / "damaged.gguf"
    path.write_bytes(tiny.gguf_bytes(tiny.gguf_metadata(), tiny.gguf_weights(weights)))
    with pytest.raises(ModelFileError, match=r"blk\.1\.ffn_up\.weight' holds infinity or NaN"):
        open_model(path).parameters(lambda array: array)


def test_scales_that_are_no_numbers_are_named_in_packed_weights(tmp_path):
    blocks = np.zeros((4, 34), np.uint8)
    blocks[2, :2] = 0xFF
    path = tmp_path / "damaged.gguf"
    tensors = [NewTensor("w", (4, 32), FORMATS[8], lambda: blocks.reshape(-1))]
    write_gguf(path, {}, tensors)
    with pytest.raises(ModelFileError, match="'w' holds infinity or NaN"):
        open_gguf(path).read_blocks("w")


def test_a_pattern_that_backtracks_is_given_up(tiny, make_folder):
    folder, table = make_folder(), tiny.tokenizer()
    split = {"type": "Split", "pattern": {"Regex": "(h+)+o"}, "behavior": "Isolated"}
    steps = table["pre_tokenizer"]["pretokenizers"]
    steps.insert(0, split | {"invert": False})
    (folder / "tokenizer.json").write_text(json.dumps(table))
    tokenizer = open_model(folder).tokenizer()
    assert tokenizer.decode(tokenizer.encode("hhho")) == "hhho"
    with cheaply(), pytest.raises(TokenizerError, match="gives up: Onig"):
        tokenizer.encode("h" * 200)


# ── whole models with something changed ──────────────────────────────────────────────────────────


def read_everything(path: Path) -> None:
    model = open_model(path)
    model.parameters(lambda array: array)
    model.packed()
    model.tokenizer().encode("hello 12 <|im_end|>", control=True)
    model.chat_template()


STEPS = [{"type": "Sequence"}, {"type": "Metaspace"}, {"type": "Sequence", "normalizers": ["x"]}]
PLAIN = [None, True, 0, -1, 2**31, 2**63, 1e308, "", "☃", "ByteLevel", "BPE", [], {}, [[]], [None]]
JSON_VALUES = st.sampled_from([*PLAIN, *STEPS])
PIECES = st.sampled_from([b"\xff" * 8, bytes(8), (2**40).to_bytes(8, "little"), b"[[[", b"-1"])


def changed_bytes(data: st.DataObject, whole: bytes, most: int) -> bytes:
    """A few bytes changed, mostly where a header is, and sometimes the end cut off."""
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(most, len(whole)) - 1) | st.integers(0, len(whole) - 1))
        piece = data.draw(PIECES | st.binary(min_size=1, max_size=1))
        damaged[at : at + len(piece)] = piece
    return bytes(damaged[: data.draw(st.just(len(damaged)) | st.integers(1, len(damaged)))])


def changed_json(data: st.DataObject, whole: bytes) -> bytes:
    """One value somewhere in the tree exchanged for another, or taken out."""
    table = json.loads(whole)
    at = table
    while True:
        keys = list(at)[:30] if isinstance(at, dict) else list(range(min(len(at), 3)))
        key = data.draw(st.sampled_from(keys))
        inner = at[key]
        if isinstance(inner, dict | list) and inner and data.draw(st.booleans()):
            at = inner
            continue
        if data.draw(st.booleans()):
            del at[key]
        else:
            at[key] = json.loads(json.dumps(data.draw(JSON_VALUES)))
        return json.dumps(table).encode()


FUZZ = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FUZZ
@given(data=st.data())
def test_a_changed_gguf_is_read_or_refused(tiny, tmp_path, data):
    whole = tiny.gguf_bytes(tiny.gguf_metadata(), tiny.gguf_weights(tiny.weights()))
    path = tmp_path / "changed.gguf"
    path.write_bytes(changed_bytes(data, whole, 9_000))
    with cheaply(), contextlib.suppress(ModelFileError, ChatTemplateError):
        read_everything(path)


@pytest.fixture
def folder(make_folder: Callable[..., Path]) -> Path:
    folder = make_folder()
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))
    return folder


@FUZZ
@given(data=st.data())
def test_a_changed_folder_is_read_or_refused(folder, data):
    path = data.draw(st.sampled_from(sorted(folder.iterdir())))
    whole = path.read_bytes()
    is_json = path.suffix == ".json" and data.draw(st.integers(0, 3)) > 0
    path.write_bytes(changed_json(data, whole) if is_json else changed_bytes(data, whole, 3_000))
    try:
        with cheaply(), contextlib.suppress(ModelFileError, ChatTemplateError):
            read_everything(folder)
    finally:
        path.write_bytes(whole)
