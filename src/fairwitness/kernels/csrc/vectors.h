// Vectors as whole numbers: what matrices meet.
#pragma once

#include "lanes.h"
#include "tiles.h"

#if FW_AMX
constexpr int64_t kGroup = 16;
FW_INLINE Group group_here(int64_t vector, int64_t count) { return group_of<16, true>(vector, count); }
// Tiles multiply weights as they are meant, other instructions the numbers that stand in the file.
FW_INLINE bool wants_sums(Group group) { return group.room < 8; }
#else
constexpr int64_t kGroup = 8;
FW_INLINE Group group_here(int64_t vector, int64_t count) { return group_of<8, false>(vector, count); }
FW_INLINE bool wants_sums(Group) { return true; }
#endif

// Vectors that go through a panel while it is near.
constexpr int64_t kSpan = 8 * kGroup;
struct Span {
    int64_t first, end;
};

FW_INLINE Span span_of(int64_t index, int64_t count) {
    const int64_t first = index * kSpan, end = first + kSpan;
    return {first, end < count ? end : count};
}

FW_INLINE int64_t spans(int64_t count) { return (count + kSpan - 1) / kSpan; }

FW_INLINE int32_t total(i32x16 x) {
#if FW_WIDE == 512
    return _mm512_reduce_add_epi32((__m512i)x);
#else
    int32_t sum = 0;
    for (int i = 0; i < 16; i++) sum += x[i];
    return sum;
#endif
}

// Sixteen floats as whole numbers in parts; returns the sums of these where they are asked for.
struct Parts {
    int32_t high, low;
};
FW_INLINE Parts put_parts(f32x16 scaled, int8_t *high, int8_t *low, bool is_summed) {
    // 1.5 * 2^23 rounds to whole numbers, which then stand in the lowest bits
    const i32x16 whole = (i32x16)(scaled + 12582912.0f) - 0x4b400000;
    const i32x16 upper = (whole + 64) >> 7, lower = whole - (upper << 7);
#if FW_WIDE == 512
    _mm_storeu_si128(reinterpret_cast<__m128i *>(high), _mm512_cvtepi32_epi8((__m512i)upper));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(low), _mm512_cvtepi32_epi8((__m512i)lower));
#else
    const i8x16 narrow[2] = {__builtin_convertvector(upper, i8x16),
                             __builtin_convertvector(lower, i8x16)};
    __builtin_memcpy(high, &narrow[0], 16);
    __builtin_memcpy(low, &narrow[1], 16);
#endif
    if (!is_summed) return {0, 0};
    return {total(upper), total(lower)};
}

// Puts a segment's floats, of `blocks` blocks, where matrices find them. If one of them is not
// finite, no product with the segment is.
static void quantise(const float *x, int64_t blocks, const Vectors &out, int64_t vector,
                     int64_t segment) {
    const Group group = group_here(vector, out.count);
    f32x16 most = {}, zeros = {};
    for (int64_t i = 0; i < blocks * kColumns; i += 16) {
        const f32x16 here = load(x + i);
        most = larger(larger(here, -here), most);
        zeros += here * 0.0f;
    }
    const float damage = total(zeros);  // 0, or NaN
    const float peak = highest(most);
    // Smaller than any number that matters, and its inverse would not be finite.
    const bool empty = !(peak > 1e-30f) || damage != 0;
    const float inverse = empty ? 0 : 16256.0f / peak;
    *out.step(group, vector, segment) = (empty ? 0 : peak / 16256.0f) + damage;
    const bool is_summed = wants_sums(group);
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t block = segment * kSegment + b;
        int8_t *high = out.number(group, vector, block), *low = high + kPartBytes * group.room;
        Parts parts[2];
        for (int64_t i = 0; i < 2; i++) {
            const f32x16 here = load(x + b * kColumns + 16 * i);
            parts[i] = put_parts(empty ? f32x16{} : here * inverse, high + 16 * i, low + 16 * i,
                                 is_summed);
        }
        if (!is_summed) continue;
        const int32_t sums[2] = {parts[0].high + parts[1].high, parts[0].low + parts[1].low};
        const auto upper = static_cast<int16_t>(sums[0]), lower = static_cast<int16_t>(sums[1]);
        *out.sum(group, vector, block) = {-8 * sums[0],       -8 * sums[1],   -8 * parts[0].high,
                                          -8 * parts[0].low, {upper, upper}, {lower, lower}};
    }
    if (blocks % 2) {  // the last one of all
        int8_t *high = out.number(group, vector, segment * kSegment + blocks - 1) + kColumns;
        __builtin_memset(high, 0, kColumns);
        __builtin_memset(high + kPartBytes * group.room, 0, kColumns);
    }
}

static void quantise_row(const float *x, const Vectors &out, int64_t vector) {
    for (int64_t s = 0; s < out.segments(); s++) {
        const int64_t first = s * kSegment, left = out.blocks() - first;
        quantise(x + first * kColumns, left < kSegment ? left : kSegment, out, vector, s);
    }
}
