// Sixteen rows of a quantised matrix times one, two, four or eight vectors.
//
// Sums of whole numbers are exact, so each form gives the same ones; what follows in floating point
// has one order that no caller changes. A vector's product is the same in whatever company it goes.
#pragma once

#include "lanes.h"
#include "tiles.h"

// Half precision: 16 numbers.
FW_INLINE f32x16 widened(const uint16_t *halves) {
#if FW_WIDE == 512
    return (f32x16)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(halves)));
#elif FW_WIDE == 256
    union {
        f32x16 whole;
        __m256 half[2];
    } out;
    for (int i = 0; i < 2; i++)
        out.half[i] = _mm256_cvtph_ps(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(halves + 8 * i)));
    return out.whole;
#else
    f32x16 out;
    for (int i = 0; i < 16; i++) {
        // Shifted into a float's place the exponent is 112 too small: a multiplication mends it,
        // subnormal numbers too. Infinity and NaN keep theirs.
        const uint32_t sign = (halves[i] & 0x8000u) << 16, rest = (halves[i] & 0x7fffu) << 13;
        union {
            uint32_t bits;
            float number;
        } x;
        x.bits = rest;
        x.number *= 5.192296858534828e33f;  // 2^112
        if (rest >= 0x7c00u << 13) x.bits = rest | 0x7f800000u;
        x.bits |= sign;
        out[i] = x.number;
    }
    return out;
#endif
}

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
FW_INLINE void unpacked8(const uint8_t *tile, Bytes *w) {
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
FW_INLINE void unpacked8(const uint8_t *tile, Bytes *w) {
    for (int j = 0; j < 8; j++) {
        uint8_t bytes[64];
        for (int i = 0; i < 64; i++) bytes[i] = tile[64 * j + i] ^ 128;
        __builtin_memcpy(&w[j], bytes, 64);
    }
}
FW_INLINE int32_t excess8() { return 0; }

#endif

// Writes out[v] = the 16 rows of a panel times vector v of a group of T.
template <int kKind, int T>
FW_INLINE void panel_times(const uint8_t *panel, int64_t blocks, const int8_t *numbers,
                           const Scale *scales, f32x16 *out) {
    const auto *halves =
        reinterpret_cast<const uint16_t *>(panel + blocks * tile_numbers(kKind));
    f32x16 sum[T];
    for (int v = 0; v < T; v++) sum[v] = f32x16{};
    for (int64_t b = 0; b < blocks; b++) {
        Bytes w[8];
        if (kKind == kQ8_0) unpacked8(panel + b * tile_numbers(kKind), w);
        if (kKind != kQ8_0) unpacked4(panel + b * tile_numbers(kKind), w);
        const f32x16 d = widened(halves + b * (tile_scales(kKind) / 2));
        f32x16 least = f32x16{};
        if (kKind == kQ4_1) least = widened(halves + b * (tile_scales(kKind) / 2) + 16);
        for (int v = 0; v < T; v++) {
            const int8_t *x = numbers + (b * T + v) * kBlockBytes;
            const Scale &scale = scales[b * T + v];
            Whole high = none(), low = none();
            for (int j = 0; j < 8; j++) {
                high = dot(high, w[j], x + 4 * j);
                low = dot(low, w[j], x + 32 + 4 * j);
            }
            i32x16 whole = joined(high, low);
            if (kKind == kQ4_0) whole -= 8 * scale.sum;
            if (kKind == kQ8_0) whole -= excess8() * scale.sum;
            sum[v] = fma(floats(whole), d * scale.step, sum[v]);
            if (kKind == kQ4_1) sum[v] = fma(least, all(scale.total), sum[v]);
        }
    }
    for (int v = 0; v < T; v++) out[v] = sum[v];
}

template <int kKind>
static void panel_times_group(const uint8_t *panel, int64_t blocks, const int8_t *numbers,
                              const Scale *scales, int64_t size, f32x16 *out) {
    if (size == 8) return panel_times<kKind, 8>(panel, blocks, numbers, scales, out);
    if (size == 4) return panel_times<kKind, 4>(panel, blocks, numbers, scales, out);
    if (size == 2) return panel_times<kKind, 2>(panel, blocks, numbers, scales, out);
    panel_times<kKind, 1>(panel, blocks, numbers, scales, out);
}

// The 16 rows of panel `index` times each vector of a group.
static void multiply(const Matrix &matrix, int64_t index, const Vectors &vectors, Group group,
                     f32x16 *out) {
    const int64_t blocks = matrix.blocks(), first = group.first * blocks;
    const int8_t *numbers = vectors.numbers + first * kBlockBytes;
    const Scale *scales = vectors.scales + first;
    const uint8_t *panel = matrix.panel(index);
    if (matrix.kind == kQ4_0)
        return panel_times_group<kQ4_0>(panel, blocks, numbers, scales, group.size, out);
    if (matrix.kind == kQ4_1)
        return panel_times_group<kQ4_1>(panel, blocks, numbers, scales, group.size, out);
    panel_times_group<kQ8_0>(panel, blocks, numbers, scales, group.size, out);
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
    int32_t sum = 0;
    for (int half = 0; half < 2; half++) {
        const f32x16 scaled = (half ? second : first) * inverse;
        // 1.5 * 2^23 rounds to whole numbers, which then stand in the lowest bits
        i32x16 whole = (i32x16)(scaled + 12582912.0f) - 0x4b400000;
        if (empty) whole = i32x16{};
        const i32x16 high = (whole + 64) >> 7, low = whole - (high << 7);
        for (int i = 0; i < 16; i++) {
            numbers[16 * half + i] = static_cast<int8_t>(high[i]);
            numbers[32 + 16 * half + i] = static_cast<int8_t>(low[i]);
            sum += whole[i];
        }
    }
    const float told = step + damage;
    *scale = {told, told * static_cast<float>(sum), sum, 0};
}
