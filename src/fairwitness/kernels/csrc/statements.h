// The words of a text that are its statement; `statements.py` says what is left out and why, and is
// the reference.
#pragma once

#include <cstdint>
#include <vector>

enum Kind : uint8_t { BREAK, WORD, UPPER, DIGIT, KATAKANA, HAN, UNSPACED, SKIP };
enum Bit : uint32_t {
    NUMBER = 1, DENIAL = 2, DROPPED = 4, RETOLD = 8, HERALD = 16, START = 32, PLACE = 64,
    DENYING = 128
};
enum Mark {
    POINTS, LETTERS, CAPITALS, LINKS, HASHTAGS, MENTIONS, PICTURES, WORDS, UNITS_OF, MARKS
};

constexpr int POINTS_MAX = 2048, STATEMENT_MIN = 6, BYLINE_MAX = 4, INITIAL_LETTERS = 3;
constexpr uint32_t FOLDED_POINTS = 0x20000;
constexpr uint64_t MULTIPLY = 0x9E3779B97F4A7C15, LEXICON_PLACES = 2048;

static inline uint64_t spelt(uint64_t so_far, uint32_t folded) {
    const uint64_t hashed = (so_far ^ folded) * MULTIPLY;
    return hashed ^ hashed >> 29;
}

static inline uint64_t mixed(uint64_t so_far, uint64_t hashed) {
    const uint64_t both = (so_far ^ hashed) * MULTIPLY;
    return both ^ both >> 32;
}

class Folds {
  public:
    Folds(const uint32_t *table, const uint64_t *lexicon) : table_(table), lexicon_(lexicon) {
        for (uint64_t place = 0; place < LEXICON_PLACES; place++) {
            const uint64_t hashed = lexicon[3 * place];
            perhaps_[hashed >> 57] |= uint64_t{1} << (hashed >> 51 & 63);
        }
    }

    uint32_t entry(uint32_t point) const {
        if (point < FOLDED_POINTS) return table_[point];
        return (point < 0x40000 ? uint32_t{HAN} << 24 : 0) | point;
    }
    const uint64_t *known(uint64_t hashed) const {
        static const uint64_t nothing[3] = {0, 0, 0};
        if (!(perhaps_[hashed >> 57] >> (hashed >> 51 & 63) & 1)) return nothing;
        for (uint64_t at = hashed % LEXICON_PLACES;; at = (at + 1) % LEXICON_PLACES) {
            const uint64_t *row = lexicon_ + 3 * at;
            if (row[0] == hashed) return row;
            if (row[0] == 0) return nothing;
        }
    }

  private:
    const uint32_t *table_;       // kind << 24 | folded, of each code point
    const uint64_t *lexicon_;     // hash, bits, number; at the first free place from the hash on
    uint64_t perhaps_[128] = {};  // a bit for each hash that is known: most words are not
};

struct Word {
    uint64_t hashed;
    int start, end;
    uint8_t kind;
    bool capital, is_name, is_soft;
};

// Some characters that mean something between words, as bits of a table for ASCII.
enum Sign : uint8_t { ENDS_SENTENCE = 1, ENDS_LINK = 2, OPENS_QUOTE = 4, SETS_OFF = 8 };

struct Signs {
    uint8_t of[128] = {};
    constexpr Signs() {
        for (const char *at = "\n.!?:;\"([{*|/#"; *at; at++) of[static_cast<int>(*at)] |= ENDS_SENTENCE;
        for (const char *at = "\"<>)]"; *at; at++) of[static_cast<int>(*at)] |= ENDS_LINK;
        for (const char *at = "\"/"; *at; at++) of[static_cast<int>(*at)] |= OPENS_QUOTE;
        for (const char *at = "-|"; *at; at++) of[static_cast<int>(*at)] |= SETS_OFF;
    }
};
constexpr Signs SIGNS;

static inline bool ends_sentence(uint32_t point) {
    if (point < 0x80) return SIGNS.of[point] & ENDS_SENTENCE;
    return point >= 0x2190 || point == 0x201C || point == 0x201D || point == 0xAB ||
           point == 0xBB || point == 0x201E || point == 0x2014 || point == 0x2013;
}

static inline bool opens_quote(uint32_t point) {
    return point < 0x80 ? SIGNS.of[point] & OPENS_QUOTE : point == 0x201C;
}

static inline bool sets_off(uint32_t point) {
    return point < 0x80 ? SIGNS.of[point] & SETS_OFF : point == 0x2013 || point == 0x2014;
}

class Reader {
  public:
    std::vector<Word> words;
    int first = 0, last = 0;  // the statement is words[first, last)
    bool is_cut = false, is_cased = false;
    uint16_t marks[MARKS];

