// Sixteen rows of a quantised matrix times one, two, four, eight or sixteen vectors.
//
// Sums of whole numbers are exact, so each form gives the same ones; what follows in floating point
// has one order that no caller changes. A vector's product is the same in whatever company it goes.
#pragma once

#include "decoder.h"
#include "lanes.h"
#include "watched.h"

#if FW_WIDE == 512

typedef __m512i Bytes;  // four columns of sixteen rows
typedef __m512i Whole;  // a whole number for each row

FW_INLINE Whole none() { return _mm512_setzero_si512(); }
FW_INLINE Whole dot(Whole sum, Bytes w, const int8_t *x) {
    return _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(*reinterpret_cast<const int32_t *>(x)));
}
FW_INLINE i32x16 joined(Whole high, Whole low) {
    return (i32x16)_mm512_add_epi32(_mm512_slli_epi32(high, 7), low);
}
FW_INLINE f32x16 floats(i32x16 x) { return (f32x16)_mm512_cvtepi32_ps((__m512i)x); }

FW_INLINE void unpacked4(const uint8_t *tile, Bytes *w) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (int j = 0; j < 4; j++) {
        const __m512i both = _mm512_loadu_si512(tile + 64 * j);
        w[j] = _mm512_and_si512(both, mask);
        w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    }
}
FW_INLINE void unpacked8(const uint8_t *tile, Bytes *w, uint8_t) {
    for (int j = 0; j < 8; j++) w[j] = _mm512_loadu_si512(tile + 64 * j);
}
FW_INLINE int32_t excess8() { return 128; }  // bytes are read as unsigned

#else

#if FW_WIDE == 256
struct Bytes {
    __m256i half[2];
};
struct Whole {
    __m256i half[2];
};
FW_INLINE Whole none() { return {{_mm256_setzero_si256(), _mm256_setzero_si256()}}; }
// Bytes are signed, and pairs of products fit 16 bits: 128 * 127 * 2.
FW_INLINE Whole dot(Whole sum, Bytes w, const int8_t *x) {
    const __m256i four = _mm256_set1_epi32(*reinterpret_cast<const int32_t *>(x));
    for (int i = 0; i < 2; i++) {
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w.half[i]),
                                                   _mm256_sign_epi8(four, w.half[i]));
        sum.half[i] = _mm256_add_epi32(sum.half[i],
                                       _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return sum;
}
FW_INLINE i32x16 joined(Whole high, Whole low) {
    union {
        i32x16 whole;
        __m256i half[2];
    } out;
    for (int i = 0; i < 2; i++)
        out.half[i] = _mm256_add_epi32(_mm256_slli_epi32(high.half[i], 7), low.half[i]);
    return out.whole;
}
#else
struct Bytes {
    int8_t byte[64];
};
struct Whole {
    int32_t row[16];
};
FW_INLINE Whole none() { return {}; }
FW_INLINE Whole dot(Whole sum, const Bytes &w, const int8_t *x) {
    for (int r = 0; r < 16; r++)
        for (int i = 0; i < 4; i++) sum.row[r] += w.byte[4 * r + i] * x[i];
    return sum;
}
FW_INLINE i32x16 joined(const Whole &high, const Whole &low) {
    i32x16 out;
    for (int r = 0; r < 16; r++) out[r] = high.row[r] * 128 + low.row[r];
    return out;
}
#endif

FW_INLINE f32x16 floats(i32x16 x) { return __builtin_convertvector(x, f32x16); }
FW_INLINE void unpacked4(const uint8_t *tile, Bytes *w) {
    for (int j = 0; j < 4; j++) {
        uint8_t low[64], high[64];
        for (int i = 0; i < 64; i++) low[i] = tile[64 * j + i] & 15;
        for (int i = 0; i < 64; i++) high[i] = tile[64 * j + i] >> 4;
        __builtin_memcpy(&w[j], low, 64);
        __builtin_memcpy(&w[j + 4], high, 64);
    }
}
FW_INLINE void unpacked8(const uint8_t *tile, Bytes *w, uint8_t flip) {
    for (int j = 0; j < 8; j++) {
        uint8_t bytes[64];
        for (int i = 0; i < 64; i++) bytes[i] = tile[64 * j + i] ^ flip;
        __builtin_memcpy(&w[j], bytes, 64);
    }
}
FW_INLINE int32_t excess8() { return 0; }

