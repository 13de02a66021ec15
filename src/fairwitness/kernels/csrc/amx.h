// Panels times eight vectors or sixteen with AMX: included by `dots.h`.
//
// Weights are unpacked to their 16 bits once for all vectors, in two bytes like vectors: tiles of high
// ones and of low ones, [4 columns][row][column] of 64 columns. The products of a whole segment are
// summed where AMX keeps them.
#pragma once

static void begin_tiles() {
    struct {
        uint8_t palette, row;
        uint8_t reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } told = {};
    told.palette = 1;
    for (int i = 0; i < 8; i++) {
        told.row_bytes[i] = 64;
        told.rows[i] = 16;
    }
    // GCC 12's intrinsic says that it reads 8 of these bytes, so that the rest may never be written.
    asm volatile("ldtilecfg\t%0" : : "m"(told));
}
static void end_tiles() { _tile_release(); }

constexpr int64_t kTileBytes = 16 * 64;

// One factor of each row for 64 bytes of numbers, and what is added: in 16 bits, to go round.
struct Affine {
    __m512i factor, rest;
};
FW_INLINE Affine affine(i32x16 factor, i32x16 rest) {
    const i32x16 low = {0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
                        0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff};
    return {(__m512i)((factor & low) | (factor << 16)), (__m512i)((rest & low) | (rest << 16))};
}

template <int kKind>
static void unpack_weights(const uint8_t *packed, const uint8_t *factors, int64_t blocks,
                           int8_t *out) {
    constexpr int64_t kTile = tile_numbers(kKind) + tile_factors(kKind);
    const __m512i low = _mm512_set1_epi16(255);
    for (int64_t b = 0; b < blocks; b++) {
        ask_for(packed + kAhead + b * kTile / 2, kTile / 2);  // the rest while it multiplies
        Bytes w[8];
        unpacked<kKind>(packed + b * tile_numbers(kKind), w);
        const i32x16 both = factors_of<kKind>(factors + b * tile_factors(kKind));
        const i32x16 first = first_of(both), second = second_of(both);
        const i32x16 middle = has_middle(kKind) ? second : i32x16{};
        Affine halves[2];
        halves[0] = affine(first, middle - centre(kKind) * first);
        halves[1] = kKind == kQ6_K ? affine(second, -centre(kKind) * second) : halves[0];
        int8_t *high = out + b / 2 * 2 * kTileBytes + b % 2 * kTileBytes / 2;
        for (int j = 0; j < 8; j++) {
            const Affine &here = halves[j / 4];
            const __m512i even = _mm512_add_epi16(
                _mm512_mullo_epi16(_mm512_and_si512(w[j], low), here.factor), here.rest);
            const __m512i odd = _mm512_add_epi16(
                _mm512_mullo_epi16(_mm512_srli_epi16(w[j], 8), here.factor), here.rest);
            // where the mask is: a, else b
            const __m512i lows = _mm512_ternarylogic_epi64(low, even, _mm512_slli_epi16(odd, 8), 0xca);
            const __m512i highs = _mm512_ternarylogic_epi64(low, _mm512_srli_epi16(even, 8), odd, 0xca);
            _mm512_store_si512(high + 64 * j, highs);
            _mm512_store_si512(high + kTileBytes + 64 * j, lows);
        }
    }
}

static Panel panel_of(const Matrix &matrix, int64_t index, int64_t vectors, uint8_t *room) {
    Panel panel{matrix.kind, matrix.blocks(), matrix.panel(index), nullptr};
    if (vectors <= 4) return panel;
    auto *bytes = reinterpret_cast<int8_t *>(room);
    for_kind(panel.kind, [&](auto kind) {
        unpack_weights<decltype(kind){}>(panel.packed, panel.factors(), panel.blocks, bytes);
    });
    panel.bytes = bytes;
    return panel;
}

// The sums over pairs of blocks: of high parts and high bytes, high and low, low and high,
// low and low, [vector][row]. Of eight vectors, low parts are rows behind the high ones.
template <int T>
FW_INLINE void tile_sums(const int8_t *weights, const int8_t *x, int64_t pairs,
                         const uint8_t *ahead, int64_t ahead_bytes, int32_t *sums) {
    asm volatile("" : : : "memory");  // tiles read what was written, which their instructions do not say
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (T == 16) {
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t p = 0; p < pairs; p++, weights += 2 * kTileBytes, x += T * kPairBytes) {
        ask_for(ahead + p * ahead_bytes, ahead_bytes);
        _tile_loadd(4, x, 64);
        _tile_loadd(6, weights, 64);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, weights + kTileBytes, 64);
        _tile_dpbsud(1, 4, 7);
        if constexpr (T == 16) {
            _tile_loadd(5, x + kTileBytes, 64);
            _tile_dpbssd(2, 5, 6);
            _tile_dpbsud(3, 5, 7);
        }
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    if constexpr (T == 16) {
        _tile_stored(2, sums + 512, 64);
        _tile_stored(3, sums + 768, 64);
    }
}

// Adds the products of one segment to `out`, or begins it.
template <int T>
static void segment_times(const Panel &panel, int64_t segment, const Here &here, bool is_first,
                          f32x16 *out) {
    constexpr int64_t kPairs = kSegment / 2;
    const int64_t first = segment * kPairs, left = (panel.blocks + 1) / 2 - first;
    alignas(64) int32_t sums[T * 64];
    const int64_t pair_bytes = tile_numbers(panel.kind) + tile_factors(panel.kind);
    const uint8_t *ahead = panel.packed + kAhead + panel.blocks * pair_bytes / 2;
    tile_sums<T>(panel.bytes + first * 2 * kTileBytes, here.numbers + first * T * kPairBytes,
                 left < kPairs ? left : kPairs, ahead + first * pair_bytes,
                 is_first ? pair_bytes : 0, sums);
    const auto sum_at = [&](int64_t place) {
        return (i32x16)_mm512_load_si512(sums + 16 * place);
    };
    const f32x16 worth = load(panel.worths() + segment * kRows);
    for (int64_t i = 0; i < T; i++) {
        const int64_t low = T == 16 ? 32 + i : 8 + i;
        const i32x16 highs = (sum_at(i) << 8) + sum_at(16 + i);
        const i32x16 lows = (sum_at(low) << 8) + sum_at(16 + low);
        const f32x16 before = segment ? out[i] : f32x16{};
        out[i] = joined(before, highs, lows, worth, here.steps[segment * T + i]);
    }
}

// All large groups of a span meet a segment's weights while these are near. Returns the first vector
// that is left.
static int64_t multiply_tiles(const Panel &panel, const Vectors &vectors, Span span, f32x16 *out) {
    int64_t r = span.first;
    for (int64_t s = 0; s < vectors.segments(); s++) {
        for (r = span.first; r < span.end;) {
            const Group group = group_here(r, vectors.count);
            if (group.room < 8) break;
            f32x16 *here = out + r - span.first;
            const bool is_first = r == span.first;
            if (group.room == 16) segment_times<16>(panel, s, {vectors, group}, is_first, here);
            if (group.room == 8) segment_times<8>(panel, s, {vectors, group}, is_first, here);
            r += group.size;
        }
    }
    return r;
}