    explicit Reader(const Folds &folds) : folds_(folds), points_(POINTS_MAX + 8) {}

    void read(const uint8_t *text, int64_t bytes) {
        decode(text, text + bytes);
        words.clear();
        for (uint16_t &mark : marks) mark = 0;
        at_ = quote_from_ = inner_words_ = inner_capitals_ = capitals_ = 0;
        cut_at_ = byline_from_ = label_from_ = -1;
        initial_ = true;
        while (at_ < count_) step();
        const int end = static_cast<int>(words.size());
        is_cut = cut_at_ == end;
        is_cased = capitals_ > 0 && 2 * inner_capitals_ <= inner_words_;
        bound(end);
        marks[POINTS] += count_;
        marks[WORDS] = last - first;
    }

  private:
    const Folds &folds_;
    std::vector<uint32_t> points_;
    int count_ = 0, at_ = 0, quote_from_ = 0, cut_at_ = -1, byline_from_ = -1, label_from_ = -1;
    int inner_words_ = 0, inner_capitals_ = 0, capitals_ = 0;
    bool initial_ = true;

    // The blob comes from Python, so it is valid UTF-8.
    void decode(const uint8_t *at, const uint8_t *end) {
        count_ = 0;
        while (at < end && count_ < POINTS_MAX) {
            uint32_t point = *at;
            const int more = point < 0x80 ? 0 : point < 0xE0 ? 1 : point < 0xF0 ? 2 : 3;
            if (end - at <= more) break;
            if (more) point &= 0x3F >> more;
            for (int byte = 1; byte <= more; byte++) point = point << 6 | (at[byte] & 0x3F);
            points_[count_++] = point;
            at += more + 1;
        }
        for (int beyond = 0; beyond < 8; beyond++) points_[count_ + beyond] = 0;
    }

    uint32_t point(int at) const { return at >= 0 && at < count_ ? points_[at] : 0; }
    int kind(int at) const { return folds_.entry(point(at)) >> 24; }

    void step() {
        const uint32_t here = points_[at_], entry = folds_.entry(here);
        const int kind = entry >> 24;
        if (((here | 32) == 'h' || (here | 32) == 'w') && is_link()) return skip_link();
        switch (kind) {
            case KATAKANA: return katakana();
            case HAN:
            case UNSPACED:
                words.push_back({spelt(0, entry & 0xFFFFFF), at_, at_ + 1, uint8_t(kind), false,
                                 false, false});
                marks[LETTERS]++;
                at_++;
                initial_ = false;
                return;
            case BREAK:
            case SKIP:
                if (here == '@' || here == 0xFF20) return mention();
                return between();
            default: return word();
        }
    }

    bool starts(const char *with) const {
        for (int more = 0; with[more]; more++) {
            const uint32_t here = point(at_ + more);
            const uint32_t lower = here >= 'A' && here <= 'Z' ? here | 32 : here;
            if (lower != static_cast<uint32_t>(with[more])) return false;
        }
        return true;
    }

    bool is_link() const { return starts("http://") || starts("https://") || starts("www."); }

    void skip_link() {
        const int start = at_;
        for (; at_ < count_; at_++) {
            const uint32_t here = points_[at_];
            if (here <= 0x20 || here >= 0x80 || (SIGNS.of[here] & ENDS_LINK)) break;
        }
        marks[POINTS] -= at_ - start;
        marks[LINKS]++;
        initial_ = true;
    }

    void mention() {
        const int start = at_++;
        const bool is_ascii = point(at_) < 0x80;
        while (at_ < count_ && in_handle(is_ascii)) at_++;
        if (at_ == start + 1) return;
        marks[MENTIONS]++;
        if (!words.empty() && start - words.back().end <= 2 &&
            folds_.known(words.back().hashed)[1] & RETOLD) {
            words.pop_back();
            quote_from_ = words.size();
        } else if (opens_quote(point(start - 1))) {
            quote_from_ = words.size();
        }
        initial_ = true;
    }

    bool in_handle(bool is_ascii) const {
        uint32_t here = points_[at_];
        if (!is_ascii) return here >= 0x80 && kind(at_) != BREAK && kind(at_) != SKIP;
        if (here >= 0xFF01 && here <= 0xFF5E) here -= 0xFEE0;
        return (here >= '0' && here <= '9') || (here >= 'A' && here <= 'Z') ||
               (here >= 'a' && here <= 'z') || here == '_' || here == '.' || here == '-' ||
               here == '@';
    }

