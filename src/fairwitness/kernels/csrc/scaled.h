// Scaled tiles times one, two, four, eight or sixteen vectors.
//
// The sums of a block are whole numbers, and exact; what follows in floating point has one order that
// no caller changes.
#pragma once

#include "dots.h"

// What the numbers of the `b`th tile are worth in each row, and what is added to them; in Q6_K what
// the last sixteen columns are worth.
struct Worth {
    f32x16 first, second;
};

template <int kKind>
FW_INLINE Worth worth_of(const uint8_t *scales, int64_t b) {
    constexpr int64_t kBlock = block_tiles(kKind) * tile_scales(kKind);
    const uint8_t *here = scales + b / block_tiles(kKind) * kBlock;
    const auto *halves = reinterpret_cast<const uint16_t *>(here);
    const f32x16 d = widened(halves);
    f32x16 least = {};
    if constexpr (!is_large(kKind)) return {d, least};
    if constexpr (has_least(kKind)) least = widened(halves + kRows);
    const uint8_t *small = here + 2 * kRows * block_halves(kKind) + b % 8 * 2 * kRows;
    const f32x16 other = kKind == kQ6_K ? d : -least;
    return {d * from_bytes(small), other * from_bytes(small + kRows)};
}

// Adds a tile's sums with both parts of a block, for which there is one worth.
template <int kKind>
FW_INLINE f32x16 added(f32x16 sum, i32x16 high, i32x16 low, const Worth &worth, const BlockSums &of,
                       float step) {
    i32x16 whole = (high << 8) + low;
    if (kKind == kQ8_0) whole -= excess8() * of.all;
    sum = fma(floats(whole), worth.first * step, sum);
    if (has_least(kKind)) sum = fma(worth.second, all(of.total), sum);
    return sum;
}

template <int kKind, int T>
FW_INLINE f32x16 added_tile(f32x16 sum, const Bytes *w, const Worth &worth, const int8_t *x,
                            const BlockSums &of, float step) {
    const int8_t *low = x + T * kPartBytes;
    Whole upper[2] = {begun(0), begun(0)}, lower[2] = {begun(0), begun(0)};
    for (int j = 0; j < 8; j++) {
        const int half = kKind == kQ6_K ? j / 4 : 0;
        upper[half] = dot(upper[half], w[j], x + 4 * j);
        lower[half] = dot(lower[half], w[j], low + 4 * j);
    }
    if constexpr (kKind != kQ6_K)
        return added<kKind>(sum, sums(upper[0]), sums(lower[0]), worth, of, step);
    const i32x16 first = (sums(upper[0]) << 8) + sums(lower[0]) - 32 * of.first;
    const i32x16 second = (sums(upper[1]) << 8) + sums(lower[1]) - 32 * (of.all - of.first);
    sum = fma(floats(first), worth.first * step, sum);
    return fma(floats(second), worth.second * step, sum);
}

// Writes out[v] = the 16 rows of a panel times vector v of a group of T.
template <int kKind, int T>
static void scaled_times(const Panel &panel, const Here &here, f32x16 *out) {
    constexpr int64_t kTile = tile_numbers(kKind) + tile_scales(kKind);
    f32x16 sum[T];
    each<T>(FW_EACH { sum[i] = f32x16{}; });
    for (int64_t b = 0, s = 0; b < panel.blocks; s++) {
        for (const int64_t end = b + kSegment; b < end && b < panel.blocks; b++) {
            if (!panel.is_near) ask_behind(panel.packed + b * kTile, kTile);
            Bytes w[8];
            unpacked<kKind>(panel.packed + b * tile_numbers(kKind), w);
            const Worth worth = worth_of<kKind>(panel.scales(), b);
            const int8_t *x = block_at<T>(here, b);
            each<T>(FW_EACH {
                sum[i] = added_tile<kKind, T>(sum[i], w, worth, x + i * kPartBytes,
                                              here.sums[b * T + i], here.steps[s * T + i]);
            });
        }
    }
    each<T>(FW_EACH { out[i] = sum[i]; });
}