#endif

// What few vectors need next is asked for in time. Panels lie one behind the other, so it is what
// stands a little further on.
constexpr int64_t kAhead = 8192;

FW_INLINE void ask_for(const uint8_t *bytes, int64_t size) {
    for (int64_t i = 0; i < size; i += 64) __builtin_prefetch(bytes + i);
}

// The numbers of a tile as `dot` takes them.
template <int kKind>
FW_INLINE void unpacked(const uint8_t *tile, Bytes *w) {
    if constexpr (has_bytes(kKind)) {
        unpacked8(tile, w, kKind == kQ8_0 ? 128 : 0);
    } else {
        unpacked4(tile, w);
    }
}

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
    if constexpr (has_least(kKind)) least = widened(halves + kRows);
    if constexpr (!is_large(kKind)) return {d, least};
    const uint8_t *small = here + 2 * kRows * block_halves(kKind) + b % 8 * 2 * kRows;
    const f32x16 other = kKind == kQ6_K ? d : -least;
    return {d * from_bytes(small), other * from_bytes(small + kRows)};
}

// Adds a tile's whole-number sums, for which there is one worth.
template <int kKind>
FW_INLINE f32x16 added(f32x16 sum, i32x16 whole, const Worth &worth, const Scale &scale) {
    if (kKind == kQ4_0) whole -= 8 * scale.sum;
    if (kKind == kQ8_0) whole -= excess8() * scale.sum;
    sum = fma(floats(whole), worth.first * scale.step, sum);
    if (has_least(kKind)) sum = fma(worth.second, all(scale.total), sum);
    return sum;
}

// The same for one vector and sixteen columns after the other.
FW_INLINE f32x16 added_halves(f32x16 sum, const Bytes *w, const int8_t *x, const Worth &worth,
                              const Scale &scale) {
    Whole high[2] = {none(), none()}, low[2] = {none(), none()};
    for (int j = 0; j < 8; j++) {
        high[j / 4] = dot(high[j / 4], w[j], x + 4 * j);
        low[j / 4] = dot(low[j / 4], w[j], x + 32 + 4 * j);
    }
    const i32x16 first = joined(high[0], low[0]) - 32 * scale.first;
    const i32x16 second = joined(high[1], low[1]) - 32 * (scale.sum - scale.first);
    sum = fma(floats(first), worth.first * scale.step, sum);
    return fma(floats(second), worth.second * scale.step, sum);
}

// Writes out[v] = the 16 rows of a panel times vector v of a group of T.
template <int kKind, int T>
FW_INLINE void panel_times(const uint8_t *panel, int64_t blocks, const int8_t *numbers,
                           const Scale *scales, f32x16 *out) {
    const uint8_t *worths = panel + blocks * tile_numbers(kKind);
    constexpr int64_t kTile = tile_numbers(kKind) + tile_scales(kKind);
    f32x16 sum[T];
    each<T>(FW_EACH { sum[i] = f32x16{}; });
    for (int64_t b = 0; b < blocks; b++) {
        if (T <= 4) ask_for(panel + kAhead + b * kTile, kTile);
        Bytes w[8];
        unpacked<kKind>(panel + b * tile_numbers(kKind), w);
        const Worth worth = worth_of<kKind>(worths, b);
        each<T>(FW_EACH {
            const int8_t *x = numbers + (b * T + i) * kBlockBytes;
            const Scale &scale = scales[b * T + i];
            if constexpr (kKind == kQ6_K) {
                sum[i] = added_halves(sum[i], w, x, worth, scale);
            } else {
                Whole high = none(), low = none();
                for (int j = 0; j < 8; j++) {
                    high = dot(high, w[j], x + 4 * j);
                    low = dot(low, w[j], x + 32 + 4 * j);
                }
                sum[i] = added<kKind>(sum[i], joined(high, low), worth, scale);
            }
        });
    }
    each<T>(FW_EACH { out[i] = sum[i]; });
}

// A panel that vectors are about to go through.
struct Panel {
    int32_t kind;
    int64_t blocks;
    const uint8_t *packed;
    const uint8_t *bytes;  // a byte a number, where a form works on these
};

constexpr int64_t kTileBytes = kRows * kColumns;  // of a tile, a byte a number

#if FW_AMX

constexpr int64_t kGroup = 16;

