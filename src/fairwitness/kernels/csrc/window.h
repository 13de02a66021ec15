// The rows of lists and of phrases, a window of 16,384 rows at a time.
#pragma once

#include <memory>
#include <vector>

#include "run.h"

namespace postings {

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
            const uint32_t first = std::lower_bound(rows, rows_end, low) - rows;
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

    uint32_t count() const { return reader_.list.count; }
    int64_t below(int64_t row) { return reader_.below(row); }
    // A bit a row, and a bit for each group of 64 that has one.
    const uint64_t *bits() const { return bits_; }
    const uint64_t *groups() const { return any_; }

    // Returns where the token stands in a row that holds it once and early, else -1.
    int only(int64_t in_window) const {
        const Row &row = rows_[slots_[in_window]];
        return row.times == 1 && *row.at < 128 ? *row.at : -1;
    }

    // Writes where it stands in a row that holds it.
    void positions(int64_t in_window, std::vector<uint64_t> &out) const {
        const Row &row = rows_[slots_[in_window]];
        const uint8_t *at = row.at;
        uint64_t position = UINT64_MAX;
        out.clear();
        for (uint32_t i = 0; i < row.times; i++)
            out.push_back(position += read_varint(at, reader_.list.end) + 1);
    }

    // Reads the window from `low` on, or those of its blocks that touch `groups`.
    void open(int64_t low, Groups groups) {
        if (low_ == low && (groups_ == nullptr || groups_ == groups)) return;
        low_ = -1;
        clear();
        reader_.take(low, end_row_, groups,
                     [&](const Block &block, uint32_t number, uint32_t first, uint32_t end) {
                         place(block, number, first, end, low);
                     });
        low_ = low;
        groups_ = groups;
    }

  private:
    struct Row {
        uint32_t times;
        const uint8_t *at;
    };
    Reader reader_;
    int64_t end_row_, low_ = -1;
    Groups groups_ = nullptr;
    uint64_t bits_[GROUPS] = {}, any_[GROUPS / 64] = {};
    uint16_t slots_[WINDOW_ROWS];
    std::vector<Row> rows_;

    void clear() {
        for (int64_t word = 0; word < GROUPS / 64; word++) {
            for (uint64_t any = any_[word]; any; any &= any - 1)
                bits_[word << 6 | __builtin_ctzll(any)] = 0;
            any_[word] = 0;
        }
        rows_.clear();
    }

    void place(const Block &block, uint32_t number, uint32_t first, uint32_t end, int64_t low) {
        const uint8_t *stop, *at = reader_.list.positions(number, block, &stop);
        uint64_t times_of_all = block.count;
        for (uint32_t i = 0; i < block.several; i++) times_of_all += block.times[i] - 1;
        // Most blocks stand before token 128 of their rows, so that each position is one byte.
        const bool is_narrow = times_of_all == static_cast<uint64_t>(stop - at);
        uint32_t slot = rows_.size(), next = 0;
        rows_.resize(slot + end - first);
        for (uint32_t i = 0; i < end; i++) {
            const bool is_several = next < block.several && block.which[next] == i;
            const uint32_t times = is_several ? block.times[next++] : 1;
            const uint8_t *from = at;
            at = is_narrow ? at + times : past(at, stop, times);
            if (i < first) continue;
            const int64_t row = block.rows[i] - low;
            bits_[row >> 6] |= uint64_t{1} << (row & 63);
            any_[row >> 12] |= uint64_t{1} << (row >> 6 & 63);
            slots_[row] = slot;
            rows_[slot++] = {times, from};
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
        open(low, groups);
        for (int64_t word = 0; word < GROUPS / 64; word++) {
            uint64_t any = members_[0].placed->groups()[word];
            for (size_t i = 1; i < members_.size(); i++) any &= members_[i].placed->groups()[word];
            for (; any; any &= any - 1) take_group(word << 6 | __builtin_ctzll(any), use);
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
    void open(int64_t low, Groups groups) {
        members_[0].placed->open(low, groups);
        const uint64_t *rarest = members_[0].placed->bits();
        bool knows_near = false;
        for (size_t i = 1; i < members_.size(); i++) {
            const bool is_frequent = members_[i].placed->count() / 16 > count();
            if (is_frequent && !knows_near) {
                for (int64_t group = 0; group < GROUPS; group++) near_[group] = rarest[group] != 0;
                knows_near = true;
            }
            members_[i].placed->open(low, is_frequent ? near_ : groups);
        }
    }

    template <typename Use>
    void take_group(int64_t group, const Use &use) {
        uint64_t bits = members_[0].placed->bits()[group];
        for (size_t i = 1; i < members_.size(); i++) bits &= members_[i].placed->bits()[group];
        for (; bits; bits &= bits - 1) {
            const int64_t row = group << 6 | __builtin_ctzll(bits);
            if (const uint32_t times = times_in(row)) use(row, times);
        }
    }

    uint32_t times_in(int64_t row) {
        const int64_t offset = members_[0].offset;
        if (members_.size() == 2) {
            const int first = members_[0].placed->only(row);
            const int second = members_[1].placed->only(row);
            if (first >= 0 && second >= 0)
                return first - offset == second - members_[1].offset;
        }
        members_[0].placed->positions(row, found_);
        for (size_t i = 1; i < members_.size() && !found_.empty(); i++) {
            members_[i].placed->positions(row, held_);
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

}  // namespace postings
