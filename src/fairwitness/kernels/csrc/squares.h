// Tiles of bfloat16, and how what pages hold is put in them.
//
// A product is that of both high parts and of each with the other's low part (`pairs.h`). Where keys and
// values are bytes they are whole without a low part. Sums have one order, and rows of a tile do not know
// each other.
#pragma once

#include "dots.h"
#include "pages.h"

constexpr int64_t width_of(int kind) { return kind == kFloats ? 4 : kind == kHalves ? 2 : 1; }

// Tiles 0 to 3 hold sums, 4 and 5 queries or their weights, in `rows` rows; 6 and 7 keys or values, in
// `deep` rows of pairs.
static void begin_attention(int64_t rows = kPairs, int64_t deep = kPairs) {
    TileShapes told;
    for (int i = 0; i < 8; i++) {
        told.row_bytes[i] = static_cast<uint16_t>(i == 4 || i == 5 ? 4 * deep : 64);
        told.rows[i] = static_cast<uint8_t>(i < 6 ? rows : deep);
    }
    told.take_effect();
}

static void end_attention() { begin_tiles(); }

// One or two tiles of rows, and where the next stands; `step` goes 32 numbers deeper. Low parts stand
// behind high ones, here and in columns.
struct Rows {
    const uint8_t *high;
    int64_t row, tile, step;
};

// Where sums of T tiles of rows times two of columns go: bytes from row to row, from columns to the
// next, and from one tile of rows to the other.
struct Sums {
    float *out;
    int64_t row, beside, tile;
};

// `columns(s)` is where two tiles of columns begin at depth s, the other `beside` bytes further on.
template <int T, bool kHasLow, class F>
FW_INLINE void multiply_tiles(Rows rows, const F &columns, int64_t beside, int64_t steps, Sums sums) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (T == 2) _tile_zero(2);
    if constexpr (T == 2) _tile_zero(3);
    for (int64_t s = 0; s < steps; s++) {
        const uint8_t *left = rows.high + s * rows.step, *right = columns(s);
        _tile_loadd(4, left, rows.row);
        if constexpr (T == 2) _tile_loadd(5, left + rows.tile, rows.row);
        if constexpr (kHasLow) {
            _tile_loadd(6, right + kSquare, 64);
            _tile_loadd(7, right + kSquare + beside, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            if constexpr (T == 2) _tile_dpbf16ps(2, 5, 6);
            if constexpr (T == 2) _tile_dpbf16ps(3, 5, 7);
        }
        _tile_loadd(6, right, 64);
        _tile_loadd(7, right + beside, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if constexpr (T == 2) _tile_dpbf16ps(2, 5, 6);
        if constexpr (T == 2) _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, left + kSquare, rows.row);
        if constexpr (T == 2) _tile_loadd(5, left + kSquare + rows.tile, rows.row);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if constexpr (T == 2) _tile_dpbf16ps(2, 5, 6);
        if constexpr (T == 2) _tile_dpbf16ps(3, 5, 7);
    }
    auto *out = reinterpret_cast<uint8_t *>(sums.out);
    _tile_stored(0, out, sums.row);
    _tile_stored(1, out + sums.beside, sums.row);
    if constexpr (T == 2) _tile_stored(2, out + sums.tile, sums.row);
    if constexpr (T == 2) _tile_stored(3, out + sums.tile + sums.beside, sums.row);
}

// Puts keys of 32 positions in tiles, as pages hold floats; only the first `positions` matter. What is
// needed next, at `ahead`, is asked for meanwhile.
template <int kKind>
static void put_keys(const uint8_t *keys, int64_t size, int64_t positions, const uint8_t *ahead,
                     uint8_t *out) {
    constexpr int64_t kHalf = 16 * 16 * width_of(kKind);  // sixteen numbers of sixteen positions
    const int64_t halves = (positions < kPairs ? kPairs : kDeep) * size / 16 / 16;
    for (int64_t h = 0; h < halves; h += 2, keys += 2 * kHalf, ahead += 2 * kHalf, out += 2 * kSquare)
        for (int64_t i = 0; i < 16; i++) {
            __builtin_prefetch(ahead + i * kHalf / 8);
            put_pairs<kKind != kBytes>(numbers_at<kKind>(keys, 16 * i),
                                       numbers_at<kKind>(keys + kHalf, 16 * i), out + 64 * i);
        }
}

