// Asks a run: how many rows hold a token, which do, which say a phrase, and which are best.
// kernels/postings.py says what the arrays are; kernels/postings_plain.py is the plain twin.

#include <functional>
#include <new>

#include "kernel.h"
#include "window.h"

// As kernels/postings.py lays it out.
struct Ask {
    const uint64_t *keys;
    const int64_t *starts, *members, *offsets;
    const double *tops;      // of each term, what a text holds that says nothing else
    const uint32_t *flats;   // of each term, what it adds beside a text
    const uint8_t *must;
    int64_t keys_count, terms;
};

namespace {

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
    uint32_t ones[256] = {};

    uint32_t count() const { return phrase ? phrase->count() : list->list.count; }
    int64_t below(int64_t row) { return phrase ? phrase->below(row) : list->below(row); }

    uint32_t part(uint32_t times, uint8_t length) const {
        const double held = times;
        const auto rounded = static_cast<uint32_t>(top * held / (held + norms[length]) + 0.5);
        return rounded ? rounded : 1;
    }
    uint32_t part_of_one(uint8_t length) {
        if (!ones[length]) ones[length] = part(1, length);
        return ones[length];
    }
};

// Keeps the best of what it is offered: the score above, the row below.
class Best {
  public:
    explicit Best(size_t depth) : depth_(depth) {}

    // What a score has to be above; rows have to come from the last one down.
    uint32_t floor() const { return floor_; }

    void offer(uint32_t score, uint32_t row) {
        kept_.push_back(static_cast<uint64_t>(score) << 32 | row);
        if (kept_.size() >= 2 * depth_ + 64) shrink();
    }

    void shrink() {
        if (kept_.size() < depth_) return;
        std::nth_element(kept_.begin(), kept_.begin() + (depth_ - 1), kept_.end(), std::greater<>());
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
    uint32_t floor_ = 0;
    Found kept_;
};

class Ranking {
  public:
    Ranking(const Run &run, const Ask &ask, const double *norms, int64_t depth, int64_t end_row,
            const uint8_t *allowed)
        : run_(run), end_row_(end_row), allowed_(allowed), best_(depth) {
        placed_.resize(ask.keys_count);
        for (int64_t term = 0; term < ask.terms; term++) {
            if (!add(ask, term, norms) && ask.must[term]) is_hopeless_ = true;
        }
        std::stable_sort(terms_.begin(), terms_.end(), [](const auto &a, const auto &b) {
            return a->must != b->must ? a->must : a->bound > b->bound;
        });
        for (const auto &term : terms_) musts_ += term->must;
        if (musts_ > 1)
            std::iter_swap(terms_.begin(),
                           std::min_element(terms_.begin(), terms_.begin() + musts_,
                                            [](const auto &a, const auto &b) {
                                                return a->count() < b->count();
                                            }));
        scores_.resize(WINDOW_ROWS), held_.resize(WINDOW_ROWS), marks_.resize(GROUPS);
    }

    const Found &rank() {
        int64_t end = is_hopeless_ ? 0 : end_row_;
        while (end > 0) {
            const size_t adding = terms_that_add();
            int64_t last = -1;
            for (size_t i = 0; i < adding; i++) last = std::max(last, terms_[i]->below(end));
            if (last < 0) break;
            end = last / WINDOW_ROWS * WINDOW_ROWS;
            rank_window(end, adding);
        }
        return best_.sorted();
    }

  private:
    const Run &run_;
    int64_t end_row_;
    const uint8_t *allowed_;
    Best best_;
    std::vector<std::unique_ptr<Placed>> placed_;
    std::vector<std::unique_ptr<Term>> terms_;
    bool is_hopeless_ = false;
    int64_t musts_ = 0;
    std::vector<uint32_t> scores_;
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
            if (term->list->list.is_aside) term->bound = term->flat;
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
        while (adding > 0 && others + terms_[adding - 1]->bound <= best_.floor())
            others += terms_[--adding]->bound;
        return musts_ ? std::min<size_t>(adding, 1) : adding;
    }

    void rank_window(int64_t low, size_t adding) {
        const int64_t end = std::min(low + WINDOW_ROWS, end_row_);
        run_.touch(run_.lengths_at + low, run_.lengths_at + end);
        for (size_t i = 0; i < terms_.size(); i++) {
            if (i < adding) take<true>(*terms_[i], low);
            else take<false>(*terms_[i], low);
        }
        collect(low);
    }

    // Adds what a term gives to each row of a window; unless IS_ADDING only where there is a score.
    template <bool IS_ADDING>
    void take(Term &term, int64_t low) {
        const Groups groups = IS_ADDING ? nullptr : marks_.data();
        const uint8_t *lengths = run_.data + run_.lengths_at + low;
        if (term.phrase) {
            term.phrase->take(low, groups, [&](int64_t row, uint32_t times) {
                lift<IS_ADDING>(row, term.part(times, lengths[row]), term.must);
            });
            return;
        }
        const bool is_aside = term.list->list.is_aside;
        term.list->take(low, end_row_, groups,
                        [&](const Block &block, uint32_t, uint32_t first, uint32_t end) {
                            for (uint32_t i = first; i < end; i++) {
                                const int64_t row = block.rows[i] - low;
                                const uint32_t part =
                                    is_aside ? term.flat : term.part_of_one(lengths[row]);
                                lift<IS_ADDING>(row, part, term.must);
                            }
                            correct(term, block, first, end, low, lengths);
                        });
    }

    template <bool IS_ADDING>
    void lift(int64_t row, uint32_t part, bool must) {
        if (!IS_ADDING && !scores_[row]) return;
        scores_[row] += part;
        held_[row] += must;
        marks_[row >> 6] = 1;
    }

