// Reads a run, the postings of a stretch of rows; kernels/runs.py says what stands where.
// Nothing is read outside of the run whatever its bytes are, and each chunk of it is held to its
// checksum when it is first touched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "xxh64.h"

// Other kernels of the library have runs, readers and rows of their own.
namespace postings {

constexpr int64_t BODY_AT = 64, CHUNK_BYTES = 32768;
constexpr uint32_t BLOCK_ROWS = 128;

// What a kernel returns below zero, and what it throws until then: NONSENSE, or FIRST_CHUNK less
// the number of a chunk that is not as it was written.
constexpr int64_t NONSENSE = -1, OVERSIZE = -2, NO_MEMORY = -3, FIRST_CHUNK = -8;
struct Fault {
    int64_t code;
};

// As kernels/postings.py lays it out; places are bytes from the beginning of `data`.
struct Run {
    const uint8_t *data;
    uint8_t *seen;  // of each chunk, whether it was held to its checksum
    int64_t first_row, rows, terms, keys_at, ends_at, lengths_at, lists_at, sums_at;

    // Makes sure that the bytes from `begin` to `end` are as they were written.
    void touch(int64_t begin, int64_t end) const {
        if (begin < BODY_AT || begin > end || end > sums_at) throw Fault{NONSENSE};
        if (begin == end) return;
        const int64_t last = (end - 1 - BODY_AT) / CHUNK_BYTES;
        for (int64_t chunk = (begin - BODY_AT) / CHUNK_BYTES; chunk <= last; chunk++)
            if (!__atomic_load_n(seen + chunk, __ATOMIC_RELAXED)) check(chunk);
    }

    void check(int64_t chunk) const {
        const int64_t begin = BODY_AT + chunk * CHUNK_BYTES;
        const int64_t bytes = std::min(CHUNK_BYTES, sums_at - begin);
        if (xxh64(data + begin, bytes) != xxh_read<uint64_t>(data + sums_at + 8 * chunk))
            throw Fault{FIRST_CHUNK - chunk};
        __atomic_store_n(seen + chunk, 1, __ATOMIC_RELAXED);
    }

    uint64_t key(int64_t term) const {
        const int64_t at = keys_at + 8 * term;
        touch(at, at + 8);
        return xxh_read<uint64_t>(data + at);
    }

    int64_t list_end(int64_t term) const {
        if (term < 0) return lists_at;
        const int64_t at = ends_at + 4 * term;
        touch(at, at + 4);
        return lists_at + xxh_read<uint32_t>(data + at);
    }

