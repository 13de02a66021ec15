// How quantised matrices and the vectors that they meet lie in memory.
//
// A matrix is cut into panels of 16 rows, a panel into tiles of 32 columns: one block of a GGUF
// file from each of 16 rows, or an eighth of one. The whole numbers of a tile are turned so that four of each row stand
// together, 64 bytes for 16 rows: one wide multiply-add takes four columns of sixteen rows, and the
// vector's four numbers are broadcast to it. What a panel's numbers are worth stands behind them.
//
// There are two ways to say that. Most kinds keep scales of blocks as the file has them: scaled tiles.
// Blocks of 32 numbers of four bits become whole weights. A row has one unit for each segment of
// ten tiles, a power of two, and in it each weight is a whole number of 16 bits, `factor * (number - 8)
// + middle`. A scale in half precision has 11 bits, so it becomes such a factor as it is, unless the
// row has another more than twice as large there; then what is rounded is 2^-16 of the largest weight.
// So the products of a segment are sums of whole numbers, in whatever order a machine is best at, and
// floats come in once a segment.
#pragma once

#include <cstddef>
#include <cstdint>

constexpr int64_t kRows = 16;     // of a panel
constexpr int64_t kColumns = 32;  // of a tile, and of a block of a vector
constexpr int64_t kSegment = 10;  // tiles
constexpr int64_t segments_of(int64_t tiles) { return (tiles + kSegment - 1) / kSegment; }

// As GGUF numbers them (enum ggml_type in ggml.h).
enum Kind : int32_t { kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14 };

// Which of the two ways.
constexpr bool is_whole(int32_t kind) { return kind == kQ4_0 || kind == kQ4_1; }

// Blocks of 256 numbers are eight tiles. They have one scale in half precision (and one of what is
// subtracted), and for each tile two whole numbers that it is multiplied by: for the numbers and for
// what is subtracted, in Q6_K for the first and the last sixteen columns. Behind each other stand
// [half][row], then [tile][small][row].
constexpr bool is_large(int32_t kind) { return kind >= kQ4_K; }
constexpr int64_t block_tiles(int32_t kind) { return is_large(kind) ? 8 : 1; }
constexpr bool has_bytes(int32_t kind) { return kind == kQ8_0 || kind == kQ5_K || kind == kQ6_K; }
constexpr bool has_least(int32_t kind) {
    return kind == kQ4_1 || kind == kQ4_K || kind == kQ5_K;
}
constexpr int64_t block_halves(int32_t kind) { return has_least(kind) ? 2 : 1; }

// Whole weights have as many bytes for factors as the file has for scales: for each row of a tile the
// factor, and behind it the middle if the kind has one.
constexpr int64_t tile_numbers(int32_t kind) { return kRows * kColumns / (has_bytes(kind) ? 1 : 2); }
constexpr int64_t tile_scales(int32_t kind) {
    return kRows * 2 * block_halves(kind) / block_tiles(kind) + (is_large(kind) ? 2 * kRows : 0);
}

// Units stand behind all that, [segment][row], as the exponent of a float that is 256 times as large.
constexpr int64_t unit_bytes(int32_t kind, int64_t blocks) {
    return is_whole(kind) ? segments_of(blocks) * kRows : 0;
}
// The weights of a row are at most so large; four more fit, as rounding may make them.
constexpr int32_t kLargestWeight = 32760;

constexpr int64_t panel_bytes(int32_t kind, int64_t blocks) {
    const int64_t tiles = blocks * (tile_numbers(kind) + tile_scales(kind));
    return (tiles + unit_bytes(kind, blocks) + 63) / 64 * 64;
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

// A vector is kept in one way, whatever it meets: a segment of it is step * (256 * high + low), whole
// numbers of 16 bits in two parts from -127 to 127, which byte instructions take. Two blocks stand together, 64 high parts and 64
// low ones, as many as a row of AMX holds; there may be zeros at the end.
//
// These are the sums of a block: of its numbers, of the first sixteen, and of all times the step;
// of its parts times -8, and in both halves of a word.
struct BlockSums {
    int32_t all, first;
    float total;
    int32_t high_less, low_less;
    int16_t high_twice[2], low_twice[2];
};
constexpr int64_t kPartBytes = 2 * kColumns;
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
    BlockSums *sums;
    float *steps;
    int64_t count, columns;
    bool meets_scaled;  // tiles, not only whole weights

    int64_t blocks() const { return columns / kColumns; }
    int64_t pairs() const { return (blocks() + 1) / 2; }
    int64_t segments() const { return segments_of(blocks()); }

    // The high parts of a block of one of them; its low ones are kPartBytes * group.room behind.
    int8_t *number(Group group, int64_t vector, int64_t block) const {
        const int64_t pair = (group.first * pairs() + block / 2 * group.room) * kPairBytes;
        return numbers + pair + (vector - group.first) * kPartBytes + block % 2 * kColumns;
    }
    BlockSums *sum(Group group, int64_t vector, int64_t block) const {
        return sums + group.first * blocks() + block * group.room + (vector - group.first);
    }
    float *step(Group group, int64_t vector, int64_t segment) const {
        return steps + group.first * segments() + segment * group.room + (vector - group.first);
    }
    // Where vectors stand for which those from `vector` on have no room.
    Vectors from(int64_t vector) const {
        Vectors out = *this;
        out.numbers += vector * pairs() * kPairBytes;
        out.sums += vector * blocks();
        out.steps += vector * segments();
        return out;
    }
};
constexpr int64_t kMostGroup = 16;
constexpr int64_t padded(int64_t count) { return (count + kMostGroup - 1) / kMostGroup * kMostGroup; }
