// Reads MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) that our own encoder
// wrote, so nothing is checked; and writes it as that encoder does, each value as short as can be.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace msgpack {

struct Piece {
    const uint8_t *at;
    size_t size;
};

template <size_t SIZE>
Piece named(const char (&name)[SIZE]) {
    return {reinterpret_cast<const uint8_t *>(name), SIZE - 1};
}

class Reader {
  public:
    explicit Reader(const uint8_t *at) : at_(at) {}
    const uint8_t *at() const { return at_; }

    size_t array() {
        const uint8_t kind = *at_++;
        return kind < 0xA0 ? kind & 15 : big(kind == 0xDC ? 2 : 4);
    }

    size_t map() {
        const uint8_t kind = *at_++;
        return kind < 0x90 ? kind & 15 : big(kind == 0xDE ? 2 : 4);
    }

    Piece text() {
        const uint8_t kind = *at_++;
        const size_t size = kind < 0xC0 ? kind & 31 : big(1 << (kind - 0xD9));
        at_ += size;
        return {at_ - size, size};
    }

    int64_t number() {
        const uint8_t kind = *at_++;
        if (kind < 0x80 || kind >= 0xE0) return static_cast<int8_t>(kind);
        const int size = 1 << (kind & 3);
        const uint64_t whole = big(size);
        if (kind < 0xD0) return std::min<uint64_t>(whole, INT64_MAX);
        const int unused = 64 - 8 * size;
        return static_cast<int64_t>(whole << unused) >> unused;
    }

    // Goes past a value, whatever it holds.
    void skip() {
        for (size_t left = 1; left > 0; left--) {
            const uint8_t kind = *at_;
            if (kind < 0x80 || kind >= 0xE0 || (kind >= 0xC0 && kind <= 0xC3)) at_++;
            else if (kind < 0x90 || kind >= 0xDE) left += 2 * map();
            else if (kind < 0xA0 || kind >= 0xDC) left += array();
            else if (kind < 0xC0 || kind >= 0xD9) text();
            else if (kind == 0xCA) at_ += 5;
            else if (kind == 0xCB) at_ += 9;
            else number();
        }
    }

  private:
    const uint8_t *at_;

    uint64_t big(int size) {
        uint64_t whole = 0;
        while (size-- > 0) whole = whole << 8 | *at_++;
        return whole;
    }
};

// What is written beyond the room is counted only.
class Out {
  public:
    Out(uint8_t *at, size_t room) : at_(at), room_(room) {}
    size_t size = 0;

    void byte(uint8_t byte) {
        if (size < room_) at_[size] = byte;
        size++;
    }

    void piece(Piece piece) {
        if (size + piece.size <= room_) std::copy_n(piece.at, piece.size, at_ + size);
        size += piece.size;
    }

    void big(uint64_t number, int bytes) {
        while (bytes-- > 0) byte(number >> 8 * bytes);
    }

    void text(Piece text) { text_of({text.at, 0}, text); }

    // A text of two pieces.
    void text_of(Piece first, Piece second) {
        const size_t bytes = first.size + second.size;
        if (bytes < 32) byte(0xA0 | bytes);
        else if (bytes < 256) byte(0xD9), big(bytes, 1);
        else if (bytes < 65536) byte(0xDA), big(bytes, 2);
        else byte(0xDB), big(bytes, 4);
        piece(first), piece(second);
    }

    void number(int64_t number) {
        if (number >= -32 && number < 128) return byte(number);
        const uint64_t size = number < 0 ? ~number : number;
        const int signs = number < 0 ? 1 : 0;
        int power = 0;
        while (power < 3 && size >> ((8 << power) - signs)) power++;
        byte((signs ? 0xD0 : 0xCC) + power);
        big(number, 1 << power);
    }

    void heads(size_t count, uint8_t fix, uint8_t wide) {
        if (count < 16) return byte(fix | count);
        byte(wide + (count < 65536 ? 0 : 1));
        big(count, count < 65536 ? 2 : 4);
    }

  private:
    uint8_t *at_;
    size_t room_;
};

}  // namespace msgpack
