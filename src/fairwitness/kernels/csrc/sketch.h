// What a text says, as a small sketch in which copies look alike; `sketch.py` is the reference.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "statements.h"

constexpr int UNITS = 128, KEYS = 4, UNITS_MIN = 5, DENIALS_END = 8, NUMBERS_END = 1 << 13;
constexpr int CUT = 1, CASED = 2, ALIKE = 450, LONG_UNITS = 40, SHORT_UNITS = 10;

// What is compared; `units` ascend, `count` is how many there are in all; in `bits` the one of each
// unit is set.
struct Said {
    const uint16_t *units;
    uint64_t bits;
    int kept, count, flags;
};

struct Sketch {
    uint64_t exact;
    uint64_t keys[KEYS];
    uint64_t bits;
    int keys_count, kept, count, flags;
    uint16_t marks[MARKS];
    uint16_t units[UNITS];

    Said said() const { return {units, bits, kept, count, flags}; }
};

class Sketcher {
  public:
    explicit Sketcher(const Folds &folds) : folds_(folds), reader_(folds) {}

    void make(const uint8_t *text, int64_t bytes, Sketch &made) {
        reader_.read(text, bytes);
        made.exact = 0;
        for (int at = reader_.first; at < reader_.last; at++)
            made.exact = mixed(made.exact, reader_.words[at].hashed);
        collect();
        made.count = all_.size();
        made.kept = std::min(made.count, UNITS);
        std::copy_n(all_.begin(), made.kept, made.units);
        made.bits = 0;
        for (int at = 0; at < made.kept; at++) made.bits |= uint64_t{1} << (made.units[at] >> 1 & 63);
        made.flags = CUT * reader_.is_cut | CASED * reader_.is_cased;
        made.keys_count = 0;
        if (made.count >= UNITS_MIN) choose_keys(made);
        std::copy_n(reader_.marks, static_cast<int>(MARKS), made.marks);
        made.marks[UNITS_OF] = made.count;
    }

  private:
    const Folds &folds_;
    Reader reader_;
    std::vector<uint16_t> all_, spare_;
    std::vector<uint64_t> counted_;

    static uint16_t plain(uint64_t hashed) {
        return (NUMBERS_END + hashed % (0x8000 - NUMBERS_END)) << 1;
    }

    // The unit of a number or of a denial (0); each further time it is another one.
    uint16_t counted(uint64_t hashed) {
        counted_.push_back(hashed);
        const uint64_t times = std::count(counted_.begin(), counted_.end(), hashed);
        if (hashed == 0) return std::min<uint64_t>(times - 1, DENIALS_END - 1) << 1;
        return (DENIALS_END + mixed(hashed, times) % (NUMBERS_END - DENIALS_END)) << 1;
    }

    bool follows(int at) const {
        if (at <= reader_.first || at >= reader_.last) return false;
        const Word &one = reader_.words[at - 1], &other = reader_.words[at];
        return (one.kind == HAN || one.kind == UNSPACED) &&
               (other.kind == HAN || other.kind == UNSPACED) && one.end == other.start;
    }

    // The hash of the letters of the unit that begins at `at`, 0 when none does.
    uint64_t letters(int at) const {
        const int width = reader_.words[at].kind == HAN ? 2 : 3;
        uint64_t hashed = reader_.words[at].hashed;
        int taken = 1;
        for (; taken < width && follows(at + taken); taken++)
            hashed = mixed(hashed, reader_.words[at + taken].hashed);
        return taken == width || !follows(at) ? hashed : 0;
    }

    void collect() {
        all_.clear();
        counted_.clear();
        for (int at = reader_.first; at < reader_.last; at++) {
            const Word &word = reader_.words[at];
            if (word.kind == BREAK || word.kind == DIGIT) {
                all_.push_back(counted(word.kind == DIGIT ? word.hashed : 0));
            } else if (word.kind == WORD) {
                const bool is_name = word.is_name && (reader_.is_cased || !word.capital);
                all_.push_back(plain(word.hashed) | is_name);
            } else if (const uint64_t hashed = letters(at)) {
                const uint64_t bits = folds_.known(hashed)[1];
                const bool is_place = bits & PLACE;
                all_.push_back(bits & DENYING ? counted(0) : plain(hashed) | is_place);
            }
        }
        sort();
        const auto same = [](uint16_t one, uint16_t other) { return one >> 1 == other >> 1; };
        all_.erase(std::unique(all_.begin(), all_.end(), same), all_.end());
    }

