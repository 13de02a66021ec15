"""The native step of a decoder: against the decoder in JAX, and against itself cut otherwise."""

import time

import jax.numpy as jnp
import numpy as np
import pytest

from fairwitness.kernels.adapters import Adapter, Low
from fairwitness.kernels.formats import FORMATS, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K, Q8_0
from fairwitness.kernels.native import library
from fairwitness.kernels.pages import KINDS, Kind, Pages
from fairwitness.kernels.quantised import AMX, AVX2, AVX512, PLAIN, pack, unpack
from fairwitness.kernels.stack import STAGES, LayerWeights, Row, Stack, Weights, interleaved
from fairwitness.models import DecoderConfig, decoder
from fairwitness.models.packed import shape_of

pytestmark = pytest.mark.skipif(library() is None, reason="NO NATIVE KERNELS: no compiler")

CONFIG = DecoderConfig(
    vocabulary=75,
    width=64,
    layers=2,
    query_heads=4,
    kv_heads=2,
    head_size=32,
    hidden=96,
    context=256,
    rope_base=10_000.0,
    norm_epsilon=1e-5,
    tied_head=True,
)
WIDE = DecoderConfig(
    vocabulary=33,
    width=96,
    layers=1,
    query_heads=7,
    kv_heads=1,
    head_size=96,
    hidden=32,
    context=256,
    rope_base=500.0,
    norm_epsilon=1e-6,
    tied_head=True,
)


LARGE = DecoderConfig(
    vocabulary=50,
    width=256,
    layers=1,
    query_heads=4,
    kv_heads=2,
    head_size=64,
    hidden=512,
    context=256,
    rope_base=500.0,
    norm_epsilon=1e-6,
    tied_head=True,
)
# what a file's halves are, so that weights come out about as large as 1
HALVES = {
    Q4_0: [1 / 8],
    Q4_1: [1 / 8, -1],
    Q8_0: [1 / 127],
    Q4_K: [1 / 256, 1 / 32],
    Q5_K: [1 / 512, 1 / 32],
    Q6_K: [1 / 2048],
}


def blocks(rng: np.random.Generator, kind: int, rows: int, columns: int) -> np.ndarray:
    block = FORMATS[kind]
    count = columns // 32 // block.tiles
    told = rng.integers(0, 256, (rows, count, block.size_bytes), np.uint8)
    first, size = 208 if kind == Q6_K else 0, 2.0 / np.sqrt(columns)
    for half, scale in enumerate(HALVES[kind]):
        scales = (size * scale * rng.uniform(0.5, 1.5, (rows, count, 1))).astype(np.float16)
        told[:, :, first + 2 * half : first + 2 * half + 2] = scales.view(np.uint8)
    return told.reshape(rows, -1)


def random_weights(config: DecoderConfig, kind: int, other: int = Q8_0) -> Weights:
    """Matrices of `kind`, the embedding and values of the other."""
    rng = np.random.default_rng(5)
    queries = config.query_heads * config.head_size
    keys = config.kv_heads * config.head_size

    def norm() -> np.ndarray:
        return rng.uniform(0.5, 1.5, config.width).astype(np.float32)

    def layer() -> LayerWeights:
        gate, up = (blocks(rng, kind, config.hidden, config.width) for _ in range(2))
        return LayerWeights(
            norm(),
            norm(),
            pack(kind, blocks(rng, kind, queries + keys, config.width)),
            pack(other, blocks(rng, other, keys, config.width)),
            pack(kind, blocks(rng, kind, config.width, queries)),
            pack(kind, interleaved(gate, up)),
            pack(kind, blocks(rng, kind, config.width, config.hidden)),
        )

    table = pack(other, blocks(rng, other, config.vocabulary, config.width))
    half = config.head_size // 2
    frequencies = (config.rope_base ** (-np.arange(half) / half)).astype(np.float32)
    return Weights(table, table, norm(), frequencies, [layer() for _ in range(config.layers)])


def tree(weights: Weights) -> dict[str, object]:
    """The same weights as the decoder in JAX takes them."""

    def split(gate_up: np.ndarray) -> np.ndarray:
        pairs = gate_up.reshape(-1, 2, 16, gate_up.shape[1])
        return np.concatenate([pairs[:, 0], pairs[:, 1]]).reshape(gate_up.shape)

    return {
        "embedding": jnp.asarray(unpack(weights.embedding)),
        "norm": jnp.asarray(weights.norm),
        "rope_k": jnp.asarray(weights.frequencies),
        "layers": [
            {
                "attention_norm": jnp.asarray(layer.attention_norm),
                "qkv": jnp.asarray(np.concatenate([unpack(layer.query_key), unpack(layer.value)])),
                "out": jnp.asarray(unpack(layer.out)),
                "mlp_norm": jnp.asarray(layer.mlp_norm),
                "gate_up": jnp.asarray(split(unpack(layer.gate_up))),
                "down": jnp.asarray(unpack(layer.down)),
            }
            for layer in weights.layers
        ],
    }


