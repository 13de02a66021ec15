// How quantised matrices and the vectors that they meet lie in memory.
//
// A matrix is cut into panels of 16 rows, a panel into tiles of 32 columns: one block of a GGUF
// file from each of 16 rows, or an eighth of one. The whole numbers of a tile are turned so that four of each row stand
// together, 64 bytes for 16 rows: one wide multiply-add takes four columns of sixteen rows, and the
// vector's four numbers are broadcast to it. The scales of a panel stand behind its numbers.
#pragma once

#include <cstddef>
#include <cstdint>

constexpr int64_t kRows = 16;     // of a panel
constexpr int64_t kColumns = 32;  // of a tile, and of a block of a vector

// As GGUF numbers them (enum ggml_type in ggml.h).
enum Kind : int32_t { kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8, kQ4_K = 12, kQ5_K = 13, kQ6_K = 14 };

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

constexpr int64_t tile_numbers(int32_t kind) { return kRows * kColumns / (has_bytes(kind) ? 1 : 2); }
constexpr int64_t tile_scales(int32_t kind) {
    return kRows * 2 * block_halves(kind) / block_tiles(kind) + (is_large(kind) ? 2 * kRows : 0);
}

constexpr int64_t panel_bytes(int32_t kind, int64_t blocks) {
    return (blocks * (tile_numbers(kind) + tile_scales(kind)) + 63) / 64 * 64;
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

// A block of 32 numbers x is step * (128 * high + low), whole numbers of 15 bits in two parts that
// byte instructions take. `sum` is that of the whole numbers, `first` that of the first sixteen, and
// `total` is sum * step.
struct Scale {
    float step, total;
    int32_t sum, first;
};
constexpr int64_t kBlockBytes = 2 * kColumns;  // 32 high parts, 32 low ones

// Vectors go through a matrix in groups as large as the machine takes at once, what is left in groups
// of half the size, and so on. In a group, blocks of the same columns stand together.
struct Group {
    int64_t first, size;
};

template <int64_t kMost>
Group group_of(int64_t vector, int64_t count) {
    const int64_t whole = count / kMost * kMost;
    if (vector < whole) return {vector / kMost * kMost, kMost};
    int64_t first = whole;
    for (int64_t size = kMost / 2;; size /= 2) {
        if (!(count & size)) continue;
        if (vector < first + size) return {first, size};
        first += size;
    }
}

// Room for `count` vectors of `columns` numbers.
struct Vectors {
    int8_t *numbers;
    Scale *scales;
    int64_t count, columns;

    int64_t blocks() const { return columns / kColumns; }
    int64_t place(Group group, int64_t vector, int64_t block) const {
        return group.first * blocks() + block * group.size + (vector - group.first);
    }
};
