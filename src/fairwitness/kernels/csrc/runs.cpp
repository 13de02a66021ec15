// Makes runs: of tokens, and of neighbouring runs. kernels/runs.py says what a run is;
// kernels/runs_plain.py is the plain twin, equal to the byte.

#include <new>

#include "kernel.h"
#include "run_writer.h"

using namespace postings;

namespace {

struct Tokens {
    const uint64_t *hashes;
    const int64_t *starts;  // of each row, and the end of the last one
};

struct Spot {
    uint32_t row, position;
};

// Tokens by their hash, those of one in the order in which they came.
class Grouped {
  public:
    struct Term {
        uint64_t hash;
        uint32_t number, begin, end;
    };

    Grouped(const Tokens &tokens, int64_t rows) {
        const int64_t first = tokens.starts[0], count = tokens.starts[rows] - first;
        numbers_.resize(count);
        slots_.resize(1024);
        for (int64_t i = 0; i < count; i++) numbers_[i] = number_of(tokens.hashes[first + i]);
        std::sort(terms.begin(), terms.end(),
                  [](const Term &a, const Term &b) { return a.hash < b.hash; });
        std::vector<uint32_t> places(terms.size());
        uint32_t place = 0;
        for (Term &term : terms) {
            term.begin = places[term.number] = place;
            term.end = place += term.end;
        }
        spots.resize(count);
        for (int64_t row = 0; row < rows; row++) {
            const int64_t begin = tokens.starts[row] - first, end = tokens.starts[row + 1] - first;
            for (int64_t i = begin; i < end; i++)
                spots[places[numbers_[i]]++] = {static_cast<uint32_t>(row),
                                                static_cast<uint32_t>(i - begin)};
        }
    }

    std::vector<Term> terms;  // by hash
    std::vector<Spot> spots;

  private:
    std::vector<uint32_t> numbers_, slots_;

    // Returns the number of a hash, in the order of their first coming, and counts it.
    uint32_t number_of(uint64_t hash) {
        uint32_t &slot = slot_of(hash);
        if (slot == 0) {
            const uint32_t number = terms.size();
            terms.push_back({hash, number, 0, 1});
            slot = number + 1;
            if (terms.size() * 2 > slots_.size()) grow();
            return number;
        }
        terms[slot - 1].end++;
        return slot - 1;
    }

    uint32_t &slot_of(uint64_t hash) {
        const size_t mask = slots_.size() - 1;
        size_t at = hash & mask;
        while (slots_[at] && terms[slots_[at] - 1].hash != hash) at = (at + 1) & mask;
        return slots_[at];
    }

    void grow() {
        slots_.assign(4 * slots_.size(), 0);
        for (const Term &term : terms) slot_of(term.hash) = term.number + 1;
    }
};

void gather(const Grouped &grouped, const Grouped::Term &term, bool is_aside, Gathered &list) {
    list.clear();
    for (uint32_t i = term.begin; i < term.end;) {
        const uint32_t row = grouped.spots[i].row, first = i;
        int64_t before = -1;
        for (; i < term.end && grouped.spots[i].row == row; i++) {
            if (is_aside) continue;
            append_varint(list.positions, grouped.spots[i].position - before - 1);
            before = grouped.spots[i].position;
        }
        list.add(row, is_aside ? 1 : i - first);
    }
}

Bytes build(int64_t first_row, int64_t rows, const Tokens &text, const Tokens &aside,
            const uint32_t *sizes) {
    const Grouped said(text, rows), beside(aside, rows);
    Writer writer;
    writer.reserve(said.terms.size() + beside.terms.size(),
                   3 * (said.spots.size() + beside.spots.size()));
    Gathered list;
    size_t i = 0, j = 0;
    while (i < said.terms.size() || j < beside.terms.size()) {
        const bool is_aside = i == said.terms.size() ||
                              (j < beside.terms.size() &&
                               beside.terms[j].hash < said.terms[i].hash);
        const Grouped &from = is_aside ? beside : said;
        const Grouped::Term &term = from.terms[is_aside ? j++ : i++];
        gather(from, term, is_aside, list);
        writer.add(term.hash, is_aside, list);
    }
    Bytes lengths(rows);
    for (int64_t row = 0; row < rows; row++) {
        const int64_t size = text.starts[row + 1] - text.starts[row];
        lengths[row] = size < 128 ? size
                                  : std::upper_bound(sizes + 128, sizes + 256, size) - sizes - 1;
    }
    return writer.finish(first_row, lengths, sizes);
}

// One of the runs that are merged, at one of its lists.
struct Source {
    const Run *run;
    int64_t offset;  // of its rows in the new run
    int64_t kept;    // of its rows
    int64_t term;
    uint64_t key;
    List list;

    void open() {
        if (term == run->terms) return;
        key = run->key(term);
        list = List(*run, term);
    }

