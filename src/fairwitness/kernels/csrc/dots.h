// Sixteen rows of a quantised matrix times one, two, four, eight or sixteen vectors.
//
// Sums of whole numbers are exact, so each form gives the same ones; what joins segments in floating
// point has one order that no caller changes. A vector's product is the same in whatever company it
// goes.
#pragma once

#include "decoder.h"
#include "vectors.h"

#if FW_WIDE == 512

typedef __m512i Bytes;  // four columns of sixteen rows
typedef __m512i Whole;  // a whole number for each row

FW_INLINE Whole begun(int32_t sum) { return _mm512_set1_epi32(sum); }
FW_INLINE Whole dot(Whole sum, Bytes w, const int8_t *x) {
    return _mm512_dpbusd_epi32(sum, w, _mm512_set1_epi32(*reinterpret_cast<const int32_t *>(x)));
}
FW_INLINE i32x16 whole(Whole sum) { return (i32x16)sum; }
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
FW_INLINE int32_t centre8() { return 128; }  // bytes are read as unsigned

#else

#if FW_WIDE == 256
struct Bytes {
    __m256i half[2];
};
struct Whole {
    __m256i half[2];
};
FW_INLINE Whole begun(int32_t sum) { return {{_mm256_set1_epi32(sum), _mm256_set1_epi32(sum)}}; }
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
FW_INLINE i32x16 whole(Whole sum) {
    i32x16 out;
    __builtin_memcpy(&out, &sum, sizeof(out));
    return out;
}
#else
struct Bytes {
    int8_t byte[64];
};
struct Whole {
    int32_t row[16];
};
FW_INLINE Whole begun(int32_t sum) {
    Whole out;
    for (int32_t &row : out.row) row = sum;
    return out;
}
FW_INLINE Whole dot(Whole sum, const Bytes &w, const int8_t *x) {
    for (int r = 0; r < 16; r++)
        for (int i = 0; i < 4; i++) sum.row[r] += w.byte[4 * r + i] * x[i];
    return sum;
}
FW_INLINE i32x16 whole(const Whole &sum) {
    i32x16 out;
    __builtin_memcpy(&out, &sum, sizeof(out));
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
FW_INLINE int32_t centre8() { return 0; }

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

// The factors of a tile's rows: the first 16 bits of a lane, and the second ones or 0.
template <int kKind>
FW_INLINE i32x16 factors_of(const uint8_t *tile) {
    i32x16 both;
    if constexpr (row_factors(kKind) == 2) {
        __builtin_memcpy(&both, tile, 64);
        return both;
    }
    u16x16 one;
    __builtin_memcpy(&one, tile, 32);
    return __builtin_convertvector(one, i32x16);
}
FW_INLINE i32x16 first_of(i32x16 factors) { return factors << 16 >> 16; }
FW_INLINE i32x16 second_of(i32x16 factors) { return factors >> 16; }

// A tile's numbers, less their centre, times one part of a block of a vector, times their factors:
// added to `sum`. `excess` is -8 times the sum of that part, `first_excess` of its first sixteen.
template <int kKind>
FW_INLINE i32x16 added(i32x16 sum, const Bytes *w, i32x16 factors, const int8_t *x, int32_t excess,
                       int32_t first_excess, const int16_t *twice) {
    constexpr int32_t kCentres = centre(kKind) / 8;
    if constexpr (kKind == kQ6_K) {
        Whole first = begun(kCentres * first_excess);
        Whole second = begun(kCentres * (excess - first_excess));
        for (int j = 0; j < 4; j++) {
            first = dot(first, w[j], x + 4 * j);
            second = dot(second, w[j + 4], x + 16 + 4 * j);
        }
        return sum + whole(first) * first_of(factors) + whole(second) * second_of(factors);
    }
    Whole product = begun(kKind == kQ8_0 ? centre8() / 8 * excess : kCentres * excess);
    for (int j = 0; j < 8; j++) product = dot(product, w[j], x + 4 * j);
#if FW_WIDE == 512
    if constexpr (!has_bytes(kKind)) {
        // 8 * 127 * 32 fits 16 bits, so both factors are multiplied at once
        const __m512i both = has_middle(kKind)
            ? _mm512_mask_blend_epi16(0xaaaaaaaau, product, _mm512_set1_epi32(
                  *reinterpret_cast<const int32_t *>(twice)))
            : product;
        return (i32x16)_mm512_dpwssd_epi32((__m512i)sum, both, (__m512i)factors);
    }
#endif
    sum += whole(product) * first_of(factors);
    if (has_middle(kKind)) sum += second_of(factors) * static_cast<int32_t>(twice[0]);
    return sum;
}

// What a segment's sums are worth, added to those before.
FW_INLINE f32x16 joined(f32x16 sum, i32x16 high, i32x16 low, f32x16 worth, float step) {
    return fma(fma(floats(high), all(128.0f), floats(low)), worth * step, sum);
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

// A panel that vectors are about to go through.
struct Panel {
    int32_t kind;
    int64_t blocks;
    const uint8_t *packed;
    const int8_t *bytes;  // weights in two bytes, where a form works on these

    const uint8_t *factors() const { return packed + blocks * tile_numbers(kind); }
    const float *worths() const {
        const int64_t end = panel_bytes(kind, blocks) - segments_of(blocks) * 4 * kRows;
        return reinterpret_cast<const float *>(packed + end);
    }
};

// The vectors of one group.
struct Here {
    const int8_t *numbers;
    const Sums *sums;
    const float *steps;

    Here(const Vectors &vectors, Group group)
        : numbers(vectors.number(group, group.first, 0)),
          sums(vectors.sum(group, group.first, 0)),
          steps(vectors.step(group, group.first, 0)) {}
};

// Writes out[v] = the 16 rows of a panel times vector v of a group of T.
template <int kKind, int T>
static void panel_times(const Panel &panel, const Here &here, f32x16 *out) {
    constexpr int64_t kTile = tile_numbers(kKind) + tile_factors(kKind);
    const uint8_t *factors = panel.factors();
    const float *worths = panel.worths();
    f32x16 sum[T];
    each<T>(FW_EACH { sum[i] = f32x16{}; });
    for (int64_t b = 0, s = 0; b < panel.blocks; s++) {
        i32x16 high[T], low[T];
        each<T>(FW_EACH { high[i] = low[i] = i32x16{}; });
        for (const int64_t end = b + kSegment; b < end && b < panel.blocks; b++) {
            ask_for(panel.packed + kAhead + b * kTile, kTile);
            Bytes w[8];
            unpacked<kKind>(panel.packed + b * tile_numbers(kKind), w);
            const i32x16 factor = factors_of<kKind>(factors + b * tile_factors(kKind));
            const int8_t *x = here.numbers + b / 2 * T * kPairBytes + b % 2 * kColumns;
            each<T>(FW_EACH {
                const Sums &of = here.sums[b * T + i];
                const int8_t *part = x + i * kPartBytes;
                high[i] = added<kKind>(high[i], w, factor, part, of.high, of.first_high,
                                       of.high_twice);
                low[i] = added<kKind>(low[i], w, factor, part + T * kPartBytes, of.low,
                                      of.first_low, of.low_twice);
            });
        }
        const f32x16 worth = load(worths + s * kRows);
        each<T>(FW_EACH {
            sum[i] = joined(sum[i], high[i], low[i], worth, here.steps[s * T + i]);
        });
    }
    each<T>(FW_EACH { out[i] = sum[i]; });
}

#if FW_AMX
#include "amx.h"
#else

static void begin_tiles() {}
static void end_tiles() {}
static Panel panel_of(const Matrix &matrix, int64_t index, int64_t, uint8_t *) {
    return {matrix.kind, matrix.blocks(), matrix.panel(index), nullptr};
}
static int64_t multiply_tiles(const Panel &, const Vectors &, Span span, f32x16 *) {
    return span.first;
}

#endif

template <int kKind>
static void panel_times_group(const Panel &panel, const Here &here, int64_t room, f32x16 *out) {
    switch (room) {
#if !FW_AMX
        case 8: return panel_times<kKind, 8>(panel, here, out);
#endif
        case 4: return panel_times<kKind, 4>(panel, here, out);
        case 2: return panel_times<kKind, 2>(panel, here, out);
        default: return panel_times<kKind, 1>(panel, here, out);
    }
}

// The 16 rows of a panel times each vector of a span; `out` has room for a group more.
static void multiply(const Panel &panel, const Vectors &vectors, Span span, f32x16 *out) {
    for (int64_t r = multiply_tiles(panel, vectors, span, out); r < span.end;) {
        const Group group = group_here(r, vectors.count);
        for_kind(panel.kind, [&](auto kind) {
            panel_times_group<decltype(kind){}>(panel, {vectors, group}, group.room,
                                                out + r - span.first);
        });
        r += group.size;
    }
}
