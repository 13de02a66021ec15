// Writes a run, list by list in the order of their keys; kernels/runs.py says what stands where.
#pragma once

#include <vector>

#include "run.h"

namespace postings {

using Bytes = std::vector<uint8_t>;

constexpr int64_t MAX_BYTES = INT32_MAX;
constexpr uint64_t MAGIC = 0x0100004E55525746;  // "FWRUN", two zeros and the version

template <typename Number>
static inline void append(Bytes &bytes, Number number) {
    const auto *at = reinterpret_cast<const uint8_t *>(&number);
    bytes.insert(bytes.end(), at, at + sizeof number);
}

static inline void append_varint(Bytes &bytes, uint64_t number) {
    for (; number >= 128; number >>= 7) bytes.push_back(number | 128);
    bytes.push_back(number);
}

// The rows of one key. Buffers are kept from key to key.
struct Gathered {
    std::vector<uint32_t> rows, times;
    Bytes positions;
    bool has_several = false;

    void clear() {
        rows.clear(), times.clear(), positions.clear();
        has_several = false;
    }
    void add(uint32_t row, uint32_t of_times) {
        rows.push_back(row);
        times.push_back(of_times);
        has_several |= of_times > 1;
    }
};

class Writer {
  public:
    void reserve(int64_t terms, int64_t lists_bytes) {
        keys_.reserve(terms), ends_.reserve(terms), lists_.reserve(lists_bytes);
    }

    void add(uint64_t key, bool is_aside, const Gathered &list) {
        const uint64_t count = list.rows.size();
        append_varint(lists_, count << 2 | list.has_several << 1 | is_aside);
        const uint64_t blocks = (count + BLOCK_ROWS - 1) / BLOCK_ROWS;
        table_at_ = lists_.size();
        entry_bytes_ = is_aside ? 8 : 12;
        if (blocks > 1) lists_.resize(table_at_ + blocks * entry_bytes_);
        const size_t docs_at = lists_.size();
        int64_t before = -1;
        for (uint64_t block = 0; block < blocks; block++) {
            const uint64_t end = std::min<uint64_t>(count, (block + 1) * BLOCK_ROWS);
            write_rows(list, block * BLOCK_ROWS, end, before);
            before = list.rows[end - 1];
            if (blocks == 1) break;
            set_entry(block, 0, before);
            set_entry(block, 1, lists_.size() - docs_at);
        }
        if (!is_aside) write_positions(list, blocks);
        if (static_cast<int64_t>(lists_.size()) > MAX_BYTES) throw Fault{OVERSIZE};
        keys_.push_back(key);
        ends_.push_back(lists_.size());
    }

    // Returns the run. `lengths` has a byte a row, `sizes` is what each byte stands for.
    Bytes finish(int64_t first_row, const Bytes &lengths, const uint32_t *sizes) const {
        Bytes run;
        const uint64_t body_bytes = 12 * keys_.size() + lengths.size() + lists_.size();
        const uint64_t sums_at = (BODY_AT + body_bytes + 7) / 8 * 8;
        const uint64_t chunks = (sums_at - BODY_AT + CHUNK_BYTES - 1) / CHUNK_BYTES;
        const uint64_t run_bytes = sums_at + 8 * chunks;
        if (run_bytes > MAX_BYTES) throw Fault{OVERSIZE};
        run.reserve(run_bytes);
        uint64_t tokens = 0;
        for (const uint8_t length : lengths) tokens += sizes[length];
        const uint64_t header[] = {MAGIC,  static_cast<uint64_t>(first_row), lengths.size(),
                                   keys_.size(), tokens, lists_.size(), run_bytes};
        for (const uint64_t number : header) append(run, number);
        append(run, xxh64(run.data(), run.size()));
        append_all(run, keys_), append_all(run, ends_), append_all(run, lengths);
        append_all(run, lists_);
        run.resize(sums_at);
        for (uint64_t at = BODY_AT; at < sums_at; at += CHUNK_BYTES)
            append(run, xxh64(run.data() + at, std::min<uint64_t>(CHUNK_BYTES, sums_at - at)));
        return run;
    }

  private:
    std::vector<uint64_t> keys_;
    std::vector<uint32_t> ends_;
    Bytes lists_;
    size_t table_at_ = 0, entry_bytes_ = 0;

    template <typename Number>
    static void append_all(Bytes &bytes, const std::vector<Number> &numbers) {
        const auto *at = reinterpret_cast<const uint8_t *>(numbers.data());
        bytes.insert(bytes.end(), at, at + numbers.size() * sizeof(Number));
    }

    void set_entry(uint64_t block, int column, uint32_t number) {
        memcpy(lists_.data() + table_at_ + block * entry_bytes_ + 4 * column, &number, 4);
    }

    void write_rows(const Gathered &list, uint64_t begin, uint64_t end, int64_t before) {
        uint32_t several = 0;
        for (uint64_t i = begin; i < end; i++) {
            append_varint(lists_, list.rows[i] - before - 1);
            before = list.rows[i];
            several += list.times[i] > 1;
        }
        if (!list.has_several) return;
        append_varint(lists_, several);
        for (uint64_t i = begin; i < end; i++) {
            if (list.times[i] < 2) continue;
            lists_.push_back(i - begin);
            append_varint(lists_, list.times[i] - 2);
        }
    }

    void write_positions(const Gathered &list, uint64_t blocks) {
        append_all(lists_, list.positions);
        if (blocks == 1) return;
        const uint8_t *at = list.positions.data();
        for (uint64_t block = 0, row = 0; block < blocks; block++) {
            uint64_t left = 0;
            for (const uint64_t end = std::min<uint64_t>(list.rows.size(), row + BLOCK_ROWS);
                 row < end; row++)
                left += list.times[row];
            for (; left > 0; at++) left -= *at < 128;
            set_entry(block, 2, at - list.positions.data());
        }
    }
};

}  // namespace postings
