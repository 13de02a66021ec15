"""A decoder's step in one native call: many tokens, of many sequences.

What a family does otherwise than a Llama is data: what a layer has besides, and `Ways`.
There is no plain twin here: it is `fairwitness.models.decoder`, in JAX, and tests hold both equal.
What a row computes depends on what stands before it in its sequence alone, to the last bit: not on
the other rows, nor on how a prompt is cut, nor on threads.
"""

import ctypes
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fairwitness.kernels import quantised
from fairwitness.kernels.adapters import Adapter
from fairwitness.kernels.native import at, count, library
from fairwitness.kernels.pages import KINDS, PAGE, Pages, Shape
from fairwitness.kernels.quantised import ROWS, Tiles

__all__ = [
    "PAGE",
    "STAGES",
    "LayerWeights",
    "Mixture",
    "Out",
    "Pages",
    "Row",
    "Shape",
    "Stack",
    "Ways",
    "Weights",
    "interleaved",
]

Floats = NDArray[np.float32]
Rows = TypeVar("Rows", NDArray[np.float32], NDArray[np.uint8])

STAGES = ("begin", "norm", "project", "attend", "out", "gate_up", "down", "head")
"""`enum Stage` in csrc/decoder.h: the embedding and the angles of positions; norms with what they
make whole; query, key and value; attention; its product; gate and up; down; the last norm and the
head."""
_VECTORS = (
    "attention_norm",
    "mlp_norm",
    "heads_bias",
    "out_bias",
    "query_norm",
    "key_norm",
    "attention_post_norm",
    "mlp_post_norm",
    "router",
)
_WAVES = ("main", "local", "none")
_ACTIVATIONS = ("silu", "gelu_tanh")
_FAR = 2**30  # no window is wider


@dataclass(frozen=True)
class LayerWeights:
    """One layer: `query_key` is query and key heads below each other; `gate_up` has sixteen rows of
    gate, then sixteen of up, and so on. Of a mixture both `gate_up` and `down` are those of all
    experts below each other. A Llama has nothing of what follows."""

    attention_norm: Floats
    mlp_norm: Floats
    query_key: Tiles
    value: Tiles
    out: Tiles
    gate_up: Tiles
    down: Tiles
    heads_bias: Floats | None = None  # of query, key and value heads below each other
    out_bias: Floats | None = None
    query_norm: Floats | None = None  # of each head, before it is turned
    key_norm: Floats | None = None
    attention_post_norm: Floats | None = None  # of what is added to the residual stream
    mlp_post_norm: Floats | None = None
    router: Floats | None = None  # of a mixture: (experts, width), each row times `mlp_norm`
    window: int | None = None  # the newest positions that a row looks at, its own among them
    rope: Literal["main", "local", "none"] = "main"  # whose frequencies turn its heads


@dataclass(frozen=True)
class Mixture:
    """How the router of a mixture of experts chooses those with the highest scores."""

    count: int
    used: int  # for each row
    renormalise: bool  # shares are of those used, not of all
    cap: float | None = None  # of scores


@dataclass(frozen=True)
class Ways:
    """What all layers do otherwise than a Llama's; a cap makes x cap * tanh(x / cap)."""

    query_scale: float | None = None  # of the scores; head_size ** -0.5 if None
    score_cap: float | None = None
    logits_cap: float | None = None
    logits_scale: float = 1.0  # before their cap
    embedding_scale: float = 1.0
    activation: Literal["silu", "gelu_tanh"] = "silu"
    mixture: Mixture | None = None  # in place of one gate, up and down


@dataclass(frozen=True)
class Weights:
    """All of a decoder; `head` is the embedding itself where both are tied."""

    embedding: Tiles
    head: Tiles
    norm: Floats
    frequencies: Floats  # radians a position of each pair in a head
    layers: list[LayerWeights]
    amplitude: float = 1.0  # what RoPE multiplies by besides (YaRN)
    local_frequencies: Floats | None = None  # of layers whose `rope` is local
    ways: Ways = Ways()


class Row(NamedTuple):
    """A token at its position; `table` has the numbers of its sequence's pages in order: what
    stands at a position is in the page `table[position // PAGE]`. A sequence has one table, and one
    adapter or none."""

    token: int
    position: int
    table: Sequence[int]
    adapter: Adapter | None = None


