// How quantised matrices and the vectors that they meet lie in memory.
//
// A matrix is cut into panels of 16 rows, a panel into tiles of 32 columns: one block of a GGUF
// file from each of 16 rows, or an eighth of one. The whole numbers of a tile are turned so that four of each row stand
// together, 64 bytes for 16 rows: one wide multiply-add takes four columns of sixteen rows, and the
// vector's four numbers are broadcast to it.
//
// What a file multiplies a block's numbers by becomes whole too: a row of a matrix has one scale for
// each segment of 20 tiles, and in it each weight is a whole number of 16 bits, `factor * (number -
// centre) + middle`. So the products of a segment are sums of whole numbers, in whatever order a
// machine is best at, and floats come in once a segment.
#pragma once

#include <cstddef>
#include <cstdint>

constexpr int64_t kRows = 16;     // of a panel
constexpr int64_t kColumns = 32;  // of a tile, and of a block of a vector

// As GGUF numbers them (enum ggml_type in ggml.h).
enum Kind : int32_t { kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14 };

// Blocks of 256 numbers are eight tiles.
constexpr bool is_large(int32_t kind) { return kind >= kQ4_K; }
constexpr int64_t block_tiles(int32_t kind) { return is_large(kind) ? 8 : 1; }
constexpr bool has_bytes(int32_t kind) { return kind == kQ8_0 || kind == kQ5_K || kind == kQ6_K; }
// What a file subtracts from a block's weights or adds to them is in their middle.
constexpr bool has_middle(int32_t kind) {
    return kind == kQ4_1 || kind == kQ4_K || kind == kQ5_K;
}
constexpr int64_t block_halves(int32_t kind) { return has_middle(kind) ? 2 : 1; }
// A tile has 16 bits a row for the factor, as many for the middle; in Q6_K, a factor for the first
// sixteen columns and one for the last.
constexpr int64_t row_factors(int32_t kind) { return has_middle(kind) || kind == kQ6_K ? 2 : 1; }
constexpr int32_t centre(int32_t kind) {
    return kind == kQ8_0 ? 128 : kind == kQ6_K ? 32 : kind == kQ5_K ? 16 : 8;
}

constexpr int64_t kSegment = 20;  // tiles
// Of a weight. With 640 numbers of a vector, of seven bits and a sign, the sum stays below 2^31.
constexpr int32_t kLargestWeight = 26350;
constexpr int64_t segments_of(int64_t tiles) { return (tiles + kSegment - 1) / kSegment; }

constexpr int64_t tile_numbers(int32_t kind) { return kRows * kColumns / (has_bytes(kind) ? 1 : 2); }
constexpr int64_t tile_factors(int32_t kind) { return kRows * 2 * row_factors(kind); }

// A panel: numbers of its tiles, their factors, and at its end the scales, [segment][row].
constexpr int64_t panel_bytes(int32_t kind, int64_t blocks) {
    const int64_t tiles = blocks * (tile_numbers(kind) + tile_factors(kind));
    return (tiles + 63) / 64 * 64 + segments_of(blocks) * 4 * kRows;
}

// `rows` is whole panels; rows that a file does not have are zeros.
struct Matrix {
    int32_t kind;
    int64_t rows, columns;
    const uint8_t *data;

    int64_t blocks() const { return columns / kColumns; }
    int64_t panels() const { return rows / kRows; }
    int64_t bytes() const { return panels() * panel_bytes(kind, blocks()); }
    const uint8_t *panel(int64_t index) const { return data + index * panel_bytes(kind, blocks()); }
};

// A segment of a vector has a scale too: its numbers are step * (128 * high + low), whole numbers of
// 15 bits in two parts that byte instructions take. Two blocks stand together, 64 high parts and 64
// low ones, as many as a row of AMX holds; there may be zeros at the end. These are the sums of a
// block's parts: times -8, of its first sixteen too, and in both halves of a word.
struct Sums {
    int32_t high, low, first_high, first_low;
    int16_t high_twice[2], low_twice[2];
};
constexpr int64_t kPartBytes = 2 * kColumns;  // bytes
constexpr int64_t kPairBytes = 2 * kPartBytes;

// Vectors go through a matrix in groups as large as the machine takes at once, and what is left in
// smaller ones. `room` of a group may be more than its `size`: the rest is there for the machine
// alone. In a group, pairs of the same columns stand together, high parts before low ones.
struct Group {
    int64_t first, size, room;
};

// Where `kPads`, what is left is one group, else one of half the size and so on.
template <int64_t kMost, bool kPads>
Group group_of(int64_t vector, int64_t count) {
    const int64_t whole = count / kMost * kMost;
    if (vector < whole) return {vector / kMost * kMost, kMost, kMost};
    int64_t first = whole;
    for (int64_t size = kMost / 2;; size /= 2) {
        if (kPads && count - whole > size) return {whole, count - whole, 2 * size};
        if (kPads ? count - whole < size : !(count & size)) continue;
        if (vector < first + size) return {first, size, size};
        first += size;
    }
}

// Vectors of `columns` numbers; there is room for whole groups.
struct Vectors {
    int8_t *numbers;
    Sums *sums;
    float *steps;
    int64_t count, columns;

    int64_t blocks() const { return columns / kColumns; }
    int64_t pairs() const { return (blocks() + 1) / 2; }
    int64_t segments() const { return segments_of(blocks()); }

    // The high parts of a block of one of them; its low ones are kPartBytes * group.room behind.
    int8_t *number(Group group, int64_t vector, int64_t block) const {
        const int64_t pair = (group.first * pairs() + block / 2 * group.room) * kPairBytes;
        return numbers + pair + (vector - group.first) * kPartBytes + block % 2 * kColumns;
    }
    Sums *sum(Group group, int64_t vector, int64_t block) const {
        return sums + group.first * blocks() + block * group.room + (vector - group.first);
    }
    float *step(Group group, int64_t vector, int64_t segment) const {
        return steps + group.first * segments() + segment * group.room + (vector - group.first);
    }
    // Where vectors stand for which those from `vector` on have no room.
    Vectors from(int64_t vector) const {
        return {numbers + vector * pairs() * kPairBytes, sums + vector * blocks(),
                steps + vector * segments(), count, columns};
    }
};
constexpr int64_t kMostGroup = 16;
constexpr int64_t padded(int64_t count) { return (count + kMostGroup - 1) / kMostGroup * kMostGroup; }
// Bytes that a panel's weights take in two bytes each.
constexpr int64_t panel_room(int64_t columns) { return (columns + 63) / 64 * 64 * 2 * kRows; }
