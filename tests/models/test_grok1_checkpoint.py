"""Grok-1's checkpoint, as xAI's code writes it, and what somebody else might send in its place."""

import contextlib
import io
import os
import pickle
import runpy
import shutil
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairwitness.kernels.native import library
from fairwitness.models import ModelFileError, decoder, open_model
from fairwitness.models.convert import convert
from fairwitness.models.gguf import open_gguf
from fairwitness.models.gguf_writer import write_gguf
from fairwitness.models.grok import GROK_1
from fairwitness.models.grok1_checkpoint import names_of, open_grok1
from fairwitness.models.pickled import PickledArray, read_pickled
from fairwitness.models.writing import NewTensor

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "make_tiny_grok1.py"


@pytest.fixture(scope="module")
def maker() -> dict:
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def checkpoint(maker, tmp_path) -> Path:
    maker["write_checkpoint"](tmp_path, maker["random_tensors"](2))
    return tmp_path


def test_every_tensor_comes_back_by_its_published_name(maker, checkpoint):
    opened = open_grok1(checkpoint)
    assert opened.layers == 2
    written = maker["random_tensors"](2)
    assert set(opened.tensors) == set(written)
    for name, value in written.items():
        if not isinstance(value, tuple):
            np.testing.assert_array_equal(opened.read(name), value)
            assert opened.tensors[name].scales is None
            continue
        weight, scales = value
        scales = scales.astype(ml_dtypes.bfloat16).astype(np.float32)
        np.testing.assert_array_equal(opened.tensors[name].weight, weight)
        np.testing.assert_array_equal(opened.tensors[name].scales, scales)
        groups = scales.shape[-2]
        wide = np.repeat(scales, weight.shape[-2] // groups, axis=-2)
        np.testing.assert_array_equal(opened.read(name), weight.astype(np.float32) * wide)
    with pytest.raises(ModelFileError, match="no tensor 'nothing'"):
        opened.read("nothing")


def test_it_opens_like_any_model(checkpoint):
    model = open_model(checkpoint)
    assert model.card.architecture == "grok-1"
    assert model.card.quantisation == "I8"
    assert (model.config.layers, model.config.query_heads, model.config.kv_heads) == (2, 2, 1)
    tree = model.parameters(lambda array: array)
    assert tree["layers"][1]["out"].shape == (32, 256)
    with pytest.raises(ModelFileError, match=r"no tokenizer\.json"):
        model.tokenizer()


def put_tokenizer(folder: Path) -> None:
    """A tokenizer of pieces, with fewer of them than the model has rows."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the witnesses saw it", "and the others heard of it"] * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=300,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())


def logits(path: Path) -> np.ndarray:
    model = open_model(path)
    parameters = model.parameters(jnp.asarray)
    tokens, cache = jnp.arange(5, 35), decoder.new_cache(model.config, 32)
    _, x_td = decoder.extend(model.config, parameters, cache, tokens, jnp.int32(0))
    return np.asarray(decoder.predict(model.config, parameters, x_td))


def test_a_file_of_it_says_the_same(checkpoint, tmp_path):
    put_tokenizer(checkpoint)
    before, source = open_model(checkpoint), logits(checkpoint)
    convert(checkpoint, tmp_path / "wide.gguf")
    convert(checkpoint, tmp_path / "narrow.gguf", "q8_0")
    after = open_model(tmp_path / "wide.gguf")
    assert after.card.architecture == "grok-1"
    assert after.tokenizer().token_bytes[:300] == before.tokenizer().token_bytes[:300]
    assert after.tokenizer().end_ids == before.tokenizer().end_ids == {2}
    assert after.tokenizer().begin_id is before.tokenizer().begin_id is None
    np.testing.assert_allclose(logits(tmp_path / "wide.gguf"), source, rtol=0, atol=2e-5)
    apart = logits(tmp_path / "narrow.gguf") - source
    assert 1e-4 < apart.std() / source.std() < 0.05
    narrow = open_model(tmp_path / "narrow.gguf")
    assert narrow.card.quantisation == "Q8_0"
    assert (narrow.packed() is None) == (library() is None)


def test_old_files_leave_its_constants_out_and_grok_2_is_refused(checkpoint, tmp_path):
    put_tokenizer(checkpoint)
    convert(checkpoint, tmp_path / "new.gguf")
    file = open_gguf(tmp_path / "new.gguf")
    constants = ("embedding_scale", "logit_scale", "attention.output_scale")
    constants = {f"grok.{key}" for key in (*constants, "attn_logit_softcapping")}
    assert constants < set(file.metadata)
    told = {key: value for key, value in file.metadata.items() if key not in constants}
    tensors = [
        NewTensor(name, tensor.shape, tensor.format, partial(file.packed, name))
        for name, tensor in file.tensors.items()
    ]
    write_gguf(tmp_path / "old.gguf", told, tensors)
    config = open_model(tmp_path / "old.gguf").config
    assert config.multipliers == GROK_1.multipliers
    assert config.attention == GROK_1.attention
    gate = replace(tensors[0], name="blk.0.ffn_gate.weight")
    write_gguf(tmp_path / "grok-2.gguf", told, [*tensors, gate])
    with pytest.raises(ModelFileError, match="Grok-2 in GGUF is not supported"):
        open_model(tmp_path / "grok-2.gguf")
    headless = {"grok.attention.key_length": 0, "grok.rope.dimension_count": 0}
    write_gguf(tmp_path / "headless.gguf", file.metadata | headless, tensors)
    with pytest.raises(ModelFileError, match="head_size is 0"):
        open_model(tmp_path / "headless.gguf")


def test_layers_are_numbered_as_text():
    names = names_of(12)
    assert len(names) == 2 + 12 * 12
    assert names == sorted(names)
    order = list(dict.fromkeys(name.split("/")[1] for name in names[2:]))
    assert order[:4] == [
        "decoder_layer_0",
        "decoder_layer_1",
        "decoder_layer_10",
        "decoder_layer_11",
    ]


def test_the_tensors_behind_the_goldens_come_back(maker, shared, tmp_path):
    with np.load(shared / "goldens" / "grok1" / "tiny_f32.npz", allow_pickle=False) as golden:
        arrays = {name: golden[name] for name in golden.files}
    tensors: dict[str, object] = {}
    for name in names_of(2):
        quantised = f"{name}.weight" in arrays
        pair = (arrays.get(f"{name}.weight"), arrays.get(f"{name}.scales"))
        tensors[name] = pair if quantised else arrays[name]
    maker["write_checkpoint"](tmp_path, tensors)
    opened = open_grok1(tmp_path)
    for name in names_of(2):
        expected = tensors[name]
        if isinstance(expected, tuple):
            expected = expected[0] * expected[1]
        np.testing.assert_array_equal(opened.read(name), expected)


def test_numpy_1_spells_it_differently(tmp_path):
    raw = pickle.dumps(np.arange(6, dtype=np.float32).reshape(2, 3), protocol=4)
    old = raw.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
    assert old != raw
    path = tmp_path / "old"
    path.write_bytes(old)
    found = read_pickled(path)
    assert isinstance(found, PickledArray)
    assert found.shape == (2, 3)


class Evil:
    """Runs what it is given, if somebody lets it."""

    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> object:
        return self.call[0], self.call[1:]


def evil_array() -> np.ndarray:
    array = np.empty(1, object)
    array[0] = Evil(os.system, "touch ran")
    return array


TEXT = b"\x8c\x01x"
HOSTILE = {
    "wants posix.system": pickle.dumps(Evil(os.system, "touch ran"), 4),
    "wants posix.system, in": pickle.dumps(Evil(os.system, "touch ran"), 2),
    "wants builtins.eval": pickle.dumps(Evil(eval, "open('ran', 'w')"), 4),
    "opcode b']'": pickle.dumps(evil_array(), 4),
    "opcode b'i'": b"(S'touch ran'\nios\nsystem\n.".replace(b"S'touch ran'\n", TEXT),
    "opcode b'o'": b"(cos\nsystem\n" + TEXT + b"o.",
    "opcode b'P'": b"Pran\n.",
    "opcode b'\\x82'": b"\x82\x01.",
    "opcode b'\\x92'": b"cbuiltins\neval\n)}\x92.",
    "calls what has no name": b"cos\nsystem\n" + TEXT + b"\x85R" + TEXT + b"\x85R.",
    "wants os.system": b"cos\nsystem\n" + TEXT + b"\x85R.",
    "wants numpy.ndarray": b"cnumpy\nndarray\nJ\xff\xff\xff\x7f\x85\x85R.",
    "no array but a tuple": TEXT + b"\x94" + b"h\x00h\x00\x86\x94" * 30 + b".",
    "of more than 1000 steps": TEXT + b"\x94" + b"0".replace(b"0", b"h\x00") * 2_000,
    "recalls 4294967295": b"j\xff\xff\xff\xff.",
    "no array but a str": TEXT + b"r\xff\xff\xff\xff.",
    "takes more than it has": b"\x87.",
    "takes more than it has, too": b"t.",
    "needs 1152921504606846976 bytes more": b"\x8e" + (2**60).to_bytes(8, "little") + b".",
    "needs 4294967295 bytes more": b"B\xff\xff\xff\xff.",
    "a name of 4294967295 bytes": b"X\xff\xff\xff\xff.",
    "a name of more than 255 bytes": b"c" + b"x" * 1_000 + b"\n.",
    "no array but a dict": b"}\x94" + TEXT + b"h\x00s.",  # which holds itself
    "imports what has no name": b"K\x01K\x02\x93.",
    "fills what is no table": b"K\x01(u.",
    "a key that is no text": b"}K\x01K\x02s.",
    "the state of what it did not make": b"K\x01K\x02b.",
    "of another version or order": pickle.dumps(np.ones((2, 3), np.float32, order="F"), 4),
    "an array of f8": pickle.dumps(np.ones(3), 4),
    "an array of f4, not of": pickle.dumps(np.ones(3, ">f4"), 4),
}


@pytest.mark.parametrize("problem", HOSTILE)
def test_hostile_pickle_is_refused_and_runs_nothing(tmp_path, monkeypatch, problem):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tensor"
    path.write_bytes(HOSTILE[problem])
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            read_pickled(path)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert problem.split(",")[0] in str(caught.value)
    assert not (tmp_path / "ran").exists()
    assert peak_bytes < 1_000_000


def test_a_pickle_that_holds_itself_is_no_array(tmp_path):
    """An array whose state is itself, a tuple with it, or a table with it."""
    whole, path = pickle.dumps(np.ones((2, 3), np.float32), 4), tmp_path / "tensor"
    made = whole[: whole.index(b"(K\x01")]
    assert made.endswith(b"R\x94"), "the array, kept under the number 9"
    for state in (b"h\x09", b"h\x09\x85", b"}" + TEXT + b"h\x09s"):
        path.write_bytes(made + state + b"b.")
        with pytest.raises(ModelFileError):
            read_pickled(path)


def patched(array: np.ndarray, old: bytes, new: bytes) -> bytes:
    raw = pickle.dumps(array, 4)
    assert raw.count(old) == 1
    return raw.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86", r"needs 25769803764 bytes, not 24"),
        (b"K\x02K\x03\x86", b"J\xff\xff\xff\xffK\x03\x86", "impossible shape"),
        (b"K\x02K\x03\x86", b"\x88K\x06\x86", "impossible shape"),
        (b"K\x02K\x03\x86", b"(" + b"K\x01" * 9 + b"t", "impossible shape"),
    ],
)
def test_a_shape_that_lies_is_refused(tmp_path, old, new, problem):
    path = tmp_path / "tensor"
    path.write_bytes(patched(np.ones((2, 3), np.float32), old, new))
    with pytest.raises(ModelFileError, match=problem):
        read_pickled(path)


def spoil(folder: Path, index: int, value: object) -> None:
    (folder / "ckpt-0" / f"tensor{index:05}_000").write_bytes(pickle.dumps(value, protocol=4))


def test_what_does_not_fit_together_is_refused(maker, checkpoint):
    weight, name = np.ones((4, 6), np.int8), "tensor00005_000"
    write, tensors = maker["write_checkpoint"], maker["random_tensors"](1)
    shutil.rmtree(checkpoint / "ckpt-0")
    for scales in [(1, 5), (3, 6), (6,), (0, 6), (1, 1, 6)]:
        key = "transformer/decoder_layer_0/multi_head_attention/key/w"
        write(checkpoint, tensors | {key: (weight, np.ones(scales))})
        with pytest.raises(ModelFileError, match=f"{name}: scales of shape"):
            open_grok1(checkpoint)
        shutil.rmtree(checkpoint / "ckpt-0")


def test_missing_and_foreign_files_are_told(checkpoint):
    spoil(checkpoint, 1, np.full(32, np.nan, np.float32))
    with pytest.raises(ModelFileError, match="rms_norm/scale' holds infinity or NaN"):
        open_grok1(checkpoint).read("language_model/rms_norm/scale")
    spoil(checkpoint, 1, np.ones(32, np.int8))
    with pytest.raises(ModelFileError, match="an array of i1, not of floats"):
        open_grok1(checkpoint)
    (checkpoint / "ckpt-0" / "tensor00001_000").unlink()
    with pytest.raises(ModelFileError, match="25 tensors, not two and twelve"):
        open_grok1(checkpoint)
    (checkpoint / "ckpt-0" / "tensor00001_001").touch()
    with pytest.raises(ModelFileError, match="of several hosts"):
        open_grok1(checkpoint)
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_grok1(checkpoint / "nowhere")


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_pickle_is_read_or_refused(maker, tmp_path, data):
    whole = bytearray((maker_file(maker, tmp_path)).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    with contextlib.suppress(ModelFileError):
        read_pickled(path)


def maker_file(maker, folder: Path) -> Path:
    """A file with two small arrays, so that most of its bytes are program."""
    if not (folder / "ckpt-0").exists():
        pair = (np.ones((2, 3), np.int8), np.ones((1, 3)))
        maker["write_checkpoint"](folder, {"w": pair})
    return folder / "ckpt-0" / "tensor00000_000"