@dataclass(frozen=True)
class Out:
    """What a step gives: logits of the wanted rows, (wants, vocabulary), with what `summarised`
    says of each; and what comes out of the last layer, before the last norm, of those that are
    shown, (shows, width)."""

    logits_wv: Floats
    likeliest_w: NDArray[np.int64]
    log_total_w: NDArray[np.float64]
    hidden_sd: Floats


class Stack:
    """A decoder with its threads. Not for several callers at once."""

    def __init__(
        self,
        shape: Shape,
        epsilon: float,
        weights: Weights,
        threads: int,
        instructions: int = quantised.ANY,
    ) -> None:
        native = library()
        assert native is not None
        assert shape.fits
        self.shape, self.threads = shape, threads
        self._native, self._weights = native, weights  # held, for the native side points to them
        matrices = [weights.embedding, weights.head]
        # A factor of the last norm is one of all logits.
        self._last_norm = weights.norm * np.float32(weights.ways.logits_scale)
        vectors = [self._last_norm, weights.frequencies, weights.local_frequencies]
        for layer in weights.layers:
            matrices += [layer.query_key, layer.value, layer.out, layer.gate_up, layer.down]
            vectors += [getattr(layer, name) for name in _VECTORS]
        reaches = [(layer.window or _FAR, _WAVES.index(layer.rope)) for layer in weights.layers]
        sizes, numbers = _whole(astuple(shape)), _numbers(shape, epsilon, weights)
        told = _whole([_told(matrix) for matrix in matrices])
        ways = _whole(_ways(weights.ways))
        places = _whole([0 if each is None else each.ctypes.data for each in vectors])
        seen = _whole(reaches)
        native.fw_decoder_new.restype = ctypes.c_void_p
        self._decoder = ctypes.c_void_p(
            native.fw_decoder_new(
                count(instructions),
                at(sizes),
                at(numbers),
                at(ways),
                at(told),
                at(places),
                at(seen),
                count(threads),
            )
        )
        if not self._decoder:
            raise OSError(f"this machine has no instructions {instructions}")
        weakref.finalize(self, native.fw_decoder_free, self._decoder)

    @property
    def swept_bytes(self) -> int:
        """What `sweep` reads."""
        matrices = [self._weights.head]
        for layer in self._weights.layers:
            matrices += [layer.query_key, layer.value, layer.out, layer.gate_up, layer.down]
        return sum(matrix.data.nbytes for matrix in matrices)

    def sweep(self) -> int:
        """Read every weight once, as a step of one token has to, and do nothing else; return the
        sum of their 64-bit words. How long it takes is what bounds such a step."""
        self._native.fw_decoder_sweep.restype = ctypes.c_uint64
        return int(self._native.fw_decoder_sweep(self._decoder))

    def watch(self) -> NDArray[np.int64]:
        """Return zeros of shape (threads, `STAGES`) to which each step from now on adds the
        nanoseconds of processor time that a thread spends in a stage, all layers together."""
        self._spent_ns = np.zeros((self.threads, len(STAGES)), np.int64)
        self._native.fw_decoder_watch(self._decoder, at(self._spent_ns))
        return self._spent_ns

    def step(self, rows: Sequence[Row], wants: Sequence[int], pages: Pages) -> Floats:
        """Run the rows; return logits of those that `wants` names, shape (wants, vocabulary).

        Rows of one sequence stand together, in order of position, with one table, and what stands
        before them in their sequence has been run. Nobody else's table has the page that a row's
        position is in.
        """
        return self.run(rows, wants, (), pages).logits_wv

    def run(
        self, rows: Sequence[Row], wants: Sequence[int], shows: Sequence[int], pages: Pages
    ) -> Out:
        """As `step`, for the rows that `wants` names; and show those that `shows` names."""
        out = Out(
            np.empty((len(wants), self.shape.vocabulary), np.float32),
            np.empty(len(wants), np.int64),
            np.empty(len(wants), np.float64),
            np.empty((len(shows), self.shape.width), np.float32),
        )
        tables = np.array(list(_tables(rows)), np.int32)
        assert ((tables >= 0) & (tables < pages.count)).all()
        told, wanted, shown = _whole(_rows_told(rows, tables)), _whole(wants), _whole(shows)
        adapters = [row.adapter for row in rows if row.adapter is not None]
        self._native.fw_decoder_step(
            self._decoder,
            at(told),
            count(len(rows)),
            count(max((adapter.most_rank for adapter in adapters), default=0)),
            at(pages.data),
            count(KINDS[pages.kind]),
            at(wanted),
            count(len(wants)),
            at(out.logits_wv),
            at(out.likeliest_w),
            at(out.log_total_w),
            at(shown),
            count(len(shows)),
            at(out.hidden_sd),
        )
        return out

    def go_on(
        self, row: Row, most: int, ends: Sequence[int], pages: Pages, news: NDArray[np.int32]
    ) -> list[tuple[int, float]]:
        """Run a row, then the token that is likeliest behind it, and so on; return each likeliest
        token with its natural log-probability, which is NaN if a logit is not finite.

        It ends with `most` tokens, with one of `ends`, with NaN, after 20 ms, or once `news` is not
        0, but never before the first. As many positions have to be in `row.table`.
        """
        tokens, logprobs = np.empty(most, np.int64), np.empty(most, np.float64)
        table = np.array(row.table, np.int32)
        assert ((table >= 0) & (table < pages.count)).all()
        assert row.position + most <= PAGE * len(table)
        told, ended = _whole(_rows_told([row], table)), _whole(ends)
        self._native.fw_decoder_go_on.restype = ctypes.c_int64
        took = self._native.fw_decoder_go_on(
            self._decoder,
            at(told),
            count(row.adapter.most_rank if row.adapter else 0),
            at(pages.data),
            count(KINDS[pages.kind]),
            at(ended),
            count(len(ended)),
            at(news),
            count(most),
            at(tokens),
            at(logprobs),
        )
        return list(zip(tokens[:took].tolist(), logprobs[:took].tolist(), strict=True))


