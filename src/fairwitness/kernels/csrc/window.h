// The rows of lists and of phrases, a window of 16,384 rows at a time.
#pragma once

#include <memory>
#include <vector>

#include "run.h"

constexpr int64_t WINDOW_ROWS = 1 << 14;
constexpr int64_t GROUPS = WINDOW_ROWS / 64;

// Which groups of 64 rows of a window matter, a byte each; null when all do.
using Groups = const uint8_t *;

// Reads a list here and there, and remembers the block that it read last.
class Reader {
  public:
    explicit Reader(const List &list) : list(list) {}

    const List list;

    // Returns a row that no row of the list below `row` is above, or -1 if there are none.
    int64_t below(int64_t row) {
        const uint32_t blocks = list.blocks_below(row);
        if (blocks == 0) return -1;
        if (list.blocks > 1) return std::min(list.last_row(blocks - 1), row - 1);
        read(0);
        const uint32_t *end = std::lower_bound(block_.rows, block_.rows + block_.count, row);
        return end == block_.rows ? -1 : static_cast<int64_t>(end[-1]);
    }

    // Gives `use` each block that has rows of the window from `low` on and below `end_row`, its
    // number, and which of its rows these are; blocks that touch none of `groups` are left out.
    template <typename Use>
    void take(int64_t low, int64_t end_row, Groups groups, const Use &use) {
        const int64_t end = std::min(low + WINDOW_ROWS, end_row);
        for (int64_t number = list.blocks_below(end); number-- > 0;) {
            if (list.last_row(number) < low) return;
            if (groups && misses(number, low, end, groups)) continue;
            read(number);
            const uint32_t *rows = block_.rows, *rows_end = rows + block_.count;
            const uint32_t first = rows[0] >= low ? 0 : std::lower_bound(rows, rows_end, low) - rows;
            if (rows_end[-1] >= end) rows_end = std::lower_bound(rows, rows_end, end);
            if (first < rows_end - rows)
                use(block_, static_cast<uint32_t>(number), first,
                    static_cast<uint32_t>(rows_end - rows));
        }
    }

  private:
    Block block_;
    int64_t number_ = -1;

    void read(int64_t number) {
        if (number == number_) return;
        number_ = -1;
        list.read(number, block_);
        number_ = number;
    }

    bool misses(int64_t number, int64_t low, int64_t end, Groups groups) const {
        const int64_t first = std::max(list.last_row(number - 1) + 1, low) - low;
        const int64_t last = std::min(list.last_row(number), end - 1) - low;
        for (int64_t group = first >> 6; group <= last >> 6; group++)
            if (groups[group]) return false;
        return true;
    }
};

// A list whose positions are wanted: which rows of a window hold its token, and where.
class Placed {
  public:
    Placed(const List &list, int64_t end_row) : reader_(list), end_row_(end_row) {}

    struct Row {
        uint32_t times;
        const uint8_t *at, *stop;

        // The first place in the row if it is written in one byte, else -1.
        int only() const { return times == 1 && *at < 128 ? *at : -1; }

        void positions(std::vector<uint64_t> &out) const {
            out.clear();
            const uint8_t *byte = at;
            uint64_t position = UINT64_MAX;
            for (uint32_t i = 0; i < times; i++)
                out.push_back(position += read_varint(byte, stop) + 1);
        }
    };

    uint32_t count() const { return reader_.list.count; }
    int64_t below(int64_t row) { return reader_.below(row); }
    const uint64_t *bits() const { return bits_; }
    const Row &row(int64_t in_window) const { return rows_[slots_[in_window]]; }

    // Reads the window from `low` on, or those of its blocks that touch `groups`.
    void open(int64_t low, Groups groups) {
        if (low_ == low && (groups_ == nullptr || groups_ == groups)) return;
        low_ = -1;
        rows_.clear();
        std::fill(bits_, bits_ + GROUPS, 0);
        reader_.take(low, end_row_, groups,
                     [&](const Block &block, uint32_t number, uint32_t first, uint32_t end) {
                         place(block, number, first, end, low);
                     });
        low_ = low;
        groups_ = groups;
    }

