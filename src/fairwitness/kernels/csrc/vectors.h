// Vectors as whole numbers: what matrices meet.
#pragma once

#include "lanes.h"
#include "tiles.h"

#if FW_AMX
constexpr int64_t kGroup = 16;
FW_INLINE Group group_here(int64_t vector, int64_t count) { return group_of<16, true>(vector, count); }
// AMX multiplies whole weights as they are meant, other instructions the numbers in the file.
FW_INLINE bool wants_sums(const Vectors &vectors, Group group) {
    return vectors.meets_scaled || group.room < 8;
}
#else
constexpr int64_t kGroup = 8;
FW_INLINE Group group_here(int64_t vector, int64_t count) { return group_of<8, false>(vector, count); }
FW_INLINE bool wants_sums(const Vectors &, Group) { return true; }
#endif

// Vectors that go through a panel while it is near.
constexpr int64_t kSpan = 16 * kGroup;
struct Span {
    int64_t first, end;
};

FW_INLINE Span span_of(int64_t index, int64_t count) {
    const int64_t first = index * kSpan, end = first + kSpan;
    return {first, end < count ? end : count};
}

FW_INLINE int64_t spans(int64_t count) { return (count + kSpan - 1) / kSpan; }

// Sixteen floats as whole numbers in parts: the nearest that two parts can say.
FW_INLINE void put_parts(f32x16 scaled, int8_t *high, int8_t *low) {
    // 1.5 * 2^23 rounds to whole numbers, which then stand in the lowest bits
    const i32x16 whole = (i32x16)(scaled + 12582912.0f) - 0x4b400000;
    const i32x16 upper = (whole + 128) >> 8;
    i32x16 lower = whole - (upper << 8);
#if FW_WIDE == 512
    lower = (i32x16)_mm512_max_epi32((__m512i)lower, _mm512_set1_epi32(-127));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(high), _mm512_cvtepi32_epi8((__m512i)upper));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(low), _mm512_cvtepi32_epi8((__m512i)lower));
#else
    lower = lower < -127 ? lower + 1 : lower;
    const i8x16 narrow[2] = {__builtin_convertvector(upper, i8x16),
                             __builtin_convertvector(lower, i8x16)};
    __builtin_memcpy(high, &narrow[0], 16);
    __builtin_memcpy(low, &narrow[1], 16);
#endif
}

// The sums of the first and the last sixteen of a block's parts.
struct Halves {
    int32_t first, last;
};
FW_INLINE Halves halves_of(const int8_t *parts) {
#if FW_WIDE >= 256
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(parts));
    const __m256i positive = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    const __m256i eights = _mm256_sad_epu8(positive, _mm256_setzero_si256());
    const __m256i sums = _mm256_add_epi64(eights, _mm256_unpackhi_epi64(eights, eights));
    return {_mm_cvtsi128_si32(_mm256_castsi256_si128(sums)) - 16 * 128,
            _mm_cvtsi128_si32(_mm256_extracti128_si256(sums, 1)) - 16 * 128};
#else
    Halves out{0, 0};
    for (int i = 0; i < 16; i++) out.first += parts[i];
    for (int i = 16; i < 32; i++) out.last += parts[i];
    return out;
#endif
}

FW_INLINE BlockSums sums_of(const int8_t *high, const int8_t *low, float step) {
    const Halves upper = halves_of(high), lower = halves_of(low);
    const int32_t highs = upper.first + upper.last, lows = lower.first + lower.last;
    const int32_t all = 256 * highs + lows;
    const auto h = static_cast<int16_t>(highs), l = static_cast<int16_t>(lows);
    return {all,        256 * upper.first + lower.first, step * static_cast<float>(all),
            -8 * highs, -8 * lows,                       {h, h}, {l, l}};
}

// Puts a segment's floats, of `blocks` blocks, where matrices find them. If one of them is not
// finite, no product with the segment is.
static void quantise(const float *x, int64_t blocks, const Vectors &out, int64_t vector,
                     int64_t segment) {
    const Group group = group_here(vector, out.count);
    f32x16 most[2] = {}, zeros[2] = {};
    for (int64_t i = 0; i < blocks * kColumns; i += kColumns)
        each<2>([&](auto half) __attribute__((always_inline)) {
            const f32x16 here = load(x + i + 16 * half);
            most[half] = larger(larger(here, -here), most[half]);
            zeros[half] = fma(here, f32x16{}, zeros[half]);
        });
    const float damage = total(zeros[0] + zeros[1]);  // 0, or NaN
    const float peak = highest(larger(most[0], most[1]));
    // Smaller than any number that matters, and its inverse would not be finite.
    const bool empty = !(peak > 1e-30f) || damage != 0;
    const float inverse = empty ? 0 : 32512.0f / peak;
    const float step = (empty ? 0 : peak / 32512.0f) + damage;
    *out.step(group, vector, segment) = step;
    const bool is_summed = wants_sums(out, group);
    int8_t *high = out.number(group, vector, segment * kSegment);
    const int64_t low = kPartBytes * group.room;
    for (int64_t b = 0; b < blocks; b++) {
        for (int64_t i = 0; i < kColumns; i += 16) {
            const f32x16 here = load(x + b * kColumns + i);
            put_parts(empty ? f32x16{} : here * inverse, high + i, high + low + i);
        }
        if (is_summed)
            *out.sum(group, vector, segment * kSegment + b) = sums_of(high, high + low, step);
        high += b % 2 ? kPairBytes * group.room - kColumns : kColumns;
    }
    if (blocks % 2 == 0) return;
    __builtin_memset(high, 0, kColumns);  // behind the last block of all
    __builtin_memset(high + low, 0, kColumns);
}

static void quantise_row(const float *x, const Vectors &out, int64_t vector) {
    for (int64_t s = 0; s < out.segments(); s++) {
        const int64_t first = s * kSegment, left = out.blocks() - first;
        quantise(x + first * kColumns, left < kSegment ? left : kSegment, out, vector, s);
    }
}