    // By the lower byte, then by the upper one: three times as fast as comparing when there are many.
    void sort() {
        if (all_.size() < 48) return std::sort(all_.begin(), all_.end());
        spare_.resize(all_.size());
        for (int shift = 0; shift < 16; shift += 8) {
            uint16_t starts[257] = {};
            for (const uint16_t unit : all_) starts[(unit >> shift & 255) + 1]++;
            for (int byte = 1; byte < 256; byte++) starts[byte] += starts[byte - 1];
            for (const uint16_t unit : all_) spare_[starts[unit >> shift & 255]++] = unit;
            all_.swap(spare_);
        }
    }

    void choose_keys(Sketch &made) {
        for (int at = reader_.first; at < reader_.last; at++) {
            const uint8_t kind = reader_.words[at].kind;
            const int width = kind == HAN || kind == UNSPACED ? 4 : 2;
            if (at + width > reader_.last) continue;
            uint64_t key = 0;
            for (int more = 0; more < width; more++)
                key = mixed(key, reader_.words[at + more].hashed);
            keep(made, key);
        }
    }

    static void keep(Sketch &made, uint64_t key) {
        int place = made.keys_count;
        while (place > 0 && made.keys[place - 1] > key) place--;
        if (place == KEYS || (place > 0 && made.keys[place - 1] == key)) return;
        made.keys_count = std::min(made.keys_count + 1, KEYS);
        for (int at = made.keys_count - 1; at > place; at--) made.keys[at] = made.keys[at - 1];
        made.keys[place] = key;
    }
};

// Units of one text that the other lacks, by what they are.
struct Left {
    int is_cut, denials = 0, numbers = 0, names = 0, others = 0;

    int count() const { return denials + numbers + names + others; }
    void add(uint16_t unit) {
        if (unit >> 1 < DENIALS_END) denials++;
        else if (unit >> 1 < NUMBERS_END) numbers++;
        else if (unit & 1) names++;
        else others++;
    }
};

static inline int known_until(const Said &said) {
    return said.count > said.kept ? (said.units[said.kept - 1] >> 1) + 1 : 0x8000;
}

static inline bool differs(int common, const Left &less, const Left &more, bool is_cased) {
    if (less.denials || (more.denials && (more.is_cut || !less.is_cut))) return true;
    if (less.numbers || (less.names && more.names)) return true;
    if (more.numbers && !less.is_cut && (less.count() || common < 2 * SHORT_UNITS)) return true;
    if (common < SHORT_UNITS && !less.is_cut && more.names && more.count() > 2) return true;
    return common < LONG_UNITS && less.count() * (is_cased ? 6 : 8) > common;
}

// Whether the bits alone show that two texts are not alike. A bit that one has and the other lacks
// is a unit that the other lacks, so there are at most so many in common.
static inline bool is_hopeless(const Said &one, const Said &other) {
    if (one.count > one.kept || other.count > other.kept) return false;
    const int left_one = __builtin_popcountll(one.bits & ~other.bits);
    const int left_other = __builtin_popcountll(other.bits & ~one.bits);
    const int common = std::min(one.count - left_one, other.count - left_other);
    return common < LONG_UNITS && 6 * std::min(left_one, left_other) > common;
}

// How alike two texts are that are not exactly the same, 0 to 1000.
static inline int likeness(const Said &one, const Said &other) {
    const int end = std::min(known_until(one), known_until(other));
    Left left[2] = {{one.flags & CUT}, {other.flags & CUT}};
    int common = 0, a = 0, b = 0;
    for (;;) {
        const int unit_a = a < one.kept ? one.units[a] >> 1 : 0x8000;
        const int unit_b = b < other.kept ? other.units[b] >> 1 : 0x8000;
        if (std::min(unit_a, unit_b) >= end) break;
        if (unit_a == unit_b) {
            common++, a++, b++;
        } else if (unit_a < unit_b) {
            left[0].add(one.units[a++]);
        } else {
            left[1].add(other.units[b++]);
        }
    }
    const bool first_is_less = left[0].count() < left[1].count();
    const Left &less = first_is_less ? left[0] : left[1], &more = first_is_less ? left[1] : left[0];
    if (common == 0 || differs(common, less, more, one.flags & other.flags & CASED)) return 0;
    const int shorter = common + less.count(), longer = common + more.count();
    int alike = 1000 * common / (longer + less.count());
    if (less.is_cut && shorter >= 8 && 100 * shorter >= 35 * longer)
        alike = std::max(alike, 1000 * common / shorter - 200);
    if (common >= LONG_UNITS) alike += 100;
    return std::min(std::max(alike - 60 * std::max(SHORT_UNITS - common, 0), 0), 1000);
}
