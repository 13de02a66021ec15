// The words of texts: folded, joined by spaces, and a hash of each.
// kernels/words.py says what a word is, makes the tables, and has a plain twin.

#include "kernel.h"
#include "utf8.h"
#include "xxh64.h"

namespace {

enum Kind : uint8_t { NOTHING, WORD, UNSPACED, EMOJI, FLAG };

constexpr ptrdiff_t TOO_LONG_BYTES = 96;
constexpr uint32_t JOINER = 0x200D, TEXT_STYLE = 0xFE0E, EMOJI_STYLE = 0xFE0F;
constexpr uint32_t FIRST_TONE = 0x1F3FB, LAST_TONE = 0x1F3FF;
constexpr uint32_t SEVERAL = 0x80000000;

struct Tables {
    const uint8_t *kinds;    // of each code point
    const uint32_t *folds;   // what it becomes, or SEVERAL and where that is in `several`
    const uint8_t *several;  // a number of bytes, then the bytes
};

uint8_t *write_folded(uint8_t *out, uint32_t point, const Tables &tables) {
    uint32_t folded = tables.folds[point];
    if (!(folded & SEVERAL)) return write_point(out, folded);
    const uint8_t *from = tables.several + (folded & ~SEVERAL);
    for (uint8_t left = *from++; left > 0; left--) *out++ = *from++;
    return out;
}

// Writes letters for as long as they last; behind a sign dots, dashes and unspaced ones go along.
uint8_t *write_run(uint8_t *out, const uint8_t *&at, const uint8_t *end, bool signed_,
                   const Tables &tables) {
    while (at < end) {
        const uint8_t *next = at;
        uint32_t point = read_point(next);
        uint8_t kind = tables.kinds[point];
        if (kind != WORD) {
            bool goes_along = signed_ && (kind == UNSPACED || point == '.' || point == '-');
            if (!goes_along) break;
        }
        out = write_folded(out, point, tables);
        at = next;
    }
    return out;
}

// Goes past what only says how the emoji before it is drawn.
void skip_style(const uint8_t *&at, const uint8_t *end) {
    while (at < end) {
        const uint8_t *next = at;
        uint32_t point = read_point(next);
        bool is_style = point == TEXT_STYLE || point == EMOJI_STYLE ||
                        (point >= FIRST_TONE && point <= LAST_TONE);
        if (!is_style) return;
        at = next;
    }
}

// Writes an emoji of which the first code point is written, and those that are joined to it.
uint8_t *write_emoji(uint8_t *out, const uint8_t *&at, const uint8_t *end, const Tables &tables) {
    skip_style(at, end);
    while (at < end) {
        const uint8_t *next = at;
        if (read_point(next) != JOINER || next == end) break;
        uint32_t joined = read_point(next);
        if (tables.kinds[joined] != EMOJI) break;
        out = write_point(write_point(out, JOINER), joined);
        at = next;
        skip_style(at, end);
    }
    return out;
}

bool begins_signed(uint32_t point, const uint8_t *at, const uint8_t *end, const Tables &tables) {
    if (at == end || (point != '#' && point != '@' && point != '$')) return false;
    uint8_t kind = tables.kinds[read_point(at)];
    return kind == WORD || kind == UNSPACED;
}

// Writes the token that begins at `at`, if one does, and moves `at` behind it or past one letter.
uint8_t *write_token(uint8_t *out, const uint8_t *&at, const uint8_t *end, bool signs,
                     const Tables &tables) {
    uint32_t point = read_point(at);
    switch (tables.kinds[point]) {
        case WORD:
            return write_run(write_folded(out, point, tables), at, end, false, tables);
        case UNSPACED:
            return write_folded(out, point, tables);
        case EMOJI:
            return write_emoji(write_point(out, point), at, end, tables);
        case FLAG: {
            out = write_point(out, point);
            const uint8_t *next = at;
            if (at == end || tables.kinds[point = read_point(next)] != FLAG) return out;
            at = next;
            return write_point(out, point);
        }
    }
    if (!signs || !begins_signed(point, at, end, tables)) return out;
    *out++ = point;
    return write_run(out, at, end, true, tables);
}

}  // namespace

// texts: `count` of them in `blob`, each up to its end. Writes their tokens, two bytes at most for
// one, and where those of each text end; a hash of each token, and where those of each text end.
FW_EXPORT void fw_words(const uint8_t *blob, const int64_t *ends, int64_t count, int64_t signs,
                        const uint8_t *kinds, const uint32_t *folds, const uint8_t *several,
                        uint8_t *joined, int64_t *joined_ends, uint64_t *hashes,
                        int64_t *hashes_ends) {
    const Tables tables = {kinds, folds, several};
    const uint8_t *at = blob;
    uint8_t *out = joined;
    uint64_t *hash = hashes;
    for (int64_t i = 0; i < count; i++) {
        const uint8_t *end = blob + ends[i];
        uint8_t *first = out;
        while (at < end) {
            uint8_t *token_end = write_token(out, at, end, signs, tables);
            if (token_end == out || token_end - out >= TOO_LONG_BYTES) continue;
            *hash++ = xxh64(out, token_end - out);
            *token_end++ = ' ';
            out = token_end;
        }
        if (out > first) out--;
        joined_ends[i] = out - joined;
        hashes_ends[i] = hash - hashes;
    }
}
