// Tiles of bfloat16, and how what pages hold is put in them.
//
// A float32 number is the sum of two of bfloat16 to 2^-17, its high and its low part. A product is that of
// both high parts and of each with the other's low part. Where keys and values are bytes they are whole
// without a low part. Sums have one order, and rows of a tile do not know each other.
#pragma once

#include "dots.h"
#include "lanes.h"
#include "pages.h"

constexpr int64_t kSquare = 1024;  // bytes of a tile: 16 rows of 16 pairs
constexpr int64_t kDeep = 32;      // numbers of such a row
constexpr int64_t kPairs = 16;

constexpr int64_t width_of(int kind) { return kind == kFloats ? 4 : kind == kHalves ? 2 : 1; }

// Tiles 0 to 3 hold sums, 4 and 5 queries or their weights, in `rows` rows; 6 and 7 keys or values.
static void begin_attention(int64_t rows = kPairs) {
    TileShapes told;
    for (int i = 0; i < 8; i++) {
        told.row_bytes[i] = 64;
        told.rows[i] = i < 6 ? static_cast<uint8_t>(rows) : kPairs;
    }
    told.take_effect();
}

static void end_attention() { begin_tiles(); }

// Tells the compiler that tiles are about to be read from memory, which their instructions do not say.
FW_INLINE void written() { asm volatile("" : : : "memory"); }

// Pairs of what stands at the same place of both, high parts at `out`, low ones `low` bytes on.
template <bool kHasLow>
FW_INLINE void put_pairs(f32x16 first, f32x16 second, uint8_t *out, int64_t low) {
    constexpr int kUpper = 0xf8;  // a | (b & c)
    const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(-0x10000);
    const __m512i a = _mm512_add_epi32((__m512i)first, half);
    const __m512i b = _mm512_add_epi32((__m512i)second, half);
    _mm512_store_si512(out, _mm512_ternarylogic_epi32(_mm512_srli_epi32(a, 16), b, upper, kUpper));
    if constexpr (!kHasLow) return;
    const f32x16 rest = first - (f32x16)_mm512_and_si512(a, upper);
    const __m512i other = (__m512i)(second - (f32x16)_mm512_and_si512(b, upper));
    const __m512i shifted = _mm512_srli_epi32((__m512i)rest, 16);
    _mm512_store_si512(out + low, _mm512_ternarylogic_epi32(shifted, other, upper, kUpper));
}

// One or two tiles of rows, and where the next stands; `step` goes 32 numbers deeper.
struct Rows {
    const uint8_t *high;
    int64_t low, row, tile, step;
};

// Two tiles of columns beside each other.
struct Columns {
    const uint8_t *high;
    int64_t low, tile, step;
};

// Where sums of T tiles of rows times two of columns go: bytes from row to row, from columns to the
// next, and from one tile of rows to the other.
struct Sums {
    float *out;
    int64_t row, beside, tile;
};

template <int T, bool kHasLow>
FW_INLINE void multiply_tiles(Rows rows, Columns columns, int64_t steps, Sums sums) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (T == 2) _tile_zero(2);
    if constexpr (T == 2) _tile_zero(3);
    for (int64_t s = 0; s < steps; s++) {
        const uint8_t *left = rows.high + s * rows.step, *right = columns.high + s * columns.step;
        _tile_loadd(4, left, rows.row);
        if constexpr (T == 2) _tile_loadd(5, left + rows.tile, rows.row);
        if constexpr (kHasLow) {
            _tile_loadd(6, right + columns.low, 64);
            _tile_loadd(7, right + columns.low + columns.tile, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            if constexpr (T == 2) _tile_dpbf16ps(2, 5, 6);
            if constexpr (T == 2) _tile_dpbf16ps(3, 5, 7);
        }
        _tile_loadd(6, right, 64);
        _tile_loadd(7, right + columns.tile, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if constexpr (T == 2) _tile_dpbf16ps(2, 5, 6);
        if constexpr (T == 2) _tile_dpbf16ps(3, 5, 7);
        _tile_loadd(4, left + rows.low, rows.row);
        if constexpr (T == 2) _tile_loadd(5, left + rows.low + rows.tile, rows.row);
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

// Puts keys of 32 positions in tiles; only the first `positions` matter. What is needed next, at
// `ahead`, is asked for meanwhile.
template <int kKind>
static void put_keys(const uint8_t *keys, int64_t size, int64_t positions, const uint8_t *ahead,
                     uint8_t *out) {
    constexpr int64_t kTwo = 2 * 16 * width_of(kKind);
    const int64_t pairs = (positions < kPairs ? kPairs : kDeep) * size / 32;
    for (int64_t i = 0; i < pairs; i++, keys += kTwo, ahead += kTwo) {
        for (int64_t line = 0; line < kTwo; line += 64) __builtin_prefetch(ahead + line);
        put_pairs<kKind != kBytes>(numbers_at<kKind>(keys, 0), numbers_at<kKind>(keys, 16),
                                   out + i / 16 * 2 * kSquare + i % 16 * 64, kSquare);
    }
}

// Puts numbers `from` to `end` of the values of 32 positions in tiles. Only the first `positions`
// count, the others are zeros: what stands there may be no number. Of what is needed next, at
// `ahead`, as many positions are asked for.
template <int kKind>
static void put_values(const uint8_t *values, int64_t size, int64_t positions, int64_t from,
                       int64_t end, const uint8_t *ahead, int64_t needed, uint8_t *out) {
    for (int64_t i = 0; i < kPairs; i++) {
        const bool has_here = i < positions, has_there = i + kPairs < positions;
        uint8_t *row = out + 64 * i;
        for (int64_t k = from; k < end; k += 16, row += 2 * kSquare) {
            const int64_t here = i * size + k, there = here + kPairs * size;
            if (i < needed) __builtin_prefetch(ahead + here * width_of(kKind));
            if (i + kPairs < needed) __builtin_prefetch(ahead + there * width_of(kKind));
            put_pairs<kKind != kBytes>(has_here ? numbers_at<kKind>(values, here) : f32x16{},
                                       has_there ? numbers_at<kKind>(values, there) : f32x16{},
                                       row, kSquare);
        }
    }
}

// Queries in units in which a score is a power of two.
static void put_query(const float *q, int64_t size, uint8_t *out) {
    for (int64_t k = 0; k < size; k += kDeep, out += 2 * kSquare) {
        const f32x16 first = load(q + k) * 1.44269504f, second = load(q + k + 16) * 1.44269504f;
        alignas(64) float even[16], odd[16];
        for (int64_t i = 0; i < 8; i++) {
            even[i] = first[2 * i], odd[i] = first[2 * i + 1];
            even[i + 8] = second[2 * i], odd[i + 8] = second[2 * i + 1];
        }
        put_pairs<true>(load(even), load(odd), out, kSquare);
    }
}
