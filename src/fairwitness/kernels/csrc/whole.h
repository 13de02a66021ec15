// Whole weights times one, two, four, eight or sixteen vectors.
//
// The sums of a segment are whole numbers, and exact, so each machine gives the same ones in the way
// that it is best at. AMX multiplies weights as they are meant; they are unpacked to their 16 bits
// once for all vectors, in two bytes like vectors. Other instructions multiply the numbers in the
// file, and then what comes out by factors.
#pragma once

#include "dots.h"

// The factors of a tile's rows: the first 16 bits of a lane, and the middles or 0.
template <int kKind>
FW_INLINE i32x16 factors_of(const uint8_t *tile) {
    i32x16 both;
    if constexpr (has_least(kKind)) {
        __builtin_memcpy(&both, tile, 64);
        return both;
    }
#if FW_WIDE == 512
    const auto *words = reinterpret_cast<const __m256i *>(tile);
    return (i32x16)_mm512_cvtepu16_epi32(_mm256_loadu_si256(words));
#else
    u16x16 one;
    __builtin_memcpy(&one, tile, 32);
    return __builtin_convertvector(one, i32x16);
#endif
}
FW_INLINE i32x16 factor_of(i32x16 factors) { return factors << 16 >> 16; }
FW_INLINE i32x16 middle_of(i32x16 factors) { return factors >> 16; }

// 256 units of each row in a segment.
FW_INLINE f32x16 units_of(const Panel &panel, int64_t segment) {
#if FW_WIDE == 512
    const auto *told = reinterpret_cast<const __m128i *>(panel.units() + segment * kRows);
    return (f32x16)_mm512_slli_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128(told)), 23);
#else
    u8x16 exponents;
    __builtin_memcpy(&exponents, panel.units() + segment * kRows, kRows);
    return (f32x16)(__builtin_convertvector(exponents, u32x16) << 23);
#endif
}

// A tile's numbers, less 8, times one part of a block of a vector, times their factors: added to
// `sum`. `less` is -8 times the sum of that part, `twice` that sum in both halves.
template <int kKind>
FW_INLINE i32x16 added_part(i32x16 sum, const Bytes *w, i32x16 factors, const int8_t *x,
                            int32_t less, const int16_t *twice) {
    Whole product = begun(less);
    for (int j = 0; j < 8; j++) product = dot(product, w[j], x + 4 * j);
#if FW_WIDE == 512
    // 8 * 127 * 32 fits 16 bits, so both factors are multiplied at once
    int32_t part;
    __builtin_memcpy(&part, twice, sizeof(part));
    const __m512i both =
        has_least(kKind) ? _mm512_mask_blend_epi16(0xaaaaaaaau, product, _mm512_set1_epi32(part))
                         : product;
    return (i32x16)_mm512_dpwssd_epi32((__m512i)sum, both, (__m512i)factors);
#else
    sum += sums(product) * factor_of(factors);
    if (has_least(kKind)) sum += middle_of(factors) * static_cast<int32_t>(twice[0]);
    return sum;
#endif
}

// What a segment's sums are worth, added to those before. They are rounded to 256, of up to 2^38: one
// float says them.
FW_INLINE f32x16 joined(f32x16 sum, i32x16 high, i32x16 low, f32x16 units, float step) {
    return fma(floats(high + ((low + 128) >> 8)), units * step, sum);
}

// Writes out[v] = the 16 rows of a panel times vector v of a group of T.
template <int kKind, int T>
static void whole_times(const Panel &panel, const Here &here, f32x16 *out) {
    constexpr int64_t kTile = tile_numbers(kKind) + tile_scales(kKind);
    const uint8_t *factors = panel.scales();
    f32x16 sum[T];
    each<T>(FW_EACH { sum[i] = f32x16{}; });
    for (int64_t b = 0, s = 0; b < panel.blocks; s++) {
        i32x16 high[T], low[T];
        each<T>(FW_EACH { high[i] = low[i] = i32x16{}; });
        for (const int64_t end = b + kSegment; b < end && b < panel.blocks; b++) {
            if (!panel.is_near) ask_behind(panel.packed + b * kTile, kTile);
            Bytes w[8];
            unpacked<kKind>(panel.packed + b * tile_numbers(kKind), w);
            const i32x16 factor = factors_of<kKind>(factors + b * tile_scales(kKind));
            const int8_t *x = block_at<T>(here, b);
            each<T>(FW_EACH {
                const BlockSums &of = here.sums[b * T + i];
                const int8_t *part = x + i * kPartBytes;
                high[i] = added_part<kKind>(high[i], w, factor, part, of.high_less, of.high_twice);
                low[i] = added_part<kKind>(low[i], w, factor, part + T * kPartBytes, of.low_less,
                                           of.low_twice);
            });
        }
        const f32x16 units = units_of(panel, s);
        each<T>(FW_EACH {
            sum[i] = joined(sum[i], high[i], low[i], units, here.steps[s * T + i]);
        });
    }
    each<T>(FW_EACH { out[i] = sum[i]; });
}

#if FW_AMX
#include "whole_tiles.h"
#endif
