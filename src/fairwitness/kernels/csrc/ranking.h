// Ranks the rows of runs by BM25, a window of rows at a time; kernels/bm25.py has the formula.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernel.h"
#include "window.h"

namespace postings {

// As kernels/bm25.py lays it out.
struct Ask {
    const uint64_t *keys;
    const int64_t *starts, *members, *offsets;
    const double *tops;      // of each term, what a text holds that says nothing else
    const uint32_t *flats;   // of each term, what it adds beside a text
    const uint8_t *must;
    int64_t keys_count, terms;
};

// The scores of a window's rows, by groups of 64. All of a group that is not marked are 0.
struct Scores {
    int32_t *scores;  // below 2^31: bm25.py sees to it
    uint8_t *marks;
    uint16_t *held;  // null where no term has to be held

    // Gives `use` each group that is marked, the first one first.
    template <typename Use>
    __attribute__((always_inline)) inline void each_marked(const Use &use) const {
        for (int64_t first = 0; first < GROUPS; first += 8) {
            uint64_t eight;
            std::memcpy(&eight, marks + first, 8);
            for (; eight; eight &= eight - 1) use(first + (__builtin_ctzll(eight) >> 3));
        }
    }

    __attribute__((always_inline)) inline bool any_above(int64_t group, int32_t floor) const {
        int32_t above = 0;
        for (int i = 0; i < 64; i++) above |= scores[group * 64 + i] > floor;
        return above;
    }

    __attribute__((always_inline)) inline void forget(int64_t group) const {
        marks[group] = 0;
        std::fill_n(scores + group * 64, 64, 0);
        if (held) std::fill_n(held + group * 64, 64, 0);
    }
};

// Forgets the groups in which no score is above a limit; returns whether any are left.
FW_CLONES
bool drop_below(const Scores &all, int32_t limit) {
    bool are_left = false;
    all.each_marked([&](int64_t group) {
        if (limit < 0 || all.any_above(group, limit)) are_left = true;
        else all.forget(group);
    });
    return are_left;
}

// Writes in which groups some score is above a floor, and returns in how many.
FW_CLONES
int64_t groups_above(const Scores &all, int32_t floor, uint16_t *groups) {
    int64_t found = 0;
    all.each_marked([&](int64_t group) {
        groups[found] = group;
        found += all.any_above(group, floor);
    });
    return found;
}

FW_CLONES
void forget_all(const Scores &all) {
    all.each_marked([&](int64_t group) { all.forget(group); });
}

// Adds to the score of each row what its length gives, and marks its group of 64 rows.
static inline void add_parts(const uint32_t *rows, uint32_t count, int64_t low,
                             const uint8_t *lengths, const uint32_t *parts,
                             int32_t *__restrict scores, uint8_t *__restrict marks) {
    for (uint32_t i = 0; i < count; i++) {
        const int64_t row = rows[i] - low;
        scores[row] += parts[lengths[row]];
        marks[row >> 6] = 1;
    }
}

// Adds it where there is a score; not by a branch, for nobody could guess it.
static inline void raise_parts(const uint32_t *rows, uint32_t count, int64_t low,
                               const uint8_t *lengths, const uint32_t *parts,
                               int32_t *__restrict scores) {
    for (uint32_t i = 0; i < count; i++) {
        const int64_t row = rows[i] - low;
        const int32_t score = scores[row];
        scores[row] = score + (static_cast<int32_t>(parts[lengths[row]]) & -(score > 0));
    }
}

using Found = std::vector<uint64_t>;

// A term of the ask that the run holds: one list, or a phrase.
struct Term {
    std::unique_ptr<Reader> list;
    std::unique_ptr<Phrase> phrase;
    double top;
    uint32_t flat;   // for a list of asides
    uint32_t bound;  // no row gets more
    bool must;
    const double *norms;
    uint32_t parts[3][256] = {};  // of rows that hold it up to three times, 0 where not known

    uint32_t count() const { return phrase ? phrase->count() : list->list.count; }
    int64_t below(int64_t row) { return phrase ? phrase->below(row) : list->below(row); }

    uint32_t part(uint32_t times, uint8_t length) {
        if (times > 3) return computed(times, length);
        uint32_t &known = parts[times - 1][length];
        if (!known) known = computed(times, length);
        return known;
    }

    uint32_t computed(uint32_t times, uint8_t length) const {
        const double held = times;
        const auto rounded = static_cast<uint32_t>(top * held / (held + norms[length]) + 0.5);
        return rounded ? rounded : 1;
    }

