// XXH64 with seed 0, for short keys. The algorithm:
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

constexpr uint64_t XXH_1 = 0x9E3779B185EBCA87, XXH_2 = 0xC2B2AE3D27D4EB4F,
                   XXH_3 = 0x165667B19E3779F9, XXH_4 = 0x85EBCA77C2B2AE63,
                   XXH_5 = 0x27D4EB2F165667C5;

static inline uint64_t xxh_turn(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

static inline uint64_t xxh_round(uint64_t lane, uint64_t input) {
    return xxh_turn(lane + input * XXH_2, 31) * XXH_1;
}

template <typename Number>
static inline Number xxh_read(const uint8_t *at) {  // on machines whose low bytes come first
    Number number;
    memcpy(&number, at, sizeof number);
    return number;
}

static inline uint64_t xxh64(const uint8_t *at, size_t size) {
    const uint8_t *end = at + size;
    uint64_t hash = XXH_5;
    if (size >= 32) {
        uint64_t lanes[4] = {XXH_1 + XXH_2, XXH_2, 0, 0 - XXH_1};
        for (; end - at >= 32; at += 32)
            for (int i = 0; i < 4; i++)
                lanes[i] = xxh_round(lanes[i], xxh_read<uint64_t>(at + 8 * i));
        hash = xxh_turn(lanes[0], 1) + xxh_turn(lanes[1], 7) + xxh_turn(lanes[2], 12) +
               xxh_turn(lanes[3], 18);
        for (uint64_t lane : lanes) hash = (hash ^ xxh_round(0, lane)) * XXH_1 + XXH_4;
    }
    hash += size;
    for (; end - at >= 8; at += 8)
        hash = xxh_turn(hash ^ xxh_round(0, xxh_read<uint64_t>(at)), 27) * XXH_1 + XXH_4;
    if (end - at >= 4) {
        hash = xxh_turn(hash ^ xxh_read<uint32_t>(at) * XXH_1, 23) * XXH_2 + XXH_3;
        at += 4;
    }
    while (at < end) hash = xxh_turn(hash ^ *at++ * XXH_5, 11) * XXH_1;
    hash = (hash ^ hash >> 33) * XXH_2;
    hash = (hash ^ hash >> 29) * XXH_3;
    return hash ^ hash >> 32;
}