def ids(count: int, config: DecoderConfig = CONFIG, seed: int = 1) -> list[int]:
    return np.random.default_rng(seed).integers(0, config.vocabulary, count).tolist()


def reference(config: DecoderConfig, weights: Weights, tokens: list[int]) -> np.ndarray:
    parameters = tree(weights)
    cache = decoder.new_cache(config, 256)
    _, x_td = decoder.extend(config, parameters, cache, jnp.asarray(tokens), jnp.int32(0))
    return np.asarray(decoder.predict(config, parameters, x_td))


def pages_of(config: DecoderConfig = CONFIG, count: int = 5, kind: Kind = "f32") -> Pages:
    return Pages(shape_of(config), count, kind)


def table(*pages: int) -> np.ndarray:
    return np.array(pages, np.int32)


def logits(
    stack: Stack, tokens: list[int], cuts: list[int], pages: Pages | None = None
) -> np.ndarray:
    """All logits of a sequence that is fed in pieces; its pages do not lie in order."""
    pages = pages or Pages(stack.shape, 9, "f32")
    places, out, start = table(*range(pages.count - 1, -1, -2), 1), [], 0
    for size in cuts:
        piece = tokens[start : start + size]
        rows = [Row(token, start + i, places) for i, token in enumerate(piece)]
        out.append(stack.step(rows, range(size), pages))
        start += size
    assert start == len(tokens)
    return np.concatenate(out)


def make(config: DecoderConfig, weights: Weights, threads: int = 2, instructions: int = 0) -> Stack:
    try:
        return Stack(shape_of(config), config.norm_epsilon, weights, threads, instructions)
    except OSError as error:
        pytest.skip(str(error).upper())


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("kind", [Q4_0, Q4_1, Q8_0])
@pytest.mark.parametrize("config", [CONFIG, WIDE])
def test_logits_are_those_of_the_decoder_in_jax(config, kind, instructions):
    weights, tokens = random_weights(config, kind), ids(75, config)
    got = logits(make(config, weights, 2, instructions), tokens, [40, 1, 34])
    expected = reference(config, weights, tokens)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(got, expected, rtol=0, atol=4e-3)


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize(
    ("kind", "other"), [(Q4_K, Q6_K), (Q6_K, Q5_K), (Q5_K, Q4_K), (Q4_1, Q6_K), (Q8_0, Q4_0)]
)
def test_large_blocks_say_what_they_say_in_jax(kind, other, instructions):
    weights, tokens = random_weights(LARGE, kind, other), ids(60, LARGE)
    got = logits(make(LARGE, weights, 2, instructions), tokens, [40, 9, 1, 10])
    expected = reference(LARGE, weights, tokens)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(got, expected, rtol=0, atol=4e-3)


@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_cuts_and_threads_change_no_bit(threads, instructions, kind):
    weights, tokens = random_weights(CONFIG, Q4_1), ids(330)
    whole_stack = make(CONFIG, weights, 2, instructions)
    whole = logits(whole_stack, tokens, [330], pages_of(count=9, kind=kind))
    stack = make(CONFIG, weights, threads, instructions)
    for cuts in ([128, 128, 64, *[1] * 10], [3, 17, 1, 64, 65, 107, 57, 7, 9]):
        assert np.array_equal(logits(stack, tokens, cuts, pages_of(count=9, kind=kind)), whole)


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize(("kind", "bound"), [("f16", 6e-3), ("int8", 0.4)])
@pytest.mark.parametrize("config", [CONFIG, WIDE])
def test_narrow_numbers_say_nearly_the_same(config, kind, bound, instructions):
    stack = make(config, random_weights(config, Q8_0), 2, instructions)
    tokens = ids(300, config)
    expected = logits(stack, tokens, [300], pages_of(config, 9, "f32"))
    got = logits(stack, tokens, [299, 1], pages_of(config, 9, kind))
    assert 0 < np.abs(got - expected).max() < bound


