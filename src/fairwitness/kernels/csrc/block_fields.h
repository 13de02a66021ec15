// What stands in a block of posts: the fields of a post, and how their numbers and marks are spelt.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "msgpack.h"

using namespace msgpack;

enum Name { ID, NETWORK, AUTHOR, AUTHOR_ID, TEXT, CREATED_MS, SEEN_MS, URL, LANG, CONFIDENCE,
            REPLY_TO, REPOST_OF, THREAD, LINKS, HASHTAGS, MENTIONS, ENGAGEMENT, CUTS, NAMES };

inline const Piece NAMED[NAMES] = {
    named("id"),         named("network"),   named("author"),   named("author_id"),
    named("text"),       named("created_ms"), named("seen_ms"), named("url"),
    named("lang"),       named("lang_confidence"), named("reply_to"), named("repost_of"),
    named("thread"),     named("links"),     named("hashtags"), named("mentions"),
    named("engagement"), named("cuts")};

// What stands in a string for another one of the same post: bytes that UTF-8 never has.
enum Mark : uint8_t { HANDLE = 0xFB, ID_TAIL, WHOLE_ID, ACCOUNT, NUMBER };
constexpr size_t MARKED_BYTES = 3, DIGITS_MAX = 19;
constexpr uint8_t NEVER = 0xC1;  // no value of MessagePack begins with it

using Bytes = std::vector<uint8_t>;

struct Damage {};

inline bool is_value(int name) { return name == CONFIDENCE || name >= LINKS; }
inline bool is_moment(int name) { return name == CREATED_MS || name == SEEN_MS; }
inline bool points(int name) { return name == URL || (name >= REPLY_TO && name <= THREAD); }

inline uint64_t zigzag(uint64_t number) { return number << 1 ^ (number >> 63 ? ~uint64_t{0} : 0); }
inline uint64_t unzigzag(uint64_t number) { return number >> 1 ^ (number & 1 ? ~uint64_t{0} : 0); }

inline void put(Bytes &bytes, Piece piece) { bytes.insert(bytes.end(), piece.at, piece.at + piece.size); }

inline void put_varint(Bytes &bytes, uint64_t number) {
    for (; number >= 128; number >>= 7) bytes.push_back(number | 128);
    bytes.push_back(number);
}

inline Piece tail_of(Piece id) {
    size_t begin = id.size;
    while (begin > 0 && id.at[begin - 1] != ':' && id.at[begin - 1] != '/') begin--;
    return {id.at + begin, id.size - begin};
}

// Returns how many digits at the end of an id are a number that is written as numbers are.
inline size_t digits_of(Piece id) {
    size_t digits = 0;
    while (digits < std::min(DIGITS_MAX, id.size) && id.at[id.size - 1 - digits] >= '0' &&
           id.at[id.size - 1 - digits] <= '9')
        digits++;
    while (digits > 0 && id.at[id.size - digits] == '0') digits--;
    return digits;
}
