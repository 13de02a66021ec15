// Reads JSON (RFC 8259) that somebody else wrote, once from left to right, and throws `Doubt` at
// whatever is not plainly right: who asked then leaves it to a reader that can say what is wrong.
#pragma once

#include <cstring>
#include <vector>

#include "msgpack.h"
#include "utf8.h"

namespace json {

using msgpack::Piece;

struct Doubt {};

constexpr int DEEPEST = 32;

inline bool is(Piece piece, Piece name) {
    return piece.size == name.size && std::equal(name.at, name.at + name.size, piece.at);
}

class Reader {
  public:
    Reader(const uint8_t *at, const uint8_t *end) : at_(at), end_(end) {
        spelt_.reserve(end - at);  // what is spelt out is shorter than what was escaped
    }

    // Reads an object; `each` is given a name, and has to read its value.
    template <typename Each>
    void members(Each each) {
        expect('{');
        if (found('}')) return;
        do {
            space();
            const Piece name = text();
            expect(':');
            each(name);
        } while (found(','));
        expect('}');
    }

    template <typename Each>
    void items(Each each) {
        expect('[');
        if (found(']')) return;
        do each();
        while (found(','));
        expect(']');
    }

    // Returns a string in UTF-8, which stays where it is for as long as this reader.
    Piece text() {
        expect('"');
        const uint8_t *start = at_;
        uint8_t any = 0;
        while (at_ < end_ && *at_ != '"' && *at_ != '\\' && *at_ >= ' ') any |= *at_++;
        if (at_ == end_ || *at_ < ' ') throw Doubt{};
        if (*at_ == '\\') return escaped(start);
        const Piece piece = {start, static_cast<size_t>(at_++ - start)};
        if (any & 0x80) check(piece);
        return piece;
    }

    // Returns a count, which is none of a sign, a fraction or as many digits as no double holds.
    int64_t count() {
        space();
        const uint8_t *start = at_;
        int64_t number = 0;
        while (at_ < end_ && *at_ >= '0' && *at_ <= '9' && at_ - start < 16)
            number = 10 * number + (*at_++ - '0');
        const size_t digits = at_ - start;
        const bool ends = at_ < end_ && (*at_ == ',' || *at_ == '}' || *at_ == ' ');
        if (digits == 0 || digits > 15 || !ends || (*start == '0' && digits > 1)) throw Doubt{};
        return number;
    }

    // Goes past a value, whatever it is.
    void skip(int depth = 0) {
        if (depth == DEEPEST) throw Doubt{};
        space();
        switch (at_ < end_ ? *at_ : 0) {
            case '{': return members([&](Piece) { skip(depth + 1); });
            case '[': return items([&] { skip(depth + 1); });
            case '"': text(); return;
            case 't': return word(msgpack::named("true"));
            case 'f': return word(msgpack::named("false"));
            case 'n': return word(msgpack::named("null"));
            default: skip_number();
        }
    }

    void end() {
        space();
        if (at_ != end_) throw Doubt{};
    }

  private:
    const uint8_t *at_, *end_;
    std::vector<uint8_t> spelt_;

    void space() {
        while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) at_++;
    }

    bool found(uint8_t sign) {
        space();
        if (at_ == end_ || *at_ != sign) return false;
        at_++;
        return true;
    }

    void expect(uint8_t sign) {
        if (!found(sign)) throw Doubt{};
    }

    void word(Piece word) {
        if (static_cast<size_t>(end_ - at_) < word.size || std::memcmp(at_, word.at, word.size))
            throw Doubt{};
        at_ += word.size;
    }

    size_t digits() {
        const uint8_t *start = at_;
        while (at_ < end_ && *at_ >= '0' && *at_ <= '9') at_++;
        return at_ - start;
    }

    void skip_number() {
        if (at_ < end_ && *at_ == '-') at_++;
        const uint8_t *start = at_;
        const size_t whole = digits();
        if (whole == 0 || whole > 15 || (*start == '0' && whole > 1)) throw Doubt{};
        if (at_ < end_ && *at_ == '.') {
            at_++;
            const size_t parts = digits();
            if (parts == 0 || parts > 300) throw Doubt{};
        }
        if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) throw Doubt{};
    }

    Piece escaped(const uint8_t *start) {
        const size_t first = spelt_.size();
        put(start, at_);
        while (true) {
            start = at_;
            while (at_ < end_ && *at_ != '"' && *at_ != '\\' && *at_ >= ' ') at_++;
            if (at_ == end_ || *at_ < ' ') throw Doubt{};
            put(start, at_);
            if (*at_++ == '"') break;
            spell();
        }
        const Piece piece = {spelt_.data() + first, spelt_.size() - first};
        check(piece);
        return piece;
    }

    void put(const uint8_t *start, const uint8_t *end) { spelt_.insert(spelt_.end(), start, end); }

    // Reads what is behind a backslash.
    void spell() {
        static const char signs[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
        const uint8_t sign = at_ < end_ ? *at_++ : 0;
        if (sign == 'u') return spell_point();
        const char *found = sign ? std::strchr(signs, sign) : nullptr;
        if (!found) throw Doubt{};
        spelt_.push_back(meant[found - signs]);
    }

    void spell_point() {
        uint32_t point = four();
        if (point >= 0xDC00 && point < 0xE000) throw Doubt{};
        if (point >= 0xD800 && point < 0xDC00) {
            if (end_ - at_ < 2 || at_[0] != '\\' || at_[1] != 'u') throw Doubt{};
            at_ += 2;
            const uint32_t low = four();
            if (low < 0xDC00 || low > 0xDFFF) throw Doubt{};
            point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        }
        uint8_t bytes[4];
        put(bytes, write_point(bytes, point));
    }

    uint32_t four() {
        if (end_ - at_ < 4) throw Doubt{};
        uint32_t point = 0;
        for (int i = 0; i < 4; i++) {
            const uint8_t digit = *at_++, low = digit | 0x20;
            if (digit >= '0' && digit <= '9') point = point << 4 | (digit - '0');
            else if (low >= 'a' && low <= 'f') point = point << 4 | (low - 'a' + 10);
            else throw Doubt{};
        }
        return point;
    }

    static void check(Piece piece) {
        if (!is_utf8(piece.at, piece.at + piece.size)) throw Doubt{};
    }
};

}  // namespace json