    void between() {
        const int at = at_;
        const uint32_t here = points_[at];
        const bool is_dots = here == '.' && point(at + 1) == '.' && point(at + 2) == '.';
        at_ += is_dots ? 3 : 1;
        if (here == 0x2026 || is_dots) {
            cut_at_ = words.size();
            initial_ = true;
            return;
        }
        if (here == ' ') return;
        if (ends_sentence(here)) initial_ = true;
        if ((here >= 0x2190 && here < 0x2C00) || here >= 0x1F000) marks[PICTURES]++;
        if (here == '[') {
            label_from_ = words.size();
        } else if (here == ']' && point(at + 1) == '(' && label_from_ >= 0) {
            for (size_t one = label_from_; one < words.size(); one++) words[one].is_soft = true;
        }
        if (sets_off(here) && point(at - 1) == ' ' && point(at + 1) == ' ')
            byline_from_ = words.size();
    }

    void katakana() {
        const int start = at_;
        uint64_t hashed = 0;
        for (; kind(at_) == KATAKANA; at_++)
            hashed = spelt(hashed, folds_.entry(points_[at_]) & 0xFFFFFF);
        marks[LETTERS] += at_ - start;
        const bool denies = folds_.known(hashed)[1] & DENIAL;
        words.push_back({hashed, start, at_, uint8_t(denies ? BREAK : WORD), false,
                         at_ - start > 1, false});
        initial_ = false;
    }

    void word() {
        const int start = at_;
        uint64_t hashed = 0;
        int letters = 0;
        uint8_t kind_of_word = WORD;
        for (; at_ < count_; at_++) {
            const uint32_t entry = folds_.entry(points_[at_]);
            const int here = entry >> 24;
            if (here == BREAK || here == KATAKANA || here == HAN || here == UNSPACED) {
                if (!joins_thousands()) break;
                continue;
            }
            if (here == SKIP) continue;
            letters++;
            if (here == UPPER) marks[CAPITALS]++;
            if (here == DIGIT) kind_of_word = DIGIT;
            hashed = spelt(hashed, entry & 0xFFFFFF);
        }
        if (kind_of_word == WORD) marks[LETTERS] += letters;
        add({hashed, start, at_, kind_of_word, kind(start) == UPPER, false, false}, letters);
    }

    // Whether the separator at hand stands between digits, exactly three to come.
    bool joins_thousands() const {
        const uint32_t here = points_[at_];
        if ((here != '.' && here != ',') || kind(at_ - 1) != DIGIT) return false;
        for (int more = 1; more <= 3; more++)
            if (kind(at_ + more) != DIGIT) return false;
        return kind(at_ + 4) != DIGIT;
    }

    void add(Word word, int letters) {
        const uint64_t *known = nullptr;
        uint64_t bits = 0;
        if (word.kind == WORD) {
            known = folds_.known(word.hashed);
            bits = known[1];
        }
        word.is_soft = point(word.start - 1) == '#';
        marks[HASHTAGS] += word.is_soft;
        if ((bits & DROPPED) && !((bits & RETOLD) && at_follows())) return;
        if ((bits & HERALD) && initial_) return;
        if (bits & NUMBER) {
            word.hashed = known[2];
            word.kind = DIGIT;
        } else if (bits & DENIAL) {
            word.kind = BREAK;
        }
        capitals_ += word.capital;
        word.is_name = word.capital && letters > 1 && word.kind == WORD;
        if (initial_ && (letters < INITIAL_LETTERS || (bits & START))) word.is_name = false;
        if (!initial_) {
            inner_words_++;
            inner_capitals_ += word.capital;
        }
        initial_ = false;
        words.push_back(word);
    }

    bool at_follows() const {
        for (int more = 0; more < 2; more++)
            if (point(at_ + more) == '@' || point(at_ + more) == 0xFF20) return true;
        return false;
    }

    void bound(int end) {
        first = end - quote_from_ >= STATEMENT_MIN ? quote_from_ : 0;
        if (is_cut && end > first && words[end - 1].kind != HAN && words[end - 1].kind != UNSPACED)
            end--;
        int hard = end;
        while (hard > first && words[hard - 1].is_soft) hard--;
        if (hard - first >= STATEMENT_MIN) end = hard;
        const int dash = byline_from_;
        if (first < dash && dash <= first + BYLINE_MAX && end - dash >= STATEMENT_MIN &&
            all_capital(first, dash))
            first = dash;
        else if (dash < end && end <= dash + BYLINE_MAX && dash - first >= STATEMENT_MIN &&
                 all_capital(dash, end))
            end = dash;
        last = end;
    }

    bool all_capital(int from, int to) const {
        for (int at = from; at < to; at++)
            if (!words[at].capital) return false;
        return true;
    }
};