    // Returns the first term whose key is not below `key`. Keys are hashes, so where one stands is
    // all but told by its size.
    int64_t lower_bound(uint64_t wanted) const {
        if (terms == 0) return 0;
        const auto guess = static_cast<int64_t>((unsigned __int128)wanted * terms >> 64);
        int64_t low = guess, high = guess, step = 8;
        for (; low > 0 && key(low - 1) >= wanted; step *= 4) {
            high = low - 1;
            low = std::max<int64_t>(high - step, 0);
        }
        for (; high < terms && key(high) < wanted; step *= 4) {
            low = high + 1;
            high = std::min(low + step, terms);
        }
        while (low < high) {
            const int64_t middle = (low + high) / 2;
            if (key(middle) < wanted) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    int64_t find(uint64_t wanted) const {
        const int64_t term = lower_bound(wanted);
        return term < terms && key(term) == wanted ? term : -1;
    }
};

// Reads numbers of seven bits a byte, the lowest first, the last below 128.
static inline uint64_t read_varint(const uint8_t *&at, const uint8_t *end) {
    if (at < end && *at < 128) return *at++;
    uint64_t number = 0;
    for (int shift = 0; shift < 35 && at < end; shift += 7) {
        const uint8_t byte = *at++;
        number |= static_cast<uint64_t>(byte & 127) << shift;
        if (byte < 128) return number;
    }
    throw Fault{NONSENSE};
}

// Returns where the numbers behind the next `count` ones begin.
static inline const uint8_t *past(const uint8_t *at, const uint8_t *end, uint32_t count) {
    for (; count > 0 && at < end; at++) count -= *at < 128;
    if (count > 0) throw Fault{NONSENSE};
    return at;
}

// Up to 128 rows of a list. Rows count from the first one of the run.
struct Block {
    uint32_t rows[BLOCK_ROWS];
    uint32_t count = 0;
    // Those rows that hold the token several times: which of the block, and how often.
    uint32_t several = 0;
    uint8_t which[BLOCK_ROWS];
    uint32_t times[BLOCK_ROWS];
    const uint8_t *end;  // of its bytes
};

struct List {
    const Run *run = nullptr;
    uint32_t count = 0, blocks = 0, entry_bytes = 0;
    bool is_aside = false, has_several = false;
    const uint8_t *table = nullptr, *docs = nullptr, *end = nullptr;

    List() = default;
    List(const Run &of, int64_t term) : run(&of) {
        const int64_t begin_at = of.list_end(term - 1), end_at = of.list_end(term);
        if (begin_at > end_at || end_at > of.sums_at) throw Fault{NONSENSE};
        of.touch(begin_at, std::min(begin_at + 8, end_at));
        const uint8_t *at = of.data + begin_at;
        end = of.data + end_at;
        const uint64_t head = read_varint(at, end);
        is_aside = head & 1;
        has_several = head & 2;
        if (head >> 2 == 0 || head >> 2 > static_cast<uint64_t>(of.rows)) throw Fault{NONSENSE};
        count = head >> 2;
        blocks = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
        entry_bytes = is_aside ? 8 : 12;
        table = docs = at;
        if (blocks > 1) {
            if (end - at < static_cast<int64_t>(blocks) * entry_bytes) throw Fault{NONSENSE};
            docs += blocks * entry_bytes;
            of.touch(begin_at, docs - of.data);
        } else {
            of.touch(begin_at, end_at);
        }
    }

    uint32_t entry(int64_t block, int column) const {
        return xxh_read<uint32_t>(table + block * entry_bytes + 4 * column);
    }

    // The last row of a block; of the block before the first one it is -1.
    int64_t last_row(int64_t block) const {
        if (block < 0) return -1;
        return blocks > 1 ? entry(block, 0) : run->rows - 1;
    }

    uint32_t size_of(uint32_t block) const {
        return std::min(BLOCK_ROWS, count - block * BLOCK_ROWS);
    }

    // Returns how many blocks hold rows below `row`, as far as the table tells.
    uint32_t blocks_below(int64_t row) const {
        uint32_t low = 0, high = blocks;
        while (low < high) {
            const uint32_t middle = (low + high) / 2;
            if (last_row(static_cast<int64_t>(middle) - 1) + 1 < row) low = middle + 1;
            else high = middle;
        }
        return low;
    }

    void read(uint32_t number, Block &block) const {
        const uint8_t *at = docs, *stop = end;
        if (blocks > 1) {
            const uint64_t begins = number ? entry(number - 1, 1) : 0, ends = entry(number, 1);
            if (begins > ends || ends > static_cast<uint64_t>(end - docs)) throw Fault{NONSENSE};
            at = docs + begins;
            stop = docs + ends;
            run->touch(at - run->data, stop - run->data);
        }
        block.count = size_of(number);
        read_rows(at, stop, last_row(static_cast<int64_t>(number) - 1), block);
        block.several = 0;
        if (has_several) read_several(at, stop, block);
        block.end = at;
        if (blocks == 1) return;
        if (at != stop || block.rows[block.count - 1] != entry(number, 0)) throw Fault{NONSENSE};
    }

    // Returns where the positions of a block begin, and where they end if that is told.
    const uint8_t *positions(uint32_t number, const Block &block, const uint8_t **stop) const {
        *stop = end;
        if (blocks == 1) return block.end;
        const uint64_t docs_bytes = entry(blocks - 1, 1);
        const uint64_t begins = number ? entry(number - 1, 2) : 0, ends = entry(number, 2);
        if (docs_bytes > static_cast<uint64_t>(end - docs)) throw Fault{NONSENSE};
        const uint8_t *area = docs + docs_bytes;
        if (begins > ends || ends > static_cast<uint64_t>(end - area)) throw Fault{NONSENSE};
        *stop = area + ends;
        run->touch(area + begins - run->data, *stop - run->data);
        return area + begins;
    }

  private:
    // `row` is the one before the block's first one. Rows ascend by the way they are written, so
    // that the last one is in the run says that all are.
    void read_rows(const uint8_t *&at, const uint8_t *stop, uint64_t row, Block &block) const {
        uint32_t done = 0;
        uint64_t last = row;
        while (done < block.count) {
            if (stop - at >= 8 && block.count - done >= 8) {
                const uint64_t bytes = xxh_read<uint64_t>(at);
                if (!(bytes & 0x8080808080808080)) {
                    for (int i = 0; i < 8; i++) {
                        last += (bytes >> 8 * i & 127) + 1;
                        block.rows[done + i] = last;
                    }
                    done += 8;
                    at += 8;
                    continue;
                }
            }
            last += read_varint(at, stop) + 1;
            block.rows[done++] = last;
        }
        if (last >= static_cast<uint64_t>(run->rows)) throw Fault{NONSENSE};
    }

    void read_several(const uint8_t *&at, const uint8_t *stop, Block &block) const {
        const uint64_t several = read_varint(at, stop);
        if (several > block.count) throw Fault{NONSENSE};
        int before = -1;
        for (uint64_t i = 0; i < several; i++) {
            if (stop - at < 1 || *at <= before || *at >= block.count) throw Fault{NONSENSE};
            before = block.which[i] = *at++;
            const uint64_t times = read_varint(at, stop) + 2;
            if (times > UINT32_MAX) throw Fault{NONSENSE};
            block.times[i] = times;
        }
        block.several = several;
    }
};

}  // namespace postings
