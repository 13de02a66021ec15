// Whole weights times eight vectors or sixteen with AMX: included by `whole.h`.
//
// A segment of two panels is unpacked: tiles of high bytes and of low ones, [4 columns][row][column] of
// 64 columns. Then all vectors go through it while it is near; two panels share what is read of these.
// The sums of a segment stay where AMX keeps them. A product of tiles takes 16 cycles, in which other
// units have time to add up the sums of the group before, where there are many.
#pragma once

constexpr int64_t kWeightPair = 2 * kTileBytes;
constexpr int64_t kNear = (kSegment + 1) / 2 * kWeightPair;  // bytes of a panel's segment

// One factor of each row for 64 bytes of numbers, and what is added: in 16 bits, to go round.
FW_INLINE __m512i in_both_halves(i32x16 x) {
    const auto words = (__m512i)x;
    return _mm512_mask_blend_epi16(0xaaaaaaaau, words, _mm512_slli_epi32(words, 16));
}

// What is needed next stands `ahead` further on.
template <int kKind>
static void unpack_weights(const Panel &panel, int64_t first, int64_t end, int64_t ahead, int8_t *out) {
    constexpr int64_t kTile = tile_numbers(kKind) + tile_scales(kKind);
    const __m512i low = _mm512_set1_epi16(255), four = _mm512_set1_epi16(15);
    for (int64_t b = first; b < end; b++) {
        ask_for(panel.packed + ahead + b * kTile, kTile);
        const uint8_t *tile = panel.packed + b * tile_numbers(kKind);
        const i32x16 both = factors_of<kKind>(panel.scales() + b * tile_scales(kKind));
        const i32x16 one = factor_of(both);
        const __m512i factor = in_both_halves(one);
        const __m512i rest = in_both_halves((has_least(kKind) ? middle_of(both) : i32x16{}) - 8 * one);
        int8_t *high = out + (b - first) / 2 * kWeightPair + (b - first) % 2 * kTileBytes / 2;
        const auto put = [&](int64_t j, __m512i even, __m512i odd) __attribute__((always_inline)) {
            even = _mm512_add_epi16(_mm512_mullo_epi16(even, factor), rest);
            odd = _mm512_add_epi16(_mm512_mullo_epi16(odd, factor), rest);
            // where the mask is: a, else b
            const __m512i lows = _mm512_ternarylogic_epi64(low, even, _mm512_slli_epi16(odd, 8), 0xca);
            const __m512i highs = _mm512_ternarylogic_epi64(low, _mm512_srli_epi16(even, 8), odd, 0xca);
            _mm512_store_si512(high + 64 * j, highs);
            _mm512_store_si512(high + kTileBytes + 64 * j, lows);
        };
        for (int64_t j = 0; j < 4; j++) {
            const __m512i numbers = _mm512_loadu_si512(tile + 64 * j);
            put(j, _mm512_and_si512(numbers, four),
                _mm512_and_si512(_mm512_srli_epi16(numbers, 8), four));
            put(j + 4, _mm512_and_si512(_mm512_srli_epi16(numbers, 4), four),
                _mm512_srli_epi16(numbers, 12));
        }
    }
}

