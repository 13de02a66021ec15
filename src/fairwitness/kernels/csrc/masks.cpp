// Narrows a mask, a byte a row, by what a column says of each row; kernels/masks.py has the twins.
// Each returns how many rows are left.

#include <algorithm>

#include "kernel.h"

namespace {

constexpr int64_t kBlock = 4096;

FW_CLONES
int64_t narrow_bits(const uint16_t *__restrict column, int64_t count, uint16_t bits, uint16_t want,
                    uint8_t *__restrict mask) {
    int64_t left = 0;
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t end = std::min(first + kBlock, count);
        uint16_t here = 0;
        for (int64_t row = first; row < end; row++) {
            const uint8_t kept = mask[row] & ((column[row] & bits) == want);
            mask[row] = kept;
            here += kept;
        }
        left += here;
    }
    return left;
}

FW_CLONES
int64_t narrow_among(const uint16_t *__restrict column, int64_t count,
                     const uint16_t *__restrict values, int64_t number, uint8_t negated,
                     uint8_t *__restrict mask) {
    int64_t left = 0;
    uint8_t found[kBlock];
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t rows = std::min(kBlock, count - first);
        std::fill_n(found, rows, negated);
        for (int64_t i = 0; i < number; i++) {
            const uint16_t value = values[i];
            for (int64_t row = 0; row < rows; row++) found[row] ^= column[first + row] == value;
        }
        uint16_t here = 0;
        for (int64_t row = 0; row < rows; row++) {
            const uint8_t kept = mask[first + row] & found[row];
            mask[first + row] = kept;
            here += kept;
        }
        left += here;
    }
    return left;
}

FW_CLONES
int64_t narrow_from(const int64_t *__restrict column, int64_t count, int64_t least,
                    uint8_t negated, uint8_t *__restrict mask) {
    int64_t left = 0;
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t end = std::min(first + kBlock, count);
        uint16_t here = 0;
        for (int64_t row = first; row < end; row++) {
            const uint8_t kept = mask[row] & ((column[row] >= least) ^ negated);
            mask[row] = kept;
            here += kept;
        }
        left += here;
    }
    return left;
}

}  // namespace

// Keeps rows of whose number these `bits` are as in `want`.
FW_EXPORT int64_t fw_mask_bits(const uint16_t *column, int64_t count, int64_t bits, int64_t want,
                               uint8_t *mask) {
    return narrow_bits(column, count, static_cast<uint16_t>(bits), static_cast<uint16_t>(want),
                       mask);
}

// Keeps rows whose number is one of `values`, all of them different; or, negated, none of them.
FW_EXPORT int64_t fw_mask_among(const uint16_t *column, int64_t count, const uint16_t *values,
                                int64_t number, int64_t negated, uint8_t *mask) {
    return narrow_among(column, count, values, number, static_cast<uint8_t>(negated), mask);
}

// Keeps rows whose number is `least` or more; or, negated, less.
FW_EXPORT int64_t fw_mask_from(const int64_t *column, int64_t count, int64_t least, int64_t negated,
                               uint8_t *mask) {
    return narrow_from(column, count, least, static_cast<uint8_t>(negated), mask);
}