@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
def test_sequences_in_one_step_do_not_touch_each_other(kind):
    stack = make(CONFIG, random_weights(CONFIG, Q4_1))
    texts = [ids(length, seed=length) for length in (5, 40, 300, 33, 70, 64)]
    alone = [logits(stack, text, [len(text)], pages_of(count=9, kind=kind))[-1] for text in texts]
    pages, free = pages_of(count=16, kind=kind), iter(np.random.default_rng(1).permutation(16))
    places = [table(*(next(free) for _ in range(0, len(text), 64))) for text in texts]
    told = list(zip(texts, places, strict=True))
    for text, place in told:
        rows = [Row(token, i, place) for i, token in enumerate(text[:-1])]
        assert stack.step(rows, [], pages).shape == (0, CONFIG.vocabulary)
    rows = [Row(text[-1], len(text) - 1, place) for text, place in told]
    assert np.array_equal(stack.step(rows, range(6), pages), np.array(alone))
    assert np.array_equal(stack.step(rows, [3, 1], pages), np.array(alone)[[3, 1]])


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
def test_one_row_goes_beside_many(kind, instructions):
    """Pieces of all lengths in one step, for attention goes about few rows and many otherwise."""
    stack = make(CONFIG, random_weights(CONFIG, Q4_1), 2, instructions)
    lengths, pieces = (301, 30, 290, 77, 64, 280), (1, 30, 70, 9, 17, 3)
    texts = [ids(length, seed=length) for length in lengths]
    alone = [logits(stack, text, [len(text)], pages_of(count=9, kind=kind)) for text in texts]
    pages, free = pages_of(count=24, kind=kind), iter(np.random.default_rng(2).permutation(24))
    rows, expected = [], []
    for text, piece, all_logits in zip(texts, pieces, alone, strict=True):
        place = table(*(next(free) for _ in range(0, len(text), 64)))
        told, start = [Row(token, i, place) for i, token in enumerate(text)], len(text) - piece
        stack.step(told[:start], [], pages)
        rows += told[start:]
        expected.append(all_logits[start:])
    got = stack.step(rows, range(len(rows)), pages)
    assert np.array_equal(got, np.concatenate(expected))


@pytest.mark.parametrize("config", [CONFIG, WIDE])
def test_tiles_find_what_lanes_find(config):
    """AMX splits floats in two of bfloat16 for attention; all else has the bits of AVX-512. What
    that changes is far less than what half precision does."""
    weights, tokens = random_weights(config, Q8_0), ids(250, config)

    def all_logits(instructions: int, kind: Kind) -> np.ndarray:
        stack = make(config, weights, 2, instructions)
        return logits(stack, tokens, [250], pages_of(config, 9, kind))

    lanes, halves = all_logits(AVX512, "f32"), all_logits(AVX512, "f16")
    tiles = all_logits(AMX, "f32")
    assert 0 < np.std(tiles - lanes) < 0.5 * np.std(halves - lanes)


def test_sequences_share_pages_and_copies_of_them():
    stack, tokens = make(CONFIG, random_weights(CONFIG, Q8_0)), ids(150)
    whole = logits(stack, tokens, [150], pages_of(count=9))
    pages = pages_of(count=6)
    first = table(4, 2, 0)
    stack.step([Row(token, i, first) for i, token in enumerate(tokens)], [], pages)
    pages.copy(2, 5)
    second = table(4, 5, 1)
    rows = [Row(token, 90 + i, second) for i, token in enumerate(tokens[90:])]
    assert np.array_equal(stack.step(rows, range(60), pages), whole[90:])
    other = [Row(3, 90 + i, first) for i in range(60)]
    both = stack.step(rows[30:] + other, range(90), pages)
    assert np.array_equal(both[:30], whole[120:])
    assert not np.array_equal(both[30:], whole[90:])


@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
def test_what_stands_behind_a_row_does_not_matter(kind):
    stack = make(CONFIG, random_weights(CONFIG, Q4_0))
    tokens = ids(90)
    whole = logits(stack, tokens, [90], pages_of(count=9, kind=kind))
    pages = pages_of(count=9, kind=kind)
    pages.data[:] = 255  # not a number
    assert np.array_equal(logits(stack, tokens, [20, 70], pages), whole)


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
@pytest.mark.parametrize("kind", ["f32", "f16", "int8"])
def test_what_is_not_finite_is_not_hidden(kind, instructions):
    weights = random_weights(CONFIG, Q8_0)
    weights.layers[0].attention_norm[3] = np.nan
    stack = make(CONFIG, weights, 1, instructions)
    assert np.isnan(logits(stack, ids(3), [3], pages_of(count=9, kind=kind))).all()


