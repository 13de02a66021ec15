"""What is written is read again, whole or not at all."""

import json
import shutil
import string

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.models import ModelFileError
from fairwitness.models.dequantise import FORMATS
from fairwitness.models.gguf import SCALARS, open_gguf
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.safetensors import open_folder, open_safetensors
from fairwitness.models.safetensors_writer import write_safetensors, write_shards
from fairwitness.models.writing import NewTensor, whole_folder

RELAXED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.text(string.ascii_lowercase + "._é☃", min_size=1, max_size=12)
INTEGERS = {kind: np.iinfo(dtype) for kind, dtype in SCALARS.items() if dtype.kind in "iu"}


def new_tensor(name: str, shape: tuple[int, ...], kind: int, seed: int = 0) -> NewTensor:
    """A tensor of zeros with a few random bytes that keep it finite."""
    block_format = FORMATS[kind]
    tensor = NewTensor(name, shape, block_format, lambda: packed)
    packed = np.zeros(tensor.size_bytes, np.uint8)
    packed[::2] = np.random.default_rng(seed).integers(0, 64, packed[::2].size)
    return tensor


@st.composite
def typed_values(draw):
    """A single value and the number of its type in the file."""
    kind = draw(st.sampled_from([*SCALARS, 8]))
    if kind in INTEGERS:
        limits = INTEGERS[kind]
        return draw(st.integers(int(limits.min), int(limits.max))), kind
    if kind == 8:
        return draw(st.text(max_size=20)), kind
    if kind == 7:
        return draw(st.booleans()), kind
    return draw(st.floats(width=32, allow_nan=False)), kind


@st.composite
def arrays(draw):
    dtype = draw(st.sampled_from([*SCALARS.values(), str]))
    if dtype is str:
        return draw(st.lists(st.text(max_size=8), max_size=5))
    return np.array(draw(st.lists(st.integers(0, 100), max_size=5))).astype(dtype)


@st.composite
def tensor_lists(draw):
    tensors = []
    for name in draw(st.lists(NAMES, unique=True, max_size=5)):
        kind = draw(st.sampled_from(list(FORMATS)))
        rows = draw(st.lists(st.integers(0, 3), max_size=3))
        width = FORMATS[kind].weights * draw(st.integers(0, 2))
        tensors.append(new_tensor(name, (*rows, width), kind, draw(st.integers(0, 9))))
    return tensors


@RELAXED
@given(
    single=st.dictionaries(NAMES, typed_values(), max_size=6),
    many=st.dictionaries(NAMES.map("many.".__add__), arrays(), max_size=3),
    tensors=tensor_lists(),
    alignment=st.sampled_from([None, 8, 32, 64, 4096]),
)
def test_gguf_comes_back_as_it_went(tmp_path, single, many, tensors, alignment):
    path, copy = tmp_path / "a.gguf", tmp_path / "b.gguf"
    path.unlink(missing_ok=True)
    copy.unlink(missing_ok=True)
    metadata = {key: value for key, (value, _) in single.items()} | many
    if alignment:
        metadata["general.alignment"] = alignment
    write_gguf(path, metadata, tensors, kinds={key: kind for key, (_, kind) in single.items()})
    file = open_gguf(path)
    assert list(file.metadata) == list(metadata)
    for key, value in metadata.items():
        np.testing.assert_array_equal(file.metadata[key], value)
        assert not isinstance(value, np.ndarray) or file.metadata[key].dtype == value.dtype
    assert list(file.tensors) == [tensor.name for tensor in tensors]
    for tensor in tensors:
        assert file.tensors[tensor.name].shape == tensor.shape
        np.testing.assert_array_equal(file.packed(tensor.name), tensor.packed())
    again = [
        NewTensor(name, each.shape, each.format, lambda name=name: file.packed(name))
        for name, each in file.tensors.items()
    ]
    write_gguf(copy, file.metadata, again, kinds=file.kinds)
    assert copy.read_bytes() == path.read_bytes()


FLOATS = st.lists(
    st.tuples(NAMES, st.lists(st.integers(0, 4), max_size=3)), unique_by=lambda t: t[0]
)


@RELAXED
@given(tensors=FLOATS, kind=st.sampled_from([0, 1, 30]), shard_bytes=st.integers(1, 200))
def test_safetensors_come_back_as_they_went(tmp_path, tensors, kind, shard_bytes):
    folder = tmp_path / "model"
    shutil.rmtree(folder, ignore_errors=True)
    written = [new_tensor(name, tuple(shape), kind) for name, shape in tensors]
    seen = []
    with whole_folder(folder) as hidden:
        write_shards(hidden, written, lambda *told: seen.append(told), shard_bytes=shard_bytes)
    file = open_folder(folder)
    assert set(file.tensors) == {tensor.name for tensor in written}
    for tensor in written:
        assert file.tensors[tensor.name].shape == tensor.shape
        np.testing.assert_array_equal(file.packed(tensor.name), tensor.packed())
    total_bytes = sum(tensor.size_bytes for tensor in written)
    assert seen == sorted(seen)
    assert not written or seen[-1] == (total_bytes, total_bytes)
    most_bytes = max([shard_bytes, *(tensor.size_bytes for tensor in written)])
    for path in folder.glob("*.safetensors"):
        tensors_of = open_safetensors(path).tensors.values()
        assert sum(each.data.size for each in tensors_of) <= most_bytes


def test_the_index_adds_up(tmp_path):
    tensors = [new_tensor(name, (8,), 0) for name in "abc"]
    write_shards(tmp_path, tensors, shard_bytes=64)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index == {
        "metadata": {"total_size": 96},
        "weight_map": {
            "a": "model-00001-of-00002.safetensors",
            "b": "model-00001-of-00002.safetensors",
            "c": "model-00002-of-00002.safetensors",
        },
    }


def fail_at_second() -> list[NewTensor]:
    def broken() -> np.ndarray:
        raise KeyboardInterrupt

    return [new_tensor("a", (8,), 0), NewTensor("b", (8,), FORMATS[0], broken)]


@pytest.mark.parametrize("write", [lambda p, t: write_gguf(p, {}, t), write_safetensors])
def test_a_file_that_was_interrupted_is_not_there(tmp_path, write):
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "model", fail_at_second())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_interrupted_is_not_there(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "model") as folder:
        write_shards(folder, fail_at_second(), shard_bytes=32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [lambda p, t: write_gguf(p, {}, t), write_safetensors])
def test_a_name_that_is_taken_is_kept(tmp_path, write):
    path = tmp_path / "model"
    path.write_text("mine")
    with pytest.raises(ModelFileError, match="is there already"):
        write(path, [new_tensor("a", (8,), 0)])
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_is_an_error_of_ours(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be written: No such file or directory"):
        write_safetensors(tmp_path / "nowhere" / "model", [new_tensor("a", (8,), 0)])
