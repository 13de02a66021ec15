// What a text may hold that cleaning has to look at, one byte of bits for each text.
// kernels/scan.py has the bits, the table and a plain twin.

#include "kernel.h"
#include "utf8.h"

namespace {

// What texts are told to hold; the table's low bits go into the answer as they are.
enum : uint16_t { ODD = 1, UNSURE = 2, AMPERSAND = 4, LESS_THAN = 8, LINK = 16, HASH = 32, AT = 64 };
enum : uint16_t { EDGE = 128 };
// What the table says beside that, and what it takes to matter.
enum : uint16_t { SPACE = 0x100, FOLDED = 0x200, FOLLOWS = 0x400, COMBINES = 0x800, COLON = 0x1000 };
constexpr uint16_t TOLD = 0xFF & ~(LINK | EDGE);

uint8_t look(const uint8_t *at, const uint8_t *end, const uint16_t *table) {
    const uint8_t *start = at;
    uint16_t any = 0, pairs = 0, told = 0, before = 0, now = 0;
    while (at < end) {
        now = table[read_point(at)];
        any |= now;
        // No branches: every fifth character is a space, and nobody can guess which.
        pairs |= now & ((before & FOLDED) * (FOLLOWS / FOLDED) | (before & COMBINES));
        if ((now & COLON) && end - at >= 2 && at[0] == '/' && at[1] == '/') told |= LINK;
        before = now;
    }
    told |= any & TOLD;
    if (pairs & FOLLOWS) told |= ODD;
    if (pairs & COMBINES) told |= UNSURE;
    if ((now & SPACE) || (at > start && (table[read_point(start)] & SPACE))) told |= EDGE;
    return told;
}

}  // namespace

// texts: `count` of them in `blob`, each up to its end; table: POINTS; told: `count`.
FW_EXPORT void fw_scan(const uint8_t *blob, const int64_t *ends, int64_t count,
                       const uint16_t *table, uint8_t *told) {
    int64_t start = 0;
    for (int64_t i = 0; i < count; i++) {
        told[i] = look(blob + start, blob + ends[i], table);
        start = ends[i];
    }
}