#if FW_AMX

// Tiles 0 and 1 hold sums, [vector][row], and 4 and 5 parts of vectors, [vector][32 bytes]; 6 holds
// numbers of rows, which stand as `tiles.h` has them: [4 columns][row][column].
static void begin_scaled() {
    TileShapes told;
    for (int i = 0; i < 8; i++) {
        told.row_bytes[i] = i == 4 || i == 5 ? 32 : 64;
        told.rows[i] = i == 6 ? 8 : 16;
    }
    told.take_effect();
}

// The sums of one block, those of high parts before those of low ones. The parts of eight vectors
// are one tile.
template <int T>
FW_INLINE void block_sums(const uint8_t *bytes, const int8_t *x, int32_t *sums) {
    _tile_loadd(6, bytes, 64);
    _tile_loadd(4, x, kPartBytes);
    _tile_zero(0);
    _tile_dpbsud(0, 4, 6);
    _tile_stored(0, sums, 64);
    if constexpr (T == 8) return;
    _tile_loadd(5, x + T * kPartBytes, kPartBytes);
    _tile_zero(1);
    _tile_dpbsud(1, 5, 6);
    _tile_stored(1, sums + 256, 64);
}

// Adds the products of tiles from `first` to `end`, whose numbers are `bytes`, or begins with them.
template <int kKind, int T>
static void scaled_segment(const Panel &panel, int64_t first, int64_t end, const uint8_t *bytes,
                           const Here &here, Products *out, int64_t which) {
    alignas(64) int32_t room[2][512];
    f32x16 sum[T];
    each<T>(FW_EACH { sum[i] = first ? out[i].of[which] : f32x16{}; });
    const float *steps = here.steps + first / kSegment * T;
    block_sums<T>(bytes, block_at<T>(here, first), room[0]);
    for (int64_t b = first; b < end; b++) {
        // The next block's sums are on their way while this one's are used.
        bytes += kRows * kColumns;
        if (b + 1 < end) block_sums<T>(bytes, block_at<T>(here, b + 1), room[(b + 1 - first) % 2]);
        const Worth worth = worth_of<kKind>(panel.scales(), b);
        each<T>(FW_EACH {
            const int32_t *high = room[(b - first) % 2] + 16 * i;
            sum[i] = added<kKind>(sum[i], (i32x16)_mm512_load_si512(high),
                                  (i32x16)_mm512_load_si512(high + T * 16), worth,
                                  here.sums[b * T + i], steps[i]);
        });
    }
    each<T>(FW_EACH { out[i].of[which] = sum[i]; });
}

// A panel times the large groups of a span, a segment at a time.
template <int kKind>
static void scaled_many(const Panel &panel, const Vectors &vectors, Span span, Products *out,
                        int64_t which) {
    constexpr int64_t kTile = tile_numbers(kKind) + tile_scales(kKind);
    alignas(64) uint8_t room[kSegment * kRows * kColumns];
    begin_scaled();
    for (int64_t first = 0; first < panel.blocks; first += kSegment) {
        const int64_t end = first + kSegment < panel.blocks ? first + kSegment : panel.blocks;
        ask_for(panel.packed + kAhead + first * kTile, (end - first) * kTile);
        const uint8_t *bytes = panel.packed + first * tile_numbers(kKind);
        if constexpr (!has_bytes(kKind)) {
            for (int64_t b = first; b < end; b++, bytes += tile_numbers(kKind))
                unpacked<kKind>(bytes, reinterpret_cast<Bytes *>(room) + (b - first) * 8);
            bytes = room;
        }
        written();
        for (int64_t r = span.first; r < span.end;) {
            const Group group = group_here(r, vectors.count);
            Products *here = out + r - span.first;
            if (group.room == 16)
                scaled_segment<kKind, 16>(panel, first, end, bytes, {vectors, group}, here, which);
            if (group.room == 8)
                scaled_segment<kKind, 8>(panel, first, end, bytes, {vectors, group}, here, which);
            r += group.size;
        }
    }
    begin_tiles();
}

#endif