// Sums of sixteen vectors over pairs of blocks, for each of P panels three tiles, [vector][row]: of
// high parts and high bytes, of high and low and low and high, of low and low. `meanwhile` is done behind
// each product of a pair, which it is told.
template <int P, class Meanwhile>
FW_INLINE void segment_sums(const int8_t *weights, const int8_t *x, int64_t pairs, int32_t *sums,
                            const Meanwhile &meanwhile, Index<16>) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    if constexpr (P == 2) {
        _tile_zero(3);
        _tile_zero(4);
        _tile_zero(5);
    }
    for (int64_t p = 0; p < pairs; p++, weights += kWeightPair, x += 16 * kPairBytes) {
        const int8_t *other = weights + kNear;
        _tile_loadd(6, x, 64);
        _tile_loadd(7, weights, 64);
        _tile_dpbssd(0, 6, 7);
        meanwhile(p, Index<0>{});
        _tile_loadd(7, weights + kTileBytes, 64);
        _tile_dpbsud(1, 6, 7);
        meanwhile(p, Index<1>{});
        if constexpr (P == 2) {
            _tile_loadd(7, other, 64);
            _tile_dpbssd(3, 6, 7);
            meanwhile(p, Index<2>{});
            _tile_loadd(7, other + kTileBytes, 64);
            _tile_dpbsud(4, 6, 7);
            meanwhile(p, Index<3>{});
        }
        _tile_loadd(6, x + 16 * kPartBytes, 64);
        if constexpr (P == 2) {
            _tile_dpbsud(5, 6, 7);
            meanwhile(p, Index<4>{});
            _tile_loadd(7, weights + kTileBytes, 64);
        }
        _tile_dpbsud(2, 6, 7);
        meanwhile(p, Index<P == 2 ? 5 : 2>{});
        _tile_loadd(7, weights, 64);
        _tile_dpbssd(1, 6, 7);
        meanwhile(p, Index<P == 2 ? 6 : 3>{});
        if constexpr (P == 2) {
            _tile_loadd(7, other, 64);
            _tile_dpbssd(4, 6, 7);
            meanwhile(p, Index<7>{});
        }
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    if constexpr (P == 2) {
        _tile_stored(3, sums + 768, 64);
        _tile_stored(4, sums + 1024, 64);
        _tile_stored(5, sums + 1280, 64);
    }
}

// Of eight vectors, whose low parts are rows behind the high ones: two tiles for each panel, with high
// bytes and with low ones.
template <int P, class Meanwhile>
FW_INLINE void segment_sums(const int8_t *weights, const int8_t *x, int64_t pairs, int32_t *sums,
                            const Meanwhile &meanwhile, Index<8>) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (P == 2) {
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int64_t p = 0; p < pairs; p++, weights += kWeightPair, x += 8 * kPairBytes) {
        const int8_t *other = weights + kNear;
        _tile_loadd(4, x, 64);
        _tile_loadd(5, weights, 64);
        _tile_dpbssd(0, 4, 5);
        meanwhile(p, Index<0>{});
        _tile_loadd(6, weights + kTileBytes, 64);
        _tile_dpbsud(1, 4, 6);
        meanwhile(p, Index<1>{});
        if constexpr (P == 2) {
            _tile_loadd(5, other, 64);
            _tile_dpbssd(2, 4, 5);
            meanwhile(p, Index<2>{});
            _tile_loadd(6, other + kTileBytes, 64);
            _tile_dpbsud(3, 4, 6);
            meanwhile(p, Index<3>{});
        }
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    if constexpr (P == 2) {
        _tile_stored(2, sums + 512, 64);
        _tile_stored(3, sums + 768, 64);
    }
}

// The two sums of a vector, of what meets its high part and its low one.
struct Two {
    i32x16 high, low;
};
FW_INLINE i32x16 row_of(const int32_t *sums, int64_t row) {
    return (i32x16)_mm512_load_si512(sums + 16 * row);
}
FW_INLINE Two two_of(const int32_t *sums, int64_t v, Index<16>) {
    return {(row_of(sums, v) << 8) + row_of(sums, 16 + v), row_of(sums, 32 + v)};
}
FW_INLINE Two two_of(const int32_t *sums, int64_t v, Index<8>) {
    return {(row_of(sums, v) << 8) + row_of(sums, 16 + v) + row_of(sums, 8 + v), row_of(sums, 24 + v)};
}

