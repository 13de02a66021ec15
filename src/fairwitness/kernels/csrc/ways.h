// A table of fixed size in which a key is found in four places; `ways.py` is the reference.
//
// The key that was met last is first in its bucket, so the one that is forgotten for a new key is
// the one that was silent longest.

#pragma once

#include <cstdint>
#include <cstring>

namespace ways {

constexpr int WAYS = 4;
constexpr int64_t AHEAD = 12;  // keys whose buckets are asked for before they are needed

template <class Slot>
Slot *bucket_of(Slot *slots, int64_t buckets, uint64_t key) {
    return slots + (key * 0x9E3779B97F4A7C15 >> 32 & (buckets - 1)) * WAYS;
}

template <class Slot>
void ask_ahead(Slot *slots, int64_t buckets, const uint64_t *keys, int64_t at, int64_t count) {
    if (at + AHEAD >= count) return;
    const Slot *next = bucket_of(slots, buckets, keys[at + AHEAD]);
    __builtin_prefetch(next, 1);
    __builtin_prefetch(next + WAYS - 1, 1);
}

// Moves the slot of a key to the front of its bucket, `unheard` when there is none.
template <class Slot>
Slot &met(Slot *slots, int64_t buckets, const Slot &unheard) {
    Slot *bucket = bucket_of(slots, buckets, unheard.key);
    int way = 0;
    while (way < WAYS - 1 && bucket[way].key != unheard.key) way++;
    const Slot slot = bucket[way].key == unheard.key ? bucket[way] : unheard;
    std::memmove(bucket + 1, bucket, way * sizeof slot);
    bucket[0] = slot;
    return bucket[0];
}

}  // namespace ways
