// The codes of 256 bits that differ from a query in the fewest bits.

#include "kernel.h"
#include "nearest.h"

// Looks through stretches [begins[i], ends[i]) of `codes`, 32 bytes each. The place of one is its row;
// `allowed` has a byte a row, null when all are.
// Blank codes are nobody's. Writes at most k rows that differ in no more than `limit` bits, nearest
// first, of equals the lowest; how many.
FW_EXPORT int64_t fw_hamming_nearest(const uint8_t *codes, const int64_t *begins,
                                     const int64_t *ends, int64_t stretches,
                                     const uint8_t *allowed, const uint8_t *query, int64_t k,
                                     int64_t limit, int64_t *rows_out, int32_t *distances_out) {
    uint64_t asked[kWords];
    std::memcpy(asked, query, sizeof asked);
    const auto *words = reinterpret_cast<const uint64_t *>(codes);
    Nearest nearest(k, static_cast<int32_t>(limit));
    for (int64_t i = 0; i < stretches; i++)
        look_through(words, begins[i], ends[i], asked, allowed, nearest,
                     [](int64_t place) { return place; });
    return nearest.write(rows_out, distances_out);
}

// Writes in how many bits each code of some arrays, one after the other, differs from `query`.
FW_EXPORT void fw_hamming_distances(const uint8_t *const *codes, const int64_t *counts,
                                    int64_t arrays, const uint8_t *query, int32_t *out) {
    uint64_t asked[kWords];
    std::memcpy(asked, query, sizeof asked);
    for (int64_t i = 0; i < arrays; out += counts[i++])
        distances(reinterpret_cast<const uint64_t *>(codes[i]), counts[i], asked, out);
}

// Writes which of `centres` each code is nearest to, of equals the first.
FW_COUNTING
void assign(const uint64_t *codes, int64_t count, const uint64_t *centres, int64_t lists,
            int32_t *out) {
    for (int64_t i = 0; i < count; i++) {
        const uint64_t *code = codes + kWords * i;
        const uint64_t c0 = code[0], c1 = code[1], c2 = code[2], c3 = code[3];
        // Distance above, list below: the least of these is the first of the nearest.
        uint64_t least = UINT64_MAX;
        for (int64_t list = 0; list < lists; list++) {
            const uint64_t *centre = centres + kWords * list;
            const uint64_t distance =
                __builtin_popcountll(centre[0] ^ c0) + __builtin_popcountll(centre[1] ^ c1) +
                __builtin_popcountll(centre[2] ^ c2) + __builtin_popcountll(centre[3] ^ c3);
            const uint64_t told = distance << 32 | static_cast<uint64_t>(list);
            least = told < least ? told : least;
        }
        out[i] = static_cast<int32_t>(least & UINT32_MAX);
    }
}

FW_EXPORT void fw_hamming_assign(const uint8_t *codes, int64_t count, const uint8_t *centres,
                                 int64_t lists, int32_t *out) {
    assign(reinterpret_cast<const uint64_t *>(codes), count,
           reinterpret_cast<const uint64_t *>(centres), lists, out);
}