  private:
    Reader reader_;
    int64_t end_row_, low_ = -1;
    Groups groups_ = nullptr;
    uint64_t bits_[GROUPS];
    uint16_t slots_[WINDOW_ROWS];
    std::vector<Row> rows_;

    void place(const Block &block, uint32_t number, uint32_t first, uint32_t end, int64_t low) {
        const uint8_t *stop, *at = reader_.list.positions(number, block, &stop);
        uint64_t times_of_all = block.count;
        for (uint32_t i = 0; i < block.several; i++) times_of_all += block.times[i] - 1;
        const bool is_narrow = times_of_all == static_cast<uint64_t>(stop - at);
        for (uint32_t i = 0, next = 0; i < end; i++) {
            const bool is_several = next < block.several && block.which[next] == i;
            const uint32_t times = is_several ? block.times[next++] : 1;
            const uint8_t *from = at;
            if (is_narrow) at += times;
            else at = past(at, stop, times);
            if (i < first) continue;
            const int64_t row = block.rows[i] - low;
            bits_[row >> 6] |= uint64_t{1} << (row & 63);
            slots_[row] = rows_.size();
            rows_.push_back({times, from, stop});
        }
    }
};

// Keys that stand at certain distances from each other.
class Phrase {
  public:
    void add(Placed &placed, int64_t offset) { members_.push_back({&placed, offset}); }

    // To be called once all members are there.
    void close() {
        std::stable_sort(members_.begin(), members_.end(), [](const Member &a, const Member &b) {
            return a.placed->count() < b.placed->count();
        });
    }

    uint32_t count() const { return members_[0].placed->count(); }

    int64_t below(int64_t row) const {
        for (const Member &member : members_) row = std::min(row, member.placed->below(row) + 1);
        return row - 1;
    }

    // Gives `use` each row of the window that says the phrase, less `low`, and how often.
    template <typename Use>
    void take(int64_t low, Groups groups, const Use &use) {
        if (!open(low, groups)) return;
        for (int64_t group = 0; group < GROUPS; group++) {
            uint64_t bits = members_[0].placed->bits()[group];
            for (size_t i = 1; bits && i < members_.size(); i++)
                bits &= members_[i].placed->bits()[group];
            for (; bits; bits &= bits - 1) {
                const int64_t row = group << 6 | __builtin_ctzll(bits);
                if (const uint32_t times = times_in(row)) use(row, times);
            }
        }
    }

  private:
    struct Member {
        Placed *placed;
        int64_t offset;
    };
    std::vector<Member> members_;  // the rarest first
    std::vector<uint64_t> found_, held_;
    uint8_t near_[GROUPS];

    // Reads all members; of much more frequent ones than the rarest only what is near its rows.
    bool open(int64_t low, Groups groups) {
        members_[0].placed->open(low, groups);
        bool is_any = false;
        for (int64_t group = 0; group < GROUPS; group++)
            is_any |= near_[group] = members_[0].placed->bits()[group] != 0;
        if (!is_any) return false;
        for (size_t i = 1; i < members_.size(); i++) {
            const bool is_frequent = members_[i].placed->count() / 16 > count();
            members_[i].placed->open(low, is_frequent ? near_ : groups);
        }
        return true;
    }

    uint32_t times_in(int64_t row) {
        const int64_t offset = members_[0].offset;
        if (members_.size() == 2) {
            const int first = members_[0].placed->row(row).only();
            const int second = members_[1].placed->row(row).only();
            if (first >= 0 && second >= 0)
                return first - offset == second - members_[1].offset;
        }
        members_[0].placed->row(row).positions(found_);
        for (size_t i = 1; i < members_.size() && !found_.empty(); i++) {
            members_[i].placed->row(row).positions(held_);
            const uint64_t distance = members_[i].offset - offset;
            auto held = held_.begin();
            const auto is_elsewhere = [&](uint64_t position) {
                const auto wanted = static_cast<int64_t>(position + distance);
                while (held != held_.end() && static_cast<int64_t>(*held) < wanted) ++held;
                return held == held_.end() || static_cast<int64_t>(*held) != wanted;
            };
            found_.erase(std::remove_if(found_.begin(), found_.end(), is_elsewhere), found_.end());
        }
        return found_.size();
    }
};
