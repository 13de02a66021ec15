// What each key was worth before, in a table of fixed size; `means.py` is the reference.

#include "kernel.h"
#include "ways.h"

namespace {

constexpr int64_t ONE = 1 << 16;
constexpr int64_t UNHEARD = 255 * ONE;

struct Slot {
    uint64_t key;
    int64_t mean;
};

}  // namespace

FW_EXPORT void fw_means(Slot *slots, int64_t buckets, const uint64_t *keys, const uint8_t *worth,
                        int64_t count, int64_t window, uint8_t *before) {
    for (int64_t at = 0; at < count; at++) {
        ways::ask_ahead(slots, buckets, keys, at, count);
        Slot &slot = ways::met(slots, buckets, Slot{keys[at], UNHEARD});
        before[at] = slot.mean / ONE;
        slot.mean = (slot.mean * (window - 1) + worth[at] * ONE) / window;
    }
}