    // Gives rows that hold a token several times what they have to get, not what one time gives.
    void correct(Term &term, const Block &block, uint32_t first, uint32_t end, int64_t low,
                 const uint8_t *lengths) {
        for (uint32_t i = 0; i < block.several; i++) {
            if (block.which[i] < first || block.which[i] >= end) continue;
            const int64_t row = block.rows[block.which[i]] - low;
            if (!scores_[row]) continue;
            scores_[row] += term.part(block.times[i], lengths[row]) -
                            term.part_of_one(lengths[row]);
        }
    }

    void collect(int64_t low) {
        for (int64_t group = GROUPS - 1; group >= 0; group--) {
            if (!marks_[group]) continue;
            for (int64_t row = group * 64 + 63; row >= group * 64; row--) {
                if (scores_[row] > best_.floor() && held_[row] == musts_ &&
                    (!allowed_ || allowed_[low + row]))
                    best_.offer(scores_[row], low + row);
                scores_[row] = 0, held_[row] = 0;
            }
            marks_[group] = 0;
        }
    }
};

template <typename Do>
int64_t caught(const Do &what) {
    try {
        return what();
    } catch (const Fault &fault) {
        return fault.code;
    } catch (const std::bad_alloc &) {
        return NO_MEMORY;
    }
}

}  // namespace

// All rows are counted from the first one of the run, and `end_row` is within it. What is returned
// below zero says what went wrong.

// Writes in how many rows below `end_row` each key occurs.
FW_EXPORT int64_t fw_postings_counts(const Run *run, const uint64_t *keys, int64_t count,
                                     int64_t end_row, int64_t *out) {
    return caught([&] {
        for (int64_t i = 0; i < count; i++) {
            const int64_t term = run->find(keys[i]);
            out[i] = 0;
            if (term < 0 || end_row <= 0) continue;
            const List list(*run, term);
            out[i] = list.count;
            if (end_row >= run->rows) continue;
            const uint32_t last = list.blocks_below(end_row) - 1;
            Block block;
            list.read(last, block);
            out[i] = last * BLOCK_ROWS +
                     (std::lower_bound(block.rows, block.rows + block.count, end_row) - block.rows);
        }
        return int64_t{0};
    });
}

// Returns how many rows hold a key, without writing them when there is no room for so many.
FW_EXPORT int64_t fw_postings_rows(const Run *run, uint64_t key, int64_t room, int64_t *out) {
    return caught([&] {
        const int64_t term = run->find(key);
        if (term < 0) return int64_t{0};
        const List list(*run, term);
        Block block;
        for (uint32_t number = 0; number < list.blocks && list.count <= room; number++) {
            list.read(number, block);
            for (uint32_t i = 0; i < block.count; i++) *out++ = run->first_row + block.rows[i];
        }
        return static_cast<int64_t>(list.count);
    });
}

// Writes the rows of a phrase, the last one first, and returns how many they are; there is room
// for as many as the run has.
FW_EXPORT int64_t fw_postings_phrase(const Run *run, const uint64_t *keys, const int64_t *offsets,
                                     int64_t count, int64_t *out) {
    return caught([&] {
        std::vector<std::unique_ptr<Placed>> placed;
        Phrase phrase;
        for (int64_t i = 0; i < count; i++) {
            const int64_t term = run->find(keys[i]);
            if (term < 0) return int64_t{0};
            const List list(*run, term);
            if (list.is_aside) return int64_t{0};
            placed.push_back(std::make_unique<Placed>(list, run->rows));
            phrase.add(*placed.back(), offsets[i]);
        }
        phrase.close();
        int64_t *next = out;
        for (int64_t end = phrase.below(run->rows) + 1; end > 0; end = phrase.below(end) + 1) {
            end = (end - 1) / WINDOW_ROWS * WINDOW_ROWS;
            int64_t *first = next;
            phrase.take(end, nullptr,
                        [&](int64_t row, uint32_t) { *next++ = run->first_row + end + row; });
            std::reverse(first, next);
        }
        return static_cast<int64_t>(next - out);
    });
}

// Writes the `depth` best rows below `end_row`, best first, and their scores, and returns how many.
// norms: what a row's length, one of 256, adds to a term's count. allowed: a byte a row, or null.
FW_EXPORT int64_t fw_postings_rank(const Run *run, const Ask *ask, const double *norms,
                                   int64_t depth, int64_t end_row, const uint8_t *allowed,
                                   int64_t *rows, uint32_t *scores) {
    return caught([&] {
        Ranking ranking(*run, *ask, norms, depth, end_row, allowed);
        int64_t count = 0;
        for (const uint64_t found : ranking.rank()) {
            rows[count] = run->first_row + static_cast<int64_t>(found & UINT32_MAX);
            scores[count++] = found >> 32;
        }
        return count;
    });
}

// Adds up the lengths of the rows below `end_row`.
FW_EXPORT int64_t fw_postings_tokens(const Run *run, const uint32_t *sizes, int64_t end_row) {
    return caught([&] {
        run->touch(run->lengths_at, run->lengths_at + end_row);
        const uint8_t *lengths = run->data + run->lengths_at;
        int64_t tokens = 0;
        for (int64_t row = 0; row < end_row; row++) tokens += sizes[lengths[row]];
        return tokens;
    });
}

// Holds the whole run to its checksums and returns 0.
FW_EXPORT int64_t fw_postings_verify(const Run *run) {
    return caught([&] {
        run->touch(BODY_AT, run->sums_at);
        return int64_t{0};
    });
}
