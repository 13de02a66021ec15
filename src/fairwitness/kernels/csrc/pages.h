// How keys and values lie in pages, and how they are put there and read.
//
// A page holds 64 positions of one sequence for all layers. For each layer and kv head it has keys of
// 16 positions together, [4][head_size][16], so that sixteen scores are made at once; then values,
// [64][head_size]; and where numbers are bytes, a scale for each key and then for each value. With AMX,
// floats lie otherwise: as `pairs.h` says.
#pragma once

#include "decoder.h"
#include "lanes.h"
#if FW_AMX
#include "pairs.h"
#endif

constexpr int64_t kMostHead = 256;

// Sixteen numbers from the `index`th on.
template <int kKind>
FW_INLINE f32x16 numbers_at(const uint8_t *numbers, int64_t index) {
    if constexpr (kKind == kFloats) {
        return load(reinterpret_cast<const float *>(numbers) + index);
    } else if constexpr (kKind == kHalves) {
        return widened(reinterpret_cast<const uint16_t *>(numbers) + index);
    } else {
        return from_bytes(numbers + index);
    }
}

// Whole numbers of seven bits, and what one of them is worth: NaN if a number is not finite.
static float bytes_of(const float *x, int64_t size, int8_t *out) {
    f32x16 most = {}, zeros = {};
    for (int64_t i = 0; i < size; i += 16) {
        const f32x16 here = load(x + i);
        most = larger(larger(here, -here), most);
        zeros += here * 0.0f;
    }
    const float peak = highest(most), damage = total(zeros);
    const bool empty = !(peak > 1e-30f) || damage != 0;
    const float inverse = empty ? 0 : 127.0f / peak;
    for (int64_t i = 0; i < size; i += 16) {
        const f32x16 scaled = empty ? f32x16{} : load(x + i) * inverse;
        const i32x16 whole = (i32x16)(scaled + 12582912.0f) - 0x4b400000;
        const i8x16 narrow = __builtin_convertvector(whole, i8x16);
        __builtin_memcpy(out + i, &narrow, 16);
    }
    return (empty ? 0 : peak / 127.0f) + damage;
}

// Puts `size` numbers at `first`, `apart` places from each other.
template <class T>
static void spread(const T *numbers, int64_t size, uint8_t *part, int64_t first, int64_t apart) {
    T *out = reinterpret_cast<T *>(part) + first;
    for (int64_t i = 0; i < size; i++) out[apart * i] = numbers[i];
}

// Asks for the lines in which a key is put, for there are many.
static void ask_for_key(const Pages &pages, const uint8_t *head, int64_t slot) {
    const int64_t bytes = pages.values() / 4;  // of 16 positions
    for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(head + slot / 16 * bytes + i, 1);
}

// Puts the key or the value of one position into its page.
static void put_numbers(const Pages &pages, uint8_t *head, bool is_key, int64_t slot,
                        const float *numbers) {
    const int64_t size = pages.head_size;
    const int64_t first = is_key ? slot / 16 * size * 16 + slot % 16 : slot * size;
    const int64_t apart = is_key ? 16 : 1;
    uint8_t *part = is_key ? head : head + pages.values();
#if FW_AMX
    if (pages.kind == kFloats)
        return (is_key ? put_key_pairs : put_value_pairs)(numbers, size, slot, part);
#endif
    if (pages.kind == kFloats) return spread(numbers, size, part, first, apart);
    if (pages.kind == kHalves) {
        uint16_t halves[kMostHead];
        for (int64_t i = 0; i < size; i += 16) narrowed(load(numbers + i), halves + i);
        return spread(halves, size, part, first, apart);
    }
    int8_t bytes[kMostHead];
    float *scales = reinterpret_cast<float *>(head + pages.scales()) + (is_key ? 0 : kPage);
    scales[slot] = bytes_of(numbers, size, bytes);
    spread(bytes, size, part, first, apart);
}
