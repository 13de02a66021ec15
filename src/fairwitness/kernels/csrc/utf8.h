// UTF-8 as Python wrote it: whole, so nothing is checked.
#pragma once

#include <cstddef>
#include <cstdint>

// Reads the code point at `at` and moves `at` behind it. Surrogates read as themselves.
static inline uint32_t read_point(const uint8_t *&at) {
    uint32_t first = *at++;
    if (first < 0x80) return first;
    uint32_t second = *at++ & 0x3F;
    if (first < 0xE0) return (first & 0x1F) << 6 | second;
    uint32_t third = *at++ & 0x3F;
    if (first < 0xF0) return (first & 0x0F) << 12 | second << 6 | third;
    return (first & 0x07) << 18 | second << 12 | third << 6 | (*at++ & 0x3F);
}

// Writes a code point and returns the place behind it; it needs at most four bytes.
static inline uint8_t *write_point(uint8_t *at, uint32_t point) {
    if (point < 0x80) {
        *at++ = point;
    } else if (point < 0x800) {
        *at++ = 0xC0 | point >> 6;
        *at++ = 0x80 | (point & 0x3F);
    } else if (point < 0x10000) {
        *at++ = 0xE0 | point >> 12;
        *at++ = 0x80 | (point >> 6 & 0x3F);
        *at++ = 0x80 | (point & 0x3F);
    } else {
        *at++ = 0xF0 | point >> 18;
        *at++ = 0x80 | (point >> 12 & 0x3F);
        *at++ = 0x80 | (point >> 6 & 0x3F);
        *at++ = 0x80 | (point & 0x3F);
    }
    return at;
}
