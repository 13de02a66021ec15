// What the blocks of a GGUF file say, as tiles take it: whole numbers in order, and what they are worth.
//
// Formats: the structs of ggml/src/ggml-common.h, and their meaning in ggml/src/ggml-quants.c, of
// github.com/ggml-org/llama.cpp.
#pragma once

#include <cstring>

#include "tiles.h"

struct Block {
    uint8_t numbers[8 * kColumns];
    uint8_t halves[2][2];
    uint8_t small[8][2];
};

constexpr int64_t block_bytes(int32_t kind) {
    switch (kind) {
        case kQ4_0: return 18;
        case kQ4_1: return 20;
        case kQ8_0: return 34;
        case kQ4_K: return 144;
        case kQ5_K: return 176;
        default: return 210;
    }
}

inline void read_small_block(int32_t kind, const uint8_t *source, Block *block) {
    const int64_t halves = block_halves(kind);
    std::memcpy(block->halves, source, static_cast<size_t>(2 * halves));
    const uint8_t *packed = source + 2 * halves;
    for (int64_t i = 0; i < kColumns; i++) {
        const uint8_t byte = packed[has_bytes(kind) ? i : i % 16];
        const int nibble = i < 16 ? byte & 15 : byte >> 4;
        block->numbers[i] = static_cast<uint8_t>(has_bytes(kind) ? byte ^ 128 : nibble);
    }
}

// Eight pairs of numbers of six bits in twelve bytes: the later four have their upper two bits where
// the first four leave room.
inline void read_pairs(const uint8_t *packed, uint8_t (*small)[2]) {
    for (int64_t t = 0; t < 4; t++) {
        const uint8_t a = packed[t], b = packed[t + 4], c = packed[t + 8];
        small[t][0] = a & 63;
        small[t][1] = b & 63;
        small[t + 4][0] = static_cast<uint8_t>((c & 15) | (a >> 6 << 4));
        small[t + 4][1] = static_cast<uint8_t>((c >> 4) | (b >> 6 << 4));
    }
}

// Q4_K, and Q5_K with a plane of fifth bits.
inline void read_eight_tiles(int32_t kind, const uint8_t *source, Block *block) {
    std::memcpy(block->halves, source, 4);
    read_pairs(source + 4, block->small);
    const uint8_t *fifths = source + 16, *packed = source + (kind == kQ5_K ? 48 : 16);
    for (int64_t t = 0; t < 8; t++)
        for (int64_t i = 0; i < kColumns; i++) {
            const uint8_t byte = packed[t / 2 * kColumns + i];
            const int fifth = kind == kQ5_K ? (fifths[i] >> t & 1) << 4 : 0;
            block->numbers[t * kColumns + i] =
                static_cast<uint8_t>((t % 2 ? byte >> 4 : byte & 15) | fifth);
        }
}

// Q6_K: four bits in 64 bytes for each half of the block, two more in 32.
inline void read_sixteen_columns(const uint8_t *source, Block *block) {
    std::memcpy(block->halves, source + 208, 2);
    for (int64_t t = 0; t < 8; t++) {
        const uint8_t *low = source + t / 4 * 64 + t % 2 * 32, *high = source + 128 + t / 4 * 32;
        const int64_t shift = t % 4 * 2;
        for (int64_t i = 0; i < kColumns; i++) {
            const int four = t % 4 < 2 ? low[i] & 15 : low[i] >> 4;
            block->numbers[t * kColumns + i] =
                static_cast<uint8_t>(four | (high[i] >> shift & 3) << 4);
        }
        std::memcpy(block->small[t], source + 192 + 2 * t, 2);
    }
}

inline void read_block(int32_t kind, const uint8_t *source, Block *block) {
    if (!is_large(kind)) return read_small_block(kind, source, block);
    if (kind == kQ6_K) return read_sixteen_columns(source, block);
    read_eight_tiles(kind, source, block);
}
