// Who says what for the first time, counted in two rows of slots.
// kernels/trends.py says what the arrays are and has a plain twin.

#include "kernel.h"

namespace {

uint64_t mix(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    return x ^ x >> 32;
}

struct Pairs {
    uint64_t *now;
    const uint64_t *before;
    int shift;
    int64_t added;

    // Says whether nobody set this bit yet, and sets it.
    bool fresh(uint64_t item, uint64_t who) {
        const uint64_t bit = mix(item + who * 0x9e3779b97f4a7c15ULL) >> shift;
        const uint64_t mask = 1ULL << (bit & 63);
        const bool here = now[bit >> 6] & mask, there = before[bit >> 6] & mask;
        now[bit >> 6] |= mask;
        added += !here;
        return !here && !there;
    }
};

}  // namespace

FW_EXPORT int64_t fw_tally(const uint64_t *items, const int64_t *starts, int64_t posts,
                           const uint64_t *voices, const uint64_t *copies, const uint16_t *scopes,
                           uint64_t *pairs_now, const uint64_t *pairs_before, int64_t pairs_log2,
                           uint32_t *counts, int64_t slots_log2, int64_t kept_most,
                           uint64_t *kept_items, uint32_t *kept_posts, int64_t *added) {
    Pairs pairs{pairs_now, pairs_before, static_cast<int>(64 - pairs_log2), 0};
    const uint64_t mask = (1ULL << slots_log2) - 1;
    uint32_t *rows[2] = {counts, counts + mask + 1};
    int64_t kept = 0;
    for (int64_t post = 0; post < posts; post++) {
        const uint64_t spread = scopes[post] * 0x9e3779b97f4a7c15ULL;
        for (int64_t at = starts[post]; at < starts[post + 1]; at++) {
            const uint64_t item = items[at];
            bool fresh = pairs.fresh(item, voices[post]);
            if (copies[post]) fresh &= pairs.fresh(item, copies[post]);
            if (!fresh) continue;
            const uint64_t all = mix(item), own = mix(item + spread);
            bool keep = rows[0][all & mask]++ < kept_most;
            keep |= rows[1][all >> 32 & mask]++ < kept_most;
            if (scopes[post]) {
                keep |= rows[0][own & mask]++ < kept_most;
                keep |= rows[1][own >> 32 & mask]++ < kept_most;
            }
            if (!keep) continue;
            kept_items[kept] = item;
            kept_posts[kept++] = static_cast<uint32_t>(post);
        }
    }
    *added = pairs.added;
    return kept;
}