    void next() {
        term++;
        const uint64_t before = key;
        const bool was_aside = list.is_aside;
        open();
        if (term == run->terms) return;
        if (key < before || (key == before && list.is_aside <= was_aside)) throw Fault{NONSENSE};
    }
};

class Merger {
  public:
    Merger(const Run *const *runs, int64_t count, int64_t rows, const uint8_t *gone)
        : rows_(rows), gone_(gone) {
        for (int64_t i = 0; i < count; i++) {
            const int64_t offset = runs[i]->first_row - runs[0]->first_row;
            const int64_t kept = std::min(runs[i]->rows, rows - offset);
            if (kept <= 0) continue;
            sources_.push_back({runs[i], offset, kept, 0, 0, {}});
        }
    }

    Bytes merge(int64_t first_row, const uint32_t *sizes) {
        Writer writer;
        Bytes lengths;
        int64_t terms = 0, lists_bytes = 0;
        lengths.reserve(rows_);
        for (Source &source : sources_) {
            const Run &run = *source.run;
            run.touch(run.lengths_at, run.lengths_at + source.kept);
            const uint8_t *at = run.data + run.lengths_at;
            lengths.insert(lengths.end(), at, at + source.kept);
            terms += run.terms;
            lists_bytes += run.sums_at - run.lists_at;
            source.open();
        }
        writer.reserve(terms, lists_bytes);
        while (add_next(writer)) {}
        return writer.finish(first_row, lengths, sizes);
    }

  private:
    std::vector<Source> sources_;
    Gathered list_;
    Block block_;
    int64_t rows_;
    const uint8_t *gone_;

    bool add_next(Writer &writer) {
        const Source *least = nullptr;
        for (const Source &source : sources_) {
            if (source.term == source.run->terms) continue;
            if (!least || source.key < least->key ||
                (source.key == least->key && source.list.is_aside < least->list.is_aside))
                least = &source;
        }
        if (!least) return false;
        const uint64_t key = least->key;
        const bool is_aside = least->list.is_aside;
        list_.clear();
        for (Source &source : sources_) {
            if (source.term == source.run->terms || source.key != key ||
                source.list.is_aside != is_aside)
                continue;
            take(source);
            source.next();
        }
        if (!list_.rows.empty()) writer.add(key, is_aside, list_);
        return true;
    }

    void take(const Source &source) {
        for (uint32_t number = 0; number < source.list.blocks; number++) {
            source.list.read(number, block_);
            const uint8_t *stop = nullptr, *at = nullptr;
            if (!source.list.is_aside) at = source.list.positions(number, block_, &stop);
            take_block(source, at, stop);
        }
    }

    void take_block(const Source &source, const uint8_t *at, const uint8_t *stop) {
        const uint8_t *taken = at;
        uint32_t next = 0;
        for (uint32_t i = 0; i < block_.count; i++) {
            const bool is_several = next < block_.several && block_.which[next] == i;
            const uint32_t times = is_several ? block_.times[next++] : 1;
            const int64_t row = source.offset + block_.rows[i];
            const uint8_t *end = at;
            if (!source.list.is_aside) end = past(at, stop, times);
            if (block_.rows[i] < source.kept && !(gone_ && gone_[row])) {
                list_.add(row, times);
            } else {
                list_.positions.insert(list_.positions.end(), taken, at);
                taken = end;
            }
            at = end;
        }
        list_.positions.insert(list_.positions.end(), taken, at);
        if (at != stop) throw Fault{NONSENSE};
    }
};

// A run that was made, until Python has copied it.
struct Made {
    const uint8_t *data;
    Bytes *bytes;
};

template <typename Make>
int64_t made(Made *out, const Make &make) {
    try {
        out->bytes = new Bytes(make());
        out->data = out->bytes->data();
        return out->bytes->size();
    } catch (const Fault &fault) {
        return fault.code;
    } catch (const std::bad_alloc &) {
        return NO_MEMORY;
    }
}

}  // namespace

// Makes a run of `rows` rows and says how long it is, or what went wrong. `out` is to be
// freed if nothing did. `sizes`: what each of the 256 lengths stands for.
FW_EXPORT int64_t fw_run_build(int64_t first_row, int64_t rows, const uint64_t *text,
                               const int64_t *text_starts, const uint64_t *aside,
                               const int64_t *aside_starts, const uint32_t *sizes, Made *out) {
    return made(out, [&] {
        return build(first_row, rows, {text, text_starts}, {aside, aside_starts}, sizes);
    });
}

// The same of neighbouring runs, oldest first, and only `rows` rows; `gone` has a byte for each, or
// is null.
FW_EXPORT int64_t fw_run_merge(const Run *const *runs, int64_t count, int64_t rows,
                               const uint8_t *gone, const uint32_t *sizes, Made *out) {
    return made(out, [&] {
        return Merger(runs, count, rows, gone).merge(runs[0]->first_row, sizes);
    });
}

FW_EXPORT void fw_run_free(const Made *out) { delete out->bytes; }