// The shapes of the eight tiles, as `ldtilecfg` reads them.
struct TileShapes {
    uint8_t palette = 1, row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};

    // GCC 12's intrinsic says that it reads 8 of these bytes, so that the rest may never be written.
    void take_effect() const {
        watch(row_bytes, rows);
        asm volatile("ldtilecfg\t%0" : : "m"(*this));
    }
};

// Of sixteen vectors, tiles 0 and 1 hold sums, [vector][row], and 4 and 5 parts of vectors, [vector][32
// bytes]; of eight, 2 and 3 hold sums and 7 a part. 6 holds numbers of rows, which stand as `tiles.h`
// has them: [4 columns][row][column].
static void begin_tiles() {
    TileShapes told;
    for (int i = 0; i < 8; i++) {
        told.row_bytes[i] = i == 4 || i == 5 || i == 7 ? 32 : 64;
        told.rows[i] = i == 2 || i == 3 || i >= 6 ? 8 : 16;
    }
    told.take_effect();
}
static void end_tiles() { _tile_release(); }

static Panel panel_of(const Matrix &matrix, int64_t index, int64_t vectors, uint8_t *room) {
    Panel panel{matrix.kind, matrix.blocks(), matrix.panel(index), matrix.panel(index)};
    if (has_bytes(matrix.kind) || vectors < kGroup / 2) return panel;
    for (int64_t b = 0; b < panel.blocks; b++) {
        Bytes w[8];
        unpacked4(panel.packed + b * tile_numbers(kQ4_0), w);
        for (int j = 0; j < 8; j++) _mm512_store_si512(room + b * kTileBytes + 64 * j, w[j]);
    }
    panel.bytes = room;
    return panel;
}

// The whole-number sums of one block, high parts at `sums` and low ones behind them.
template <int T>
FW_INLINE void tile_sums(const uint8_t *bytes, const int8_t *numbers, int32_t *sums) {
    _tile_loadd(6, bytes, 64);
    if constexpr (T == 16) {
        _tile_loadd(4, numbers, kBlockBytes);
        _tile_loadd(5, numbers + 32, kBlockBytes);
        _tile_zero(0);
        _tile_zero(1);
        _tile_dpbsud(0, 4, 6);
        _tile_dpbsud(1, 5, 6);
        _tile_stored(0, sums, 64);
        _tile_stored(1, sums + 256, 64);
    } else {
        _tile_loadd(7, numbers, kBlockBytes);
        _tile_zero(2);
        _tile_dpbsud(2, 7, 6);
        _tile_loadd(7, numbers + 32, kBlockBytes);
        _tile_zero(3);
        _tile_dpbsud(3, 7, 6);
        _tile_stored(2, sums, 64);
        _tile_stored(3, sums + 256, 64);
    }
}

template <int kKind, int T>
static void panel_times_tiles(const Panel &panel, const int8_t *numbers, const Scale *scales,
                              f32x16 *out) {
    const uint8_t *worths = panel.packed + panel.blocks * tile_numbers(kKind);
    constexpr int64_t kTile = tile_numbers(kKind) + tile_scales(kKind);
    alignas(64) int32_t sums[2][512];
    f32x16 sum[T];
    each<T>(FW_EACH { sum[i] = f32x16{}; });
    tile_sums<T>(panel.bytes, numbers, sums[0]);
    for (int64_t b = 0; b < panel.blocks; b++) {
        if (T == 8) ask_for(panel.packed + kAhead + b * kTile, kTile);
        // The next block's sums are on their way while this one's are used.
        const int64_t n = b + 1;
        if (n < panel.blocks)
            tile_sums<T>(panel.bytes + n * kTileBytes, numbers + n * T * kBlockBytes, sums[n % 2]);
        const Worth worth = worth_of<kKind>(worths, b);
        each<T>(FW_EACH {
            const int32_t *here = sums[b % 2] + 16 * i;
            const i32x16 whole =
                joined(_mm512_load_si512(here), _mm512_load_si512(here + 256));
            sum[i] = added<kKind>(sum[i], whole, worth, scales[b * T + i]);
        });
    }
    each<T>(FW_EACH { out[i] = sum[i]; });
}

#else

constexpr int64_t kGroup = 8;

static void begin_tiles() {}
static void end_tiles() {}
static Panel panel_of(const Matrix &matrix, int64_t index, int64_t, uint8_t *) {
    return {matrix.kind, matrix.blocks(), matrix.panel(index), nullptr};
}

