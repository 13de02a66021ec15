// Asks a run: how many rows hold a token, which do, which say a phrase, and which are best.
// kernels/postings.py says what the arrays are; kernels/postings_plain.py is the plain twin.

#include <new>

#include "ranking.h"

using namespace postings;

namespace {

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

// In how many rows below `end_row`, which is above zero, a key occurs.
int64_t count_below(const Run &run, uint64_t key, int64_t end_row) {
    const int64_t term = run.find(key);
    if (term < 0) return 0;
    const List list(run, term);
    if (end_row >= run.rows) return list.count;
    const uint32_t last = list.blocks_below(end_row) - 1;
    Block block;
    list.read(last, block);
    return last * BLOCK_ROWS +
           (std::lower_bound(block.rows, block.rows + block.count, end_row) - block.rows);
}

}  // namespace

// All rows are counted from the first one of the run, and `end_row` is within it. What is returned
// below zero says what went wrong.

// Adds up in how many rows of some runs, of each those below its end, each key occurs.
FW_EXPORT int64_t fw_postings_counts(const Run *const *runs, const int64_t *ends, int64_t parts,
                                     const uint64_t *keys, int64_t count, int64_t *out) {
    return caught([&] {
        std::fill_n(out, count, 0);
        for (int64_t part = 0; part < parts; part++)
            for (int64_t i = 0; i < count && ends[part] > 0; i++)
                out[i] += count_below(*runs[part], keys[i], ends[part]);
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

// Writes the `depth` best rows of some runs, best first, and their scores, and returns how many.
// Of each run, oldest first, the rows below its end count. Rows are numbered through: those of a
// run follow those of the one before it.
// norms: what a row's length, one of 256, adds to a term's count. allowed: of each run a byte a
// row, or null.
FW_EXPORT int64_t fw_postings_rank(const Run *const *runs, const int64_t *ends,
                                   const uint8_t *const *allowed, int64_t parts, const Ask *ask,
                                   const double *norms, int64_t depth, int64_t *rows,
                                   uint32_t *scores) {
    return caught([&] {
        Best best(depth);
        int64_t first = 0;
        for (int64_t part = 0; part < parts; part++) first += ends[part];
        for (int64_t part = parts - 1; part >= 0; part--) {
            first -= ends[part];
            Ranking(*runs[part], *ask, norms, ends[part], allowed[part],
                    static_cast<uint32_t>(first), best)
                .rank();
        }
        int64_t count = 0;
        for (const uint64_t found : best.sorted()) {
            rows[count] = static_cast<int64_t>(found & UINT32_MAX);
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
