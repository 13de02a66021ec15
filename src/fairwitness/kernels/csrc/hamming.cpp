// The codes of 256 bits that differ from a query in the fewest bits.

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernel.h"

// One instruction counts the bits of a word, or of eight on machines of the last years.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define FW_COUNTING __attribute__((target_clones("arch=icelake-server", "popcnt", "default")))
#else
#define FW_COUNTING
#endif

namespace {

constexpr int kWords = 4, kBits = 256;
constexpr int64_t kBlock = 256;

struct Near {
    int32_t distance;
    int64_t row;
};

bool nearer(const Near &a, const Near &b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
}

// Returns the least of the distances too.
FW_COUNTING
int32_t distances(const uint64_t *codes, int64_t count, const uint64_t *query, int32_t *out) {
    const uint64_t q0 = query[0], q1 = query[1], q2 = query[2], q3 = query[3];
    int32_t least = kBits;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t *code = codes + kWords * i;
        out[i] = static_cast<int32_t>(
            __builtin_popcountll(code[0] ^ q0) + __builtin_popcountll(code[1] ^ q1) +
            __builtin_popcountll(code[2] ^ q2) + __builtin_popcountll(code[3] ^ q3));
        least = std::min(least, out[i]);
    }
    return least;
}

bool blank(const uint64_t *code) { return !(code[0] | code[1] | code[2] | code[3]); }

// Keeps the k nearest of what it is offered; `limit` is what a new one must stay below.
class Nearest {
  public:
    Nearest(int64_t k, int32_t limit) : k_(k), limit_(limit) {}

    int32_t limit() const { return limit_; }

    void offer(Near one) {
        kept_.push_back(one);
        if (static_cast<int64_t>(kept_.size()) < 2 * k_ + 64) return;
        shrink();
    }

    void shrink() {
        if (static_cast<int64_t>(kept_.size()) < k_) return;
        std::nth_element(kept_.begin(), kept_.begin() + (k_ - 1), kept_.end(), nearer);
        kept_.resize(k_);
        limit_ = kept_[k_ - 1].distance;
    }

    // Writes what was kept, nearest first, and returns how many.
    int64_t write(int64_t *rows, int32_t *distances) {
        shrink();
        std::sort(kept_.begin(), kept_.end(), nearer);
        for (size_t i = 0; i < kept_.size(); i++) {
            rows[i] = kept_[i].row;
            distances[i] = kept_[i].distance;
        }
        return static_cast<int64_t>(kept_.size());
    }

  private:
    int64_t k_;
    // Equal distances are let through: the row decides between them, wherever it lies.
    int32_t limit_;
    std::vector<Near> kept_;
};

}  // namespace

// Looks through stretches [begins[i], ends[i]) of `codes`, 32 bytes each. A place in stretch i is
// row bases[i] + rows[place], or the place itself where `rows` is null; `allowed` has a byte a row,
// null when all are.
// Blank codes are nobody's. Writes at most k rows that differ in no more than `limit` bits, nearest
// first, of equals the lowest; how many.
FW_EXPORT int64_t fw_hamming_nearest(const uint8_t *codes, const int64_t *begins,
                                     const int64_t *ends, const int64_t *bases, int64_t stretches,
                                     const uint16_t *rows, const uint8_t *allowed, const uint8_t *query, int64_t k,
                                     int64_t limit, int64_t *rows_out, int32_t *distances_out) {
    uint64_t asked[kWords];
    std::memcpy(asked, query, sizeof asked);
    const auto *words = reinterpret_cast<const uint64_t *>(codes);
    Nearest nearest(k, static_cast<int32_t>(limit));
    int32_t found[kBlock];
    for (int64_t i = 0; i < stretches; i++) {
        for (int64_t first = begins[i]; first < ends[i]; first += kBlock) {
            const int64_t count = std::min(kBlock, ends[i] - first);
            if (distances(words + kWords * first, count, asked, found) > nearest.limit()) continue;
            for (int64_t j = 0; j < count; j++) {
                if (found[j] > nearest.limit()) continue;
                const int64_t row = rows ? bases[i] + rows[first + j] : first + j;
                if (allowed && !allowed[row]) continue;
                if (!blank(words + kWords * (first + j))) nearest.offer({found[j], row});
            }
        }
    }
    return nearest.write(rows_out, distances_out);
}

// Looks through the codes of the first `count` rows that are in a list which is wanted: `lists`
// says which one each is in, `wanted` has a byte a list. The rest is as above.
FW_EXPORT int64_t fw_hamming_nearest_listed(const uint8_t *codes, const uint16_t *lists,
                                            int64_t count, const uint8_t *wanted,
                                            const uint8_t *allowed, const uint8_t *query,
                                            int64_t k, int64_t limit, int64_t *rows_out,
                                            int32_t *distances_out) {
    uint64_t asked[kWords];
    std::memcpy(asked, query, sizeof asked);
    const auto *words = reinterpret_cast<const uint64_t *>(codes);
    Nearest nearest(k, static_cast<int32_t>(limit));
    int64_t rows[kBlock];
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t end = std::min(first + kBlock, count);
        int64_t found = 0;
        // Not by a branch, for nobody could guess it.
        for (int64_t row = first; row < end; row++) {
            rows[found] = row;
            found += wanted[lists[row]];
        }
        for (int64_t i = 0; i < found; i++) {
            int32_t distance;
            distances(words + kWords * rows[i], 1, asked, &distance);
            if (distance > nearest.limit() || (allowed && !allowed[rows[i]])) continue;
            if (!blank(words + kWords * rows[i])) nearest.offer({distance, rows[i]});
        }
    }
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
