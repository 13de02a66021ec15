// How fast each key comes, as leaky buckets in a table of fixed size; `rates.py` is the reference.

#include <algorithm>

#include "kernel.h"
#include "ways.h"

namespace {

struct Slot {
    uint64_t key;
    int64_t last_ms;
    int64_t level_ms;
};

}  // namespace

FW_EXPORT void fw_rates(Slot *slots, int64_t buckets, const uint64_t *keys, const int64_t *seen_ms,
                        int64_t count, int64_t cost_ms, int64_t level_max_ms, uint16_t *posts) {
    for (int64_t at = 0; at < count; at++) {
        ways::ask_ahead(slots, buckets, keys, at, count);
        posts[at] = 0;
        if (keys[at] == 0) continue;
        Slot &slot = ways::met(slots, buckets, Slot{keys[at], seen_ms[at], 0});
        // Clocks may jump either way: then nothing drains, or all of it, and no window is lost.
        const int64_t drained = std::max<int64_t>(seen_ms[at] - slot.last_ms, 0);
        slot.level_ms = std::max<int64_t>(slot.level_ms - drained, 0) + cost_ms;
        slot.level_ms = std::min(slot.level_ms, level_max_ms);
        slot.last_ms = seen_ms[at];
        posts[at] = slot.level_ms / cost_ms;
    }
}
