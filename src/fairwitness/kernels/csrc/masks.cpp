// Makes or narrows a mask, a byte a row, by what a column says of each row; kernels/masks.py has the
// twins. What narrows returns how many rows are left.

#include <algorithm>

#include "kernel.h"

namespace {

constexpr int64_t kBlock = 4096;

// Not a function of its own: each of its callers is compiled for several machines.
template <typename Number>
__attribute__((always_inline)) inline int64_t among(const Number *__restrict column, int64_t count,
                                                    const Number *__restrict values,
                                                    int64_t number, uint8_t negated,
                                                    uint8_t *__restrict mask) {
    int64_t left = 0;
    uint8_t found[kBlock];
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t rows = std::min(kBlock, count - first);
        std::fill_n(found, rows, negated);
        for (int64_t i = 0; i < number; i++) {
            const Number value = values[i];
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
int64_t among_narrow(const uint8_t *column, int64_t count, const uint8_t *values, int64_t number,
                     uint8_t negated, uint8_t *mask) {
    return among(column, count, values, number, negated, mask);
}

FW_CLONES
int64_t among_wide(const uint16_t *column, int64_t count, const uint16_t *values, int64_t number,
                   uint8_t negated, uint8_t *mask) {
    return among(column, count, values, number, negated, mask);
}

FW_CLONES
int64_t unmarked(const uint16_t *__restrict column, int64_t count, uint16_t bits, uint16_t other,
                 uint8_t *__restrict mask) {
    int64_t others = 0;
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t end = std::min(first + kBlock, count);
        uint16_t here = 0;
        for (int64_t row = first; row < end; row++) {
            const uint16_t marked = column[row] & bits;
            mask[row] = marked == 0;
            here += marked == other;
        }
        others += here;
    }
    return others;
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

// Writes which rows have a number without any of these `bits`, and returns how many there are that
// have exactly those in `other` of them.
FW_EXPORT int64_t fw_mask_unmarked(const uint16_t *column, int64_t count, int64_t bits,
                                   int64_t other, uint8_t *mask) {
    return unmarked(column, count, static_cast<uint16_t>(bits), static_cast<uint16_t>(other), mask);
}

// Keeps rows whose number, of 8 or 16 bits, is one of `values`, all of them different; or, negated,
// none of them.
FW_EXPORT int64_t fw_mask_among(const void *column, int64_t bytes, int64_t count,
                                const void *values, int64_t number, int64_t negated,
                                uint8_t *mask) {
    if (bytes == 1)
        return among_narrow(static_cast<const uint8_t *>(column), count,
                            static_cast<const uint8_t *>(values), number,
                            static_cast<uint8_t>(negated), mask);
    return among_wide(static_cast<const uint16_t *>(column), count,
                      static_cast<const uint16_t *>(values), number,
                      static_cast<uint8_t>(negated), mask);
}

// Keeps rows whose number is `least` or more; or, negated, less.
FW_EXPORT int64_t fw_mask_from(const int64_t *column, int64_t count, int64_t least, int64_t negated,
                               uint8_t *mask) {
    return narrow_from(column, count, least, static_cast<uint8_t>(negated), mask);
}
