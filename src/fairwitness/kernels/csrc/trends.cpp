// Who says what for the first time, counted in two rows of slots.
// kernels/trends.py says what the arrays are and has a plain twin.

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "kernel.h"

namespace {

uint64_t mix(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    return x ^ x >> 32;
}

constexpr uint64_t SPREAD = 0x9e3779b97f4a7c15ULL;

// What one item touches; all of it is fetched from memory a post before it is needed.
struct Touched {
    uint64_t item, bit, copy_bit, all, own;
};

class Counter {
  public:
    Counter(uint64_t *pairs, int64_t pairs_log2, uint32_t *counts, int64_t slots_log2,
            int64_t kept_most)
        : pairs_(pairs), shift_(static_cast<int>(64 - pairs_log2)), mask_((1ULL << slots_log2) - 1),
          rows_{counts, counts + mask_ + 1}, kept_most_(kept_most) {}

    Touched touch(uint64_t item, uint64_t voice, uint64_t copy, uint64_t scope) const {
        const Touched t{item, mix(item + voice * SPREAD) >> shift_,
                        mix(item + copy * SPREAD) >> shift_, mix(item), mix(item + scope * SPREAD)};
        __builtin_prefetch(pairs_ + (t.bit >> 6) * 2, 1);
        if (copy) __builtin_prefetch(pairs_ + (t.copy_bit >> 6) * 2, 1);
        for (const uint64_t key : {t.all, t.own}) {
            __builtin_prefetch(rows_[0] + (key & mask_), 1);
            __builtin_prefetch(rows_[1] + (key >> 32 & mask_), 1);
        }
        return t;
    }

    // Says whether nobody set this bit yet, now or before, and sets it.
    bool fresh(uint64_t bit) {
        uint64_t *words = pairs_ + (bit >> 6) * 2;
        const uint64_t mask = 1ULL << (bit & 63);
        const bool here = words[0] & mask, there = words[1] & mask;
        words[0] |= mask;
        added += !here;
        return !here && !there;
    }

    // Counts a key, and says whether one of its slots was still low.
    bool count(uint64_t key) {
        const bool low = rows_[0][key & mask_]++ < kept_most_;
        return (rows_[1][key >> 32 & mask_]++ < kept_most_) | low;
    }

    int64_t added = 0;

  private:
    uint64_t *pairs_;
    int shift_;
    uint64_t mask_;
    uint32_t *rows_[2];
    int64_t kept_most_;
};

}  // namespace

FW_EXPORT int64_t fw_tally(const uint64_t *items, const int64_t *starts, int64_t posts,
                           const uint64_t *voices, const uint64_t *copies, const uint16_t *scopes,
                           uint64_t *pairs, int64_t pairs_log2, uint32_t *counts,
                           int64_t slots_log2, int64_t kept_most, uint64_t *kept_items,
                           uint32_t *kept_posts, int64_t *added) {
    Counter counter(pairs, pairs_log2, counts, slots_log2, kept_most);
    std::vector<Touched> now, next;
    int64_t kept = 0;
    for (int64_t ahead = 0; ahead <= posts; ahead++) {
        next.clear();
        if (ahead < posts) {
            for (int64_t at = starts[ahead]; at < starts[ahead + 1]; at++) {
                next.push_back(
                    counter.touch(items[at], voices[ahead], copies[ahead], scopes[ahead]));
            }
        }
        const int64_t post = ahead - 1;
        for (const Touched &t : now) {
            bool fresh = counter.fresh(t.bit);
            if (copies[post]) fresh &= counter.fresh(t.copy_bit);
            if (!fresh) continue;
            bool keep = counter.count(t.all);
            if (scopes[post]) keep |= counter.count(t.own);
            if (!keep) continue;
            kept_items[kept] = t.item;
            kept_posts[kept++] = static_cast<uint32_t>(post);
        }
        now.swap(next);
    }
    *added = counter.added;
    return kept;
}

FW_EXPORT int64_t fw_hot(const uint64_t *items, const uint16_t *scopes, int64_t count,
                         const uint8_t *hot, int64_t slots_log2, int64_t *at, uint8_t *own) {
    const uint64_t mask = (1ULL << slots_log2) - 1;
    const uint8_t *rows[2] = {hot, hot + mask + 1};
    const auto is_hot = [&](uint64_t key) { return rows[0][key & mask] & rows[1][key >> 32 & mask]; };
    int64_t found = 0;
    for (int64_t i = 0; i < count; i++) {
        at[found] = i;
        own[found] = 0;
        found += is_hot(mix(items[i]));
        if (!scopes[i]) continue;
        at[found] = i;
        own[found] = 1;
        found += is_hot(mix(items[i] + scopes[i] * SPREAD));
    }
    return found;
}