// Adds the products of one segment to `out`, or begins it.
template <int P, int T>
static void segment_times(const int8_t *weights, const f32x16 *units, int64_t first, int64_t pairs,
                          const Here &here, Products *out) {
    constexpr int64_t kSums = T == 16 ? 768 : 512;
    alignas(64) int32_t sums[P * kSums];
    const auto nothing = [](int64_t, auto) {};
    segment_sums<P>(weights, block_at<T>(here, first), pairs, sums, nothing, Index<T>{});
    const float *steps = here.steps + first / kSegment * T;
    for (int64_t v = 0; v < T; v++)
        for (int p = 0; p < P; p++) {
            const Two two = two_of(sums + p * kSums, v, Index<T>{});
            const f32x16 before = first ? out[v].of[p] : f32x16{};
            out[v].of[p] = joined(before, two.high, two.low, units[p], steps[v]);
        }
}

// The sums of sixteen vectors that `out` still lacks, or begins with; null if there are none.
template <int P>
struct Due {
    const int32_t *sums;
    const f32x16 *units;  // of each panel
    const float *steps;
    __mmask16 before;  // nothing where they begin
    Products *out;

    inline __attribute__((always_inline)) void add(int64_t i) const {
        const int64_t v = i / P, p = i % P;
        const Two two = two_of(sums + p * 768, v, Index<16>{});
        const auto earlier = (f32x16)_mm512_maskz_load_ps(before, &out[v].of[p]);
        out[v].of[p] = joined(earlier, two.high, two.low, units[p], steps[v]);
    }
    void add_from(int64_t first) const {
        if (!sums) return;
        for (int64_t i = first; i < 16 * P; i++) add(i);
    }
};

// Writes the sums of one segment and sixteen vectors, and adds up those that are due.
template <int P>
static void sums_and_due(const int8_t *weights, const int8_t *x, int64_t pairs, const Due<P> &told,
                         int32_t *sums) {
    if (!told.sums) return segment_sums<P>(weights, x, pairs, sums, [](int64_t, auto) {}, Index<16>{});
    const Due<P> due{told.sums, told.units, told.steps, told.before, told.out};
    const auto add = [&](int64_t p, auto k) __attribute__((always_inline)) {
        if (p < 4) due.add(4 * P * p + k);
    };
    segment_sums<P>(weights, x, pairs, sums, add, Index<16>{});
    due.add_from(4 * P * pairs);
}

// P panels times the large groups of a span, a segment at a time.
template <int kKind, int P>
static void whole_many(const Panel *panels, const Vectors &vectors, Span span, Products *out) {
    constexpr int64_t kWorthWaiting = 3 * kGroup;
    alignas(64) int8_t weights[P][kNear];
    alignas(64) int32_t sums[2][P * 768];
    f32x16 units[2][P];
    Due<P> due{};
    const bool waits = span.end - span.first >= kWorthWaiting;
    const int64_t blocks = panels[0].blocks;
    for (int64_t first = 0; first < blocks; first += kSegment) {
        const int64_t end = first + kSegment < blocks ? first + kSegment : blocks;
        f32x16 *const here_units = units[first / kSegment % 2];
        for (int p = 0; p < P; p++) {
            unpack_weights<kKind>(panels[p], first, end, P * panel_bytes(kKind, blocks), weights[p]);
            here_units[p] = units_of(panels[p], first / kSegment);
        }
        written();
        for (int64_t r = span.first; r < span.end;) {
            const Group group = group_here(r, vectors.count);
            const int64_t pairs = (end - first + 1) / 2;
            Products *here = out + r - span.first;
            if (group.room == 8)
                segment_times<P, 8>(weights[0], here_units, first, pairs, {vectors, group}, here);
            if (group.room == 16 && !waits)
                segment_times<P, 16>(weights[0], here_units, first, pairs, {vectors, group}, here);
            if (group.room == 16 && waits) {
                const Here told{vectors, group};
                int32_t *const room = sums[due.sums == sums[0]];
                sums_and_due<P>(weights[0], block_at<16>(told, first), pairs, due, room);
                due.sums = room;
                due.units = here_units;
                due.steps = told.steps + first / kSegment * 16;
                due.before = first ? 0xffff : 0;
                due.out = here;
            }
            r += group.size;
        }
    }
    due.add_from(0);
}