    // Makes sure that the parts of rows that hold it once are known.
    void know(const uint32_t *rows, uint32_t count, const uint8_t *lengths) {
        if (knows_all_) return;
        knows_all_ = list->list.count > 1000;
        if (knows_all_)
            for (int length = 0; length < 256; length++) part(1, length);
        else
            for (uint32_t i = 0; i < count; i++) part(1, lengths[rows[i]]);
    }

    // Asides give the same to rows of all lengths.
    void know_flat() {
        std::fill(parts[0], parts[0] + 256, flat);
        knows_all_ = true;
    }

  private:
    bool knows_all_ = false;
};

// Keeps the best of what it is offered: the score above, the row below.
class Best {
  public:
    explicit Best(size_t depth) : depth_(depth) {}

    // What a score has to be above; rows have to come from the last one down.
    int32_t floor() const { return floor_; }

    void offer(uint32_t score, uint32_t row) {
        kept_.push_back(static_cast<uint64_t>(score) << 32 | row);
        if (kept_.size() >= 2 * depth_ + 64) shrink();
    }

    void shrink() {
        if (kept_.size() < depth_) return;
        std::nth_element(kept_.begin(), kept_.begin() + (depth_ - 1), kept_.end(),
                         std::greater<>());
        kept_.resize(depth_);
        floor_ = kept_.back() >> 32;
    }

    const Found &sorted() {
        shrink();
        std::sort(kept_.begin(), kept_.end(), std::greater<>());
        return kept_;
    }

  private:
    size_t depth_;
    int32_t floor_ = 0;
    Found kept_;
};

// Offers the rows of one run, each as its number from `first` on.
class Ranking {
  public:
    Ranking(const Run &run, const Ask &ask, const double *norms, int64_t end_row,
            const uint8_t *allowed, uint32_t first, Best &best)
        : run_(run), end_row_(end_row), allowed_(allowed), first_(first), best_(best) {
        placed_.resize(ask.keys_count);
        for (int64_t term = 0; term < ask.terms; term++) {
            if (!add(ask, term, norms) && ask.must[term]) is_hopeless_ = true;
        }
        // The rarest first: the last ones are those that a row is seldom looked up for. What stands
        // beside a text weighs as much as a rare word and is rarer still, so weights would not do.
        std::stable_sort(terms_.begin(), terms_.end(), [](const auto &a, const auto &b) {
            return a->must != b->must ? a->must : a->count() < b->count();
        });
        for (const auto &term : terms_) musts_ += term->must;
        // Whole groups, but no more than there are rows for: most runs are small.
        const int64_t width = std::min(WINDOW_ROWS, (end_row + 63) / 64 * 64);
        scores_.resize(width), marks_.resize(GROUPS);
        if (musts_) held_.resize(width);
    }

    void rank() {
        int64_t end = is_hopeless_ ? 0 : end_row_;
        while (end > 0) {
            const size_t adding = terms_that_add();
            int64_t last = -1;
            for (size_t i = 0; i < adding; i++) last = std::max(last, terms_[i]->below(end));
            if (last < 0) break;
            end = last / WINDOW_ROWS * WINDOW_ROWS;
            rank_window(end, adding);
        }
        best_.shrink();
    }

  private:
    const Run &run_;
    int64_t end_row_;
    const uint8_t *allowed_;
    uint32_t first_;
    Best &best_;
    std::vector<std::unique_ptr<Placed>> placed_;
    std::vector<std::unique_ptr<Term>> terms_;
    bool is_hopeless_ = false;
    int64_t musts_ = 0;
    std::vector<int32_t> scores_;
    std::vector<uint16_t> held_;
    std::vector<uint8_t> marks_;

    bool add(const Ask &ask, int64_t number, const double *norms) {
        auto term = std::make_unique<Term>();
        term->top = ask.tops[number];
        term->flat = ask.flats[number];
        term->must = ask.must[number];
        term->norms = norms;
        term->bound = static_cast<uint32_t>(term->top) + 2;
        const int64_t begin = ask.starts[number], end = ask.starts[number + 1];
        if (end - begin == 1) {
            const int64_t found = run_.find(ask.keys[ask.members[begin]]);
            if (found < 0) return false;
            term->list = std::make_unique<Reader>(List(run_, found));
            if (term->list->list.is_aside) {
                term->bound = term->flat;
                term->know_flat();
            }
        } else {
            term->phrase = std::make_unique<Phrase>();
            for (int64_t i = begin; i < end; i++) {
                Placed *placed = place(ask, ask.members[i]);
                if (!placed) return false;
                term->phrase->add(*placed, ask.offsets[i]);
            }
            term->phrase->close();
        }
        terms_.push_back(std::move(term));
        return true;
    }