// Puts numbers `from` to `end` of the values of 32 positions in tiles. Only positions of `counts` do
// so, the others are zeros. Of what is needed next, at `ahead`, `needed` positions are asked for.
template <int kKind>
static void put_values(const uint8_t *values, int64_t size, uint32_t counts, int64_t from,
                       int64_t end, const uint8_t *ahead, int64_t needed, uint8_t *out) {
    for (int64_t i = 0; i < kPairs; i++) {
        const bool has_here = counts >> i & 1, has_there = counts >> (i + kPairs) & 1;
        uint8_t *row = out + 64 * i;
        for (int64_t k = from; k < end; k += 16, row += 2 * kSquare) {
            const int64_t here = i * size + k, there = here + kPairs * size;
            if (i < needed) __builtin_prefetch(ahead + here * width_of(kKind));
            if (i + kPairs < needed) __builtin_prefetch(ahead + there * width_of(kKind));
            put_pairs<kKind != kBytes>(has_here ? numbers_at<kKind>(values, here) : f32x16{},
                                       has_there ? numbers_at<kKind>(values, there) : f32x16{}, row);
        }
    }
}

// Which of 32 positions have a value with a number that is not finite, of the first `rows` and of those 16
// further on.
template <int kKind>
static uint32_t broken_in(const uint8_t *values, int64_t size, int64_t rows) {
    const __m512i full = _mm512_set1_epi16(kKind == kFloats ? 0x7f80 : 0x7c00);
    // Low parts tell nothing that high ones do not. Halves stand position by position.
    const auto exponents = [&](int64_t row, int64_t i) __attribute__((always_inline)) {
        const uint8_t *here = values + (kKind == kFloats ? i * 2 * kSquare + row * 64
                                                         : row * 2 * size + i % (size / 32) * 64 +
                                                               i / (size / 32) * 2 * kPairs * size);
        return _mm512_and_si512(_mm512_loadu_si512(here), full);
    };
    __m512i most[2] = {};
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < size / 16; i += 2)
            each<2>([&](auto j) __attribute__((always_inline)) {
                most[j] = _mm512_max_epu16(most[j], exponents(row, i + j));
            });
    if (!_mm512_cmpeq_epi16_mask(_mm512_max_epu16(most[0], most[1]), full)) return 0;
    uint32_t broken = 0;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < size / 16; i++) {
            const uint32_t here = _mm512_cmpeq_epi16_mask(exponents(row, i), full);
            const bool is_second = i >= size / 32;
            const bool first = kKind == kFloats ? here & 0x55555555u : here && !is_second;
            const bool second = kKind == kFloats ? here & 0xaaaaaaaau : here && is_second;
            broken |= (first ? 1u << row : 0) | (second ? 1u << (row + kPairs) : 0);
        }
    return broken;
}

// Copies 32 positions of values that are in tiles, with zeros for those that are broken.
static void put_whole(const uint8_t *values, int64_t size, uint32_t broken, uint8_t *out) {
    for (int64_t line = 0; line < 2 * size; line++, values += 64, out += 64) {
        const __mmask32 first = broken >> line % 16 & 1 ? 0 : 0x55555555u;
        const __mmask32 second = broken >> (line % 16 + 16) & 1 ? 0 : 0xaaaaaaaau;
        _mm512_store_si512(out, _mm512_maskz_loadu_epi16(first | second, values));
    }
}

// Queries in units in which a score is a power of two.
static void put_query(const float *q, int64_t size, uint8_t *out) {
    for (int64_t k = 0; k < size; k += kDeep, out += 2 * kSquare)
        put_pairs<true>(load(q + k) * 1.44269504f, load(q + k + 16) * 1.44269504f, out);
}
