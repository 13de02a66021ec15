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

// Returns whether bytes that somebody else wrote are UTF-8 (RFC 3629): no form longer than it must
// be, no surrogates, nothing beyond U+10FFFF.
static inline bool is_utf8(const uint8_t *at, const uint8_t *end) {
    while (at < end) {
        const uint8_t first = *at++;
        if (first < 0x80) continue;
        const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
        if (first < 0xC2 || first > 0xF4 || end - at < more) return false;
        const uint8_t least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        const uint8_t most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (*at < least || *at > most) return false;
        for (int i = 1; i < more; i++)
            if ((at[i] & 0xC0) != 0x80) return false;
        at += more;
    }
    return true;
}
