// A float as two numbers of bfloat16, as AMX multiplies them: its high part and its low part, whose sum it
// is to 2^-17. Two floats that stand for neighbours in a product share a word, in a tile of high parts and
// in a tile of low ones.
//
// So do pages hold floats: for each layer and kv head keys, [4][head_size / 32][high, low], and values,
// [2][head_size / 16][high, low]. A tile of keys is [16 numbers][16 positions], each with the number 16
// further on; one of values [16 positions][16 numbers], each with the position 16 further on.
#pragma once

#include "lanes.h"

constexpr int64_t kSquare = 1024;  // bytes of a tile: 16 rows of 16 pairs
constexpr int64_t kDeep = 32;      // numbers of such a row
constexpr int64_t kPairs = 16;

struct Pairs {
    __m512i high, low;
};

// Pairs of what stands at the same place of both.
template <bool kHasLow>
FW_INLINE Pairs paired(f32x16 first, f32x16 second) {
    constexpr int kUpper = 0xf8;  // a | (b & c)
    const __m512i half = _mm512_set1_epi32(0x8000), upper = _mm512_set1_epi32(-0x10000);
    const __m512i a = _mm512_add_epi32((__m512i)first, half);
    const __m512i b = _mm512_add_epi32((__m512i)second, half);
    Pairs out;
    out.high = _mm512_ternarylogic_epi32(_mm512_srli_epi32(a, 16), b, upper, kUpper);
    if constexpr (!kHasLow) return out;
    const f32x16 rest = first - (f32x16)_mm512_and_si512(a, upper);
    const __m512i other = (__m512i)(second - (f32x16)_mm512_and_si512(b, upper));
    const __m512i shifted = _mm512_srli_epi32((__m512i)rest, 16);
    out.low = _mm512_ternarylogic_epi32(shifted, other, upper, kUpper);
    return out;
}

// High parts at `out`, low ones a tile further on.
template <bool kHasLow>
FW_INLINE void put_pairs(f32x16 first, f32x16 second, uint8_t *out) {
    const Pairs pairs = paired<kHasLow>(first, second);
    _mm512_store_si512(out, pairs.high);
    if constexpr (kHasLow) _mm512_store_si512(out + kSquare, pairs.low);
}

// Puts the key of one position into its page.
static void put_key_pairs(const float *numbers, int64_t size, int64_t slot, uint8_t *keys) {
    uint8_t *out = keys + slot / 16 * 16 * size * 4 + slot % 16 * 4;
    for (int64_t k = 0; k < size; k += kDeep, out += 2 * kSquare) {
        alignas(64) int32_t high[16], low[16];
        const Pairs pairs = paired<true>(load(numbers + k), load(numbers + k + 16));
        _mm512_store_si512(high, pairs.high);
        _mm512_store_si512(low, pairs.low);
        for (int64_t i = 0; i < 16; i++) __builtin_memcpy(out + 64 * i, high + i, 4);
        for (int64_t i = 0; i < 16; i++) __builtin_memcpy(out + kSquare + 64 * i, low + i, 4);
    }
}

// The same for a value. Its neighbour in the pair is not touched, for it may be another thread's. What is
// not finite has a high part that is no number.
static void put_value_pairs(const float *numbers, int64_t size, int64_t slot, uint8_t *values) {
    constexpr int kNotFinite = 0x99;
    const __mmask32 mine = slot % kDeep < kPairs ? 0x55555555u : 0xaaaaaaaau;
    uint8_t *out = values + slot / kDeep * kDeep * size * 4 + slot % kPairs * 64;
    for (int64_t k = 0; k < size; k += 16, out += 2 * kSquare) {
        const __m512 x = (__m512)load(numbers + k);
        const __mmask16 bad = _mm512_fpclass_ps_mask(x, kNotFinite);
        const auto kept = (f32x16)_mm512_mask_mov_ps(x, bad, _mm512_set1_ps(__builtin_nanf("")));
        const Pairs pairs = paired<true>(kept, kept);
        _mm512_mask_storeu_epi16(out, mine, pairs.high);
        _mm512_mask_storeu_epi16(out + kSquare, mine, pairs.low);
    }
}