    Placed *place(const Ask &ask, int64_t key) {
        if (!placed_[key]) {
            const int64_t found = run_.find(ask.keys[key]);
            if (found < 0) return nullptr;
            const List list(run_, found);
            if (list.is_aside) return nullptr;
            placed_[key] = std::make_unique<Placed>(list, end_row_);
        }
        return placed_[key].get();
    }

    // Returns how many of the terms may lift a row that holds none of them above the floor; the
    // others together cannot (MaxScore: Turtle and Flood 1995).
    size_t terms_that_add() const {
        uint64_t others = 0;
        size_t adding = terms_.size();
        while (adding > 0 && others + terms_[adding - 1]->bound <= static_cast<uint64_t>(best_.floor()))
            others += terms_[--adding]->bound;
        return musts_ ? std::min<size_t>(adding, 1) : adding;
    }

    void rank_window(int64_t low, size_t adding) {
        const int64_t end = std::min(low + WINDOW_ROWS, end_row_);
        run_.touch(run_.lengths_at + low, run_.lengths_at + end);
        int64_t left = 0;  // what the terms to come may give together
        for (const auto &term : terms_) left += term->bound;
        for (size_t i = 0; i < terms_.size(); i++) {
            if (i < adding) take<true>(*terms_[i], low);
            else if (!drop_below(scores(), best_.floor() - left)) return;
            else take<false>(*terms_[i], low);
            left -= terms_[i]->bound;
        }
        collect(low);
    }

    Scores scores() { return {scores_.data(), marks_.data(), musts_ ? held_.data() : nullptr}; }

    // Adds what a term gives to rows of a window; unless IS_ADDING only where there is a score.
    template <bool IS_ADDING>
    void take(Term &term, int64_t low) {
        const Groups groups = IS_ADDING ? nullptr : marks_.data();
        const uint8_t *lengths = run_.data + run_.lengths_at + low;
        if (term.phrase) {
            term.phrase->take(low, groups, [&](int64_t row, uint32_t times) {
                lift<IS_ADDING>(row, term.part(times, lengths[row]));
                if (term.must) hold(row);
            });
            return;
        }
        const auto use = [&](const Block &block, uint32_t, uint32_t first, uint32_t end) {
            const uint32_t *rows = block.rows + first;
            term.know(rows, end - first, lengths - low);
            if (IS_ADDING)
                add_parts(rows, end - first, low, lengths, term.parts[0], scores_.data(),
                          marks_.data());
            else
                raise_parts(rows, end - first, low, lengths, term.parts[0], scores_.data());
            for (uint32_t i = first; term.must && i < end; i++) hold(block.rows[i] - low);
            if (block.several) correct(term, block, first, end, low, lengths);
        };
        term.list->take(low, end_row_, groups, use);
    }

    template <bool IS_ADDING>
    void lift(int64_t row, uint32_t part) {
        if (IS_ADDING) marks_[row >> 6] = 1;
        if (IS_ADDING || scores_[row]) scores_[row] += part;
    }

    // Counts a term that a row has to hold. What has no score is not looked at again.
    void hold(int64_t row) { held_[row] += scores_[row] != 0; }

    // Gives rows that hold a token several times what they have to get, not what one time gives.
    void correct(Term &term, const Block &block, uint32_t first, uint32_t end, int64_t low,
                 const uint8_t *lengths) {
        for (uint32_t i = 0; i < block.several; i++) {
            if (block.which[i] < first || block.which[i] >= end) continue;
            const int64_t row = block.rows[block.which[i]] - low;
            if (!scores_[row]) continue;
            scores_[row] += term.part(block.times[i], lengths[row]) - term.part(1, lengths[row]);
        }
    }

    void collect(int64_t low) {
        uint16_t groups[GROUPS];
        for (int64_t left = groups_above(scores(), best_.floor(), groups); left-- > 0;) {
            const int64_t group = groups[left];
            for (int64_t row = group * 64 + 63; row >= group * 64; row--) offer(low, row);
        }
        forget_all(scores());
    }

    void offer(int64_t low, int64_t row) {
        const int32_t score = scores_[row];
        if (score > best_.floor() && (!musts_ || held_[row] == musts_) &&
            (!allowed_ || allowed_[low + row]))
            best_.offer(score, first_ + low + row);
    }
};

}  // namespace postings