def interleaved(gate: Rows, up: Rows) -> Rows:
    """Rows of gate and up as `LayerWeights.gate_up` has them."""
    both = np.stack([gate.reshape(-1, ROWS, gate.shape[1]), up.reshape(-1, ROWS, up.shape[1])], 1)
    joined: Rows = both.reshape(-1, gate.shape[1])
    return joined


def _tables(rows: Sequence[Row]) -> Iterator[int]:
    """The tables of all sequences, one after the other."""
    table: Sequence[int] = ()
    for row in rows:
        if row.table is not table:
            table = row.table
            yield from table


def _rows_told(rows: Sequence[Row], tables: NDArray[np.int32]) -> list[tuple[int, int, int, int]]:
    told, address, size = [], tables.ctypes.data, 0
    table: Sequence[int] = ()
    for token, position, own, adapter in rows:
        if own is not table:
            address, table, size = address + 4 * len(table), own, PAGE * len(own)
        assert 0 <= position < size
        told.append((token, position, address, adapter.address if adapter else 0))
    return told


def _numbers(shape: Shape, epsilon: float, weights: Weights) -> Floats:
    """As `network_of` in csrc/decoder.cpp takes them."""
    ways, scale = weights.ways, weights.ways.query_scale
    if scale is None:
        scale = 1 / np.sqrt(np.float32(shape.head_size))
    caps = ways.score_cap or 0.0, ways.logits_cap or 0.0
    local_amplitude = 1.0
    router_cap = (ways.mixture.cap if ways.mixture else None) or 0.0
    amplitudes = weights.amplitude, local_amplitude
    told = (epsilon, scale, *caps, ways.embedding_scale, *amplitudes, router_cap)
    return np.array(told, np.float32)


def _ways(ways: Ways) -> tuple[int, int, int, int]:
    activation, mixture = _ACTIVATIONS.index(ways.activation), ways.mixture
    if mixture is None:
        return activation, 0, 0, 0
    assert 0 < mixture.used <= mixture.count
    return activation, mixture.count, mixture.used, int(mixture.renormalise)


def _told(matrix: Tiles) -> tuple[int, int, int, int]:
    return matrix.kind, matrix.rows, matrix.columns, matrix.data.ctypes.data


def _whole(numbers: object) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)