def test_pages_say_what_a_position_takes():
    per_position = {kind: pages_of(kind=kind).bytes_per_position for kind in KINDS}
    numbers = 2 * CONFIG.layers * CONFIG.kv_heads * CONFIG.head_size
    scales = 2 * CONFIG.layers * CONFIG.kv_heads
    assert per_position == {"f32": 4 * numbers, "f16": 2 * numbers, "int8": numbers + 4 * scales}
    assert len(pages_of(count=3, kind="int8").data) == 3 * 64 * per_position["int8"]


def test_many_decoders_come_and_go():
    weights, tokens = random_weights(CONFIG, Q4_1), ids(3)
    first = logits(make(CONFIG, weights), tokens, [3])
    for _ in range(20):
        assert np.array_equal(logits(make(CONFIG, weights, 3), tokens, [3]), first)


def random_adapter(config: DecoderConfig, weights: Weights, rank: int) -> tuple[Adapter, dict]:
    """An adapter of every product, and the tree in which it is merged into the matrices."""
    rng, merged = np.random.default_rng(rank), tree(weights)
    sizes = {
        "qkv": ((config.query_heads + 2 * config.kv_heads) * config.head_size, config.width),
        "out": (config.width, config.query_heads * config.head_size),
        "gate_up": (2 * config.hidden, config.width),
        "down": (config.width, config.hidden),
    }
    layers = []
    for layer in merged["layers"]:
        lows = []
        for product, (rows, columns) in sizes.items():
            down = rng.normal(0, 0.1, (rank, columns)).astype(np.float32)
            up = rng.normal(0, 0.1, (rows, rank)).astype(np.float32)
            layer[product] = layer[product] + up @ down
            turned = interleaved(*np.split(up, 2)) if product == "gate_up" else up
            lows.append(Low(down, turned))
        layers.append(lows)
    return Adapter(layers), merged


@pytest.mark.parametrize("instructions", [PLAIN, AVX2, AVX512, AMX])
def test_rows_of_many_adapters_and_none_in_one_step(instructions):
    """Each as its merged matrices say, and to the bit as it goes alone."""
    weights = random_weights(CONFIG, Q4_1)
    stack, tokens = make(CONFIG, weights, 2, instructions), ids(33)
    made = [random_adapter(CONFIG, weights, rank) for rank in (5, 32)]
    adapters = [None, made[0][0], made[1][0], made[0][0]]

    def rows(place: int) -> list[Row]:
        adapter, where = adapters[place], table(place)
        return [Row(token, i, where, adapter) for i, token in enumerate(tokens)]

    alone = [stack.step(rows(place), range(33), pages_of()) for place in range(4)]
    together = [row for place in range(4) for row in rows(place)]
    both = stack.step(together, range(132), pages_of()).reshape(4, 33, -1)
    assert np.array_equal(both, alone)
    assert np.array_equal(both[1], both[3])
    for place, parameters in ((0, tree(weights)), (1, made[0][1]), (2, made[1][1])):
        cache = decoder.new_cache(CONFIG, 64)
        _, x = decoder.extend(CONFIG, parameters, cache, jnp.asarray(tokens), jnp.int32(0))
        expected = np.asarray(decoder.predict(CONFIG, parameters, x))
        np.testing.assert_allclose(both[place], expected, rtol=0, atol=8e-3)
        assert place == 0 or np.abs(expected - both[0]).max() > 0.5


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_sweep_reads_every_weight_once(threads):
    weights = random_weights(CONFIG, Q4_1)
    matrices = [weights.head]
    for layer in weights.layers:
        matrices += [layer.query_key, layer.value, layer.out, layer.gate_up, layer.down]
    total = sum(int(each.data.view(np.uint64).sum(dtype=np.uint64)) for each in matrices)
    assert make(CONFIG, weights, threads).sweep() == total % 2**64


@pytest.mark.parametrize("threads", [1, 2])
def test_a_watch_says_where_the_time_of_a_step_goes(threads):
    stack, started = make(CONFIG, random_weights(CONFIG, Q4_1), threads), time.process_time_ns()
    spent_ns = stack.watch()
    logits(stack, ids(130), [130])
    first_ns = spent_ns.copy()
    logits(stack, ids(130), [130])
    assert first_ns.shape == (threads, len(STAGES))
    assert (first_ns.sum(axis=0) > 0).all()
    assert (spent_ns >= first_ns).all()
    assert (spent_ns.sum(axis=0) > first_ns.sum(axis=0)).all()
    assert spent_ns.sum() <= time.process_time_ns() - started
