// How fast each key comes, as leaky buckets in a table of fixed size; `rates.py` is the reference.

#include <algorithm>
#include <cstring>

#include "kernel.h"

namespace {

constexpr int WAYS = 4;

constexpr int64_t AHEAD = 12;  // keys whose buckets are asked for before they are needed

struct Slot {
    uint64_t key;
    int64_t last_ms;
    int64_t level_ms;
};

Slot *bucket_of(Slot *slots, int64_t buckets, uint64_t key) {
    return slots + (key * 0x9E3779B97F4A7C15 >> 32 & (buckets - 1)) * WAYS;
}

}  // namespace

FW_EXPORT void fw_rates(Slot *slots, int64_t buckets, const uint64_t *keys, const int64_t *seen_ms,
                        int64_t count, int64_t cost_ms, int64_t level_max_ms, uint16_t *posts) {
    for (int64_t at = 0; at < count; at++) {
        if (at + AHEAD < count) {
            const Slot *next = bucket_of(slots, buckets, keys[at + AHEAD]);
            __builtin_prefetch(next, 1);
            __builtin_prefetch(next + WAYS - 1, 1);
        }
        posts[at] = 0;
        if (keys[at] == 0) continue;
        Slot *bucket = bucket_of(slots, buckets, keys[at]);
        int way = 0;
        while (way < WAYS - 1 && bucket[way].key != keys[at]) way++;
        Slot slot = bucket[way].key == keys[at] ? bucket[way] : Slot{keys[at], seen_ms[at], 0};
        // Clocks may jump either way: then nothing drains, or all of it, and no window is lost.
        const int64_t drained = std::max<int64_t>(seen_ms[at] - slot.last_ms, 0);
        slot.level_ms = std::max<int64_t>(slot.level_ms - drained, 0) + cost_ms;
        slot.level_ms = std::min(slot.level_ms, level_max_ms);
        slot.last_ms = seen_ms[at];
        std::memmove(bucket + 1, bucket, way * sizeof slot);
        bucket[0] = slot;
        posts[at] = slot.level_ms / cost_ms;
    }
}
