// What each key was worth before, in a table of fixed size; `means.py` is the reference.

#include <cstring>

#include "kernel.h"

namespace {

constexpr int WAYS = 4;
constexpr int64_t ONE = 1 << 16;
constexpr int64_t UNHEARD = 255 * ONE;

constexpr int64_t AHEAD = 12;  // keys whose buckets are asked for before they are needed

struct Slot {
    uint64_t key;
    int64_t mean;
};

Slot *bucket_of(Slot *slots, int64_t buckets, uint64_t key) {
    return slots + (key * 0x9E3779B97F4A7C15 >> 32 & (buckets - 1)) * WAYS;
}

}  // namespace

FW_EXPORT void fw_means(Slot *slots, int64_t buckets, const uint64_t *keys, const uint8_t *worth,
                        int64_t count, int64_t window, uint8_t *before) {
    for (int64_t at = 0; at < count; at++) {
        if (at + AHEAD < count) __builtin_prefetch(bucket_of(slots, buckets, keys[at + AHEAD]), 1);
        Slot *bucket = bucket_of(slots, buckets, keys[at]);
        int way = 0;
        while (way < WAYS - 1 && bucket[way].key != keys[at]) way++;
        Slot slot = bucket[way].key == keys[at] ? bucket[way] : Slot{keys[at], UNHEARD};
        before[at] = slot.mean / ONE;
        slot.mean = (slot.mean * (window - 1) + worth[at] * ONE) / window;
        std::memmove(bucket + 1, bucket, way * sizeof slot);
        bucket[0] = slot;
    }
}