#endif

FW_INLINE Group group_here(int64_t vector, int64_t count) { return group_of<kGroup>(vector, count); }

// Eight vectors or sixteen, as the machine is best at it.
template <int kKind, int T>
static void panel_times_many(const Panel &panel, const int8_t *numbers, const Scale *scales,
                             f32x16 *out) {
#if FW_AMX
    // halves of a tile's columns would be sixteen bytes of the 64 that a row of AMX holds
    if constexpr (kKind != kQ6_K)
        return panel_times_tiles<kKind, T>(panel, numbers, scales, out);
#endif
    panel_times<kKind, T>(panel.packed, panel.blocks, numbers, scales, out);
}

template <int kKind>
static void panel_times_group(const Panel &panel, const int8_t *numbers, const Scale *scales,
                              int64_t size, f32x16 *out) {
    const uint8_t *packed = panel.packed;
    switch (size) {
#if FW_AMX
        case 16: return panel_times_many<kKind, 16>(panel, numbers, scales, out);
#endif
        case 8: return panel_times_many<kKind, 8>(panel, numbers, scales, out);
        case 4: return panel_times<kKind, 4>(packed, panel.blocks, numbers, scales, out);
        case 2: return panel_times<kKind, 2>(packed, panel.blocks, numbers, scales, out);
        default: return panel_times<kKind, 1>(packed, panel.blocks, numbers, scales, out);
    }
}

// Does `what` with the kind as a constant.
template <class What>
FW_INLINE void for_kind(int32_t kind, const What &what) {
    switch (kind) {
        case kQ4_0: return what(Index<kQ4_0>{});
        case kQ4_1: return what(Index<kQ4_1>{});
        case kQ4_K: return what(Index<kQ4_K>{});
        case kQ5_K: return what(Index<kQ5_K>{});
        case kQ6_K: return what(Index<kQ6_K>{});
        default: return what(Index<kQ8_0>{});
    }
}

// The 16 rows of a panel times each vector of a group.
static void multiply(const Panel &panel, const Vectors &vectors, Group group, f32x16 *out) {
    const int64_t first = group.first * panel.blocks;
    const int8_t *numbers = vectors.numbers + first * kBlockBytes;
    const Scale *scales = vectors.scales + first;
    for_kind(panel.kind, [&](auto kind) {
        panel_times_group<decltype(kind){}>(panel, numbers, scales, group.size, out);
    });
}

FW_INLINE int32_t total(i32x16 x) {
#if FW_WIDE == 512
    return _mm512_reduce_add_epi32((__m512i)x);
#else
    int32_t sum = 0;
    for (int i = 0; i < 16; i++) sum += x[i];
    return sum;
#endif
}

// Puts 32 floats into a block. If one of them is not finite, no product with the block is.
static void quantise(const float *x, int8_t *numbers, Scale *scale) {
    const f32x16 first = load(x), second = load(x + 16);
    const f32x16 most = larger(larger(first, -first), larger(second, -second));
    const float damage = total(first * 0.0f + second * 0.0f);  // 0, or NaN
    const float peak = highest(most);
    // Smaller than any number that matters, and its inverse would not be finite.
    const bool empty = !(peak > 1e-30f) || damage != 0;
    const float step = empty ? 0 : peak / 16256.0f, inverse = empty ? 0 : 16256.0f / peak;
    int32_t sums[2];
    for (int half = 0; half < 2; half++) {
        const f32x16 scaled = (half ? second : first) * inverse;
        // 1.5 * 2^23 rounds to whole numbers, which then stand in the lowest bits
        i32x16 whole = (i32x16)(scaled + 12582912.0f) - 0x4b400000;
        if (empty) whole = i32x16{};
        const i32x16 high = (whole + 64) >> 7, low = whole - (high << 7);
        const i8x16 narrow[2] = {__builtin_convertvector(high, i8x16),
                                       __builtin_convertvector(low, i8x16)};
        __builtin_memcpy(numbers + 16 * half, &narrow[0], 16);
        __builtin_memcpy(numbers + 32 + 16 * half, &narrow[1], 16);
        sums[half] = total(whole);
    }
    const int32_t sum = sums[0] + sums[1];
    const float told = step + damage;
    *scale = {told, told * static_cast<float>(sum), sum, sums[0]};
}
