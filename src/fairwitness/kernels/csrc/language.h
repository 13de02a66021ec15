// What script a text's words are in, and what fastText's model makes of them.
// kernels/language.py makes the tables, reads the model's file, and has a plain twin.
//
// The model (Joulin et al. 2016, arXiv:1607.01759): the mean of a vector for each word, each of its
// runs of letters and the end of the line; then a walk down a tree of yes and no to the likeliest
// label. As in facebookresearch/fastText, src/dictionary.cc and src/loss.cc.
#pragma once

#include <cmath>
#include <cstring>

#include "kernel.h"
#include "utf8.h"

namespace language {
namespace {

enum Kind : uint8_t { OTHER, SPACE, WORD, JOINER, DIGIT, SIGN };
constexpr uint8_t KIND_BITS = 7;
constexpr int SCRIPT_SHIFT = 3, SCRIPTS = 32;
constexpr int KANA = 1, HAN = 2;
constexpr int SAMPLE_CHARS = 400, MODEL_CHARS = 200, LONGEST = 8;
constexpr double LEAST = 1e-5;  // fastText adds this to each probability

constexpr int DIMENSIONS = 16;
typedef float Row __attribute__((vector_size(DIMENSIONS * sizeof(float)), aligned(4)));

// The model as kernels/language.py lays it out; the same fields in the same order.
struct Model {
    const float *rows;          // of words, then of runs of letters
    const float *outputs;       // of the tree's inner nodes
    const int32_t *children;    // two of each inner node; labels come first, then inner nodes
    const uint16_t *buckets;    // the row of a run of letters, behind those of words; or NONE
    const uint8_t *words;       // all known words in a row
    const int32_t *word_ends;   // where each ends
    const int32_t *slots;       // a word's number, at its hash or behind it; or -1
    int64_t word_count, slot_count, bucket_count, label_count, shortest, longest, end_of_line;
};

constexpr uint16_t NONE = 0xFFFF;

struct Tables {
    const uint8_t *letters;   // of each code point: kind and script
    const uint32_t *lowered;  // of each code point
    const uint8_t *settled;   // whether a script needs no model
};

// The beginning of a text's words, with spaces where something else was.
struct Sample {
    uint32_t points[SAMPLE_CHARS];
    int count = 0;
    int spaces = 0;  // due if another word comes

    bool full() const { return count == SAMPLE_CHARS; }
    void part() { spaces += count > 0; }
    void take(uint32_t point) {
        for (; spaces > 0 && !full(); spaces--) points[count++] = ' ';
        if (!full()) points[count++] = point;
    }
};

// Goes on for as long as there are letters of some kinds.
const uint8_t *behind(const uint8_t *at, const uint8_t *end, unsigned kinds, const Tables &tables) {
    while (at < end) {
        const uint8_t *next = at;
        if (!(kinds >> (tables.letters[read_point(next)] & KIND_BITS) & 1)) break;
        at = next;
    }
    return at;
}

// Returns where the link that begins at `at` ends, or null when none does.
const uint8_t *behind_link(const uint8_t *at, const uint8_t *end, const Tables &tables) {
    static const char http[] = "http";
    if (end - at < 8) return nullptr;
    for (int i = 0; i < 4; i++)
        if ((at[i] | 0x20) != http[i]) return nullptr;
    at += 4;
    if ((*at | 0x20) == 's') at++;
    if (end - at < 4 || at[0] != ':' || at[1] != '/' || at[2] != '/') return nullptr;
    const uint8_t *start = at + 3;
    at = behind(start, end, ~(1u << SPACE), tables);
    return at == start ? nullptr : at;
}

void read_words(Sample &sample, const uint8_t *at, const uint8_t *end, const Tables &tables) {
    while (at < end && !sample.full()) {
        const uint8_t *start = at;
        uint32_t point = read_point(at);
        switch (tables.letters[point] & KIND_BITS) {
            case JOINER:
                sample.take(point);
                continue;
            case WORD: {
                bool may_link = (point | 0x20) == 'h';
                const uint8_t *link = may_link ? behind_link(start, end, tables) : nullptr;
                if (!link) {
                    sample.take(point);
                    continue;
                }
                at = link;
                break;
            }
            case SIGN:  // of a handle or a tag; joiners end it
                at = behind(at, end, 1 << WORD | 1 << DIGIT, tables);
                break;
            case DIGIT:
                at = behind(at, end, 1 << DIGIT, tables);
                break;
            default:
                at = behind(at, end, 1 << OTHER | 1 << SPACE, tables);
        }
        sample.part();
    }
}

// Returns the script of most letters: its number, or 0 for Latin, mixed and others.
int script_of(const Sample &sample, const Tables &tables) {
    int counts[SCRIPTS] = {0}, letters = 0;
    for (int i = 0; i < sample.count; i++) {
        letters += sample.points[i] != ' ';
        counts[tables.letters[sample.points[i]] >> SCRIPT_SHIFT]++;
    }
    // Japanese mixes kana with Han, so a little kana in a Han text is enough.
    if (counts[KANA] + counts[HAN] > 0.3 * letters)
        return counts[KANA] > 0.05 * letters ? KANA : HAN;
    for (int script = HAN + 1; script < SCRIPTS; script++)
        if (counts[script] > 0.4 * letters) return script;
    return 0;
}

// FNV-1a, with bytes from 0x80 on taken for negative numbers, as the models were trained.
struct Hash {
    uint32_t value = 2166136261;
    void add(uint8_t byte) {
        value ^= static_cast<uint32_t>(static_cast<int8_t>(byte));
        value *= 16777619;
    }
};

// What to take the mean of, in order: rows of words, as they are, and buckets of runs of letters,
// marked; first buckets, then rows are fetched while the next ones are still looked for.
struct Found {
    // At most one for each word, `longest` for each letter, `<` and `>`, and the end of the line.
    uint32_t places[MODEL_CHARS / 2 + 2 * MODEL_CHARS * LONGEST + 1];
    int count = 0;
    void add(uint32_t place) { places[count++] = place; }
};
constexpr uint32_t BUCKET = 0x80000000;

// x mod d without a division (Lemire, Kaser, Kurz 2019, arXiv:1902.01961).
struct Modulo {
    uint64_t inverse, divisor;
    explicit Modulo(uint32_t d) : inverse(UINT64_MAX / d + 1), divisor(d) {}
    uint32_t operator()(uint32_t x) const {
        return static_cast<unsigned __int128>(inverse * x) * divisor >> 64;
    }
};

void add_word(Found &found, const uint8_t *at, size_t size, const Model &model) {
    Hash hash;
    for (size_t i = 0; i < size; i++) hash.add(at[i]);
    int64_t slot = hash.value & (model.slot_count - 1);
    for (int32_t word; (word = model.slots[slot]) >= 0; slot = (slot + 1) & (model.slot_count - 1)) {
        int32_t start = word ? model.word_ends[word - 1] : 0;
        bool is_it = static_cast<size_t>(model.word_ends[word] - start) == size &&
                     memcmp(model.words + start, at, size) == 0;
        if (is_it) return found.add(word);
    }
}

// Adds all runs of letters in `<word>`.
void add_runs(Found &found, const uint8_t *at, const uint8_t *end, const Modulo &bucket_of,
              const Model &model) {
    while (at < end) {
        Hash hash;
        const uint8_t *next = at, *second = end;
        for (int64_t length = 1; length <= model.longest && next < end; length++) {
            do hash.add(*next++);
            while (next < end && (*next & 0xC0) == 0x80);
            if (length == 1) second = next;
            if (length < model.shortest) continue;
            uint32_t bucket = bucket_of(hash.value);
            __builtin_prefetch(model.buckets + bucket);
            found.add(BUCKET | bucket);
        }
        at = second;
    }
}

// Writes `<` and `>` around each word, in lower case, and returns how many bytes that are.
int write_lowered(uint8_t *start, const Sample &sample, const Tables &tables) {
    uint8_t *out = start;
    bool within = false;
    int count = sample.count < MODEL_CHARS ? sample.count : MODEL_CHARS;
    for (int i = 0; i < count; i++) {
        uint32_t point = sample.points[i];
        bool is_letter = point != ' ';
        if (is_letter != within) *out++ = is_letter ? '<' : '>';
        within = is_letter;
        if (!is_letter) continue;
        out = write_point(out, tables.lowered[point]);
        if (point == 0x130) out = write_point(out, 0x307);  // İ: i and a dot
    }
    if (within) *out++ = '>';
    return out - start;
}

struct Guess {
    int label = 0;
    double score = 0;
};

void walk(Guess &best, int64_t node, double score, const float *mean, const Model &model) {
    if (score < LEAST || score < best.score) return;
    if (node < model.label_count) {
        best.label = node;
        best.score = score;
        return;
    }
    int64_t inner = node - model.label_count;
    float dot = 0;
    for (int i = 0; i < DIMENSIONS; i++) dot += model.outputs[DIMENSIONS * inner + i] * mean[i];
    float right = 1 / (1 + std::exp(-dot));
    double scores[2] = {score * (1 - right + LEAST), score * (right + LEAST)};
    // The likelier side first: then the other may be left out.
    int side = right > 0.5f;
    walk(best, model.children[2 * inner + side], scores[side], mean, model);
    walk(best, model.children[2 * inner + !side], scores[!side], mean, model);
}

// Puts rows in the place of buckets, and leaves out those that the model has no row for.
void find_rows(Found &found, const Model &model) {
    int kept = 0;
    for (int i = 0; i < found.count; i++) {
        uint32_t place = found.places[i], row = place;
        bool is_row = true;
        if (place & BUCKET) {
            row = model.buckets[place & ~BUCKET];
            is_row = row != NONE;
            row += model.word_count;
        }
        __builtin_prefetch(model.rows + DIMENSIONS * static_cast<size_t>(row));
        found.places[kept] = row;
        kept += is_row;
    }
    found.count = kept;
}

FW_CLONES void mean_of(float *mean, const Found &found, const float *rows) {
    Row sum = {0};  // in order, as fastText adds: the rounding is the same
    for (int i = 0; i < found.count; i++)
        sum += *reinterpret_cast<const Row *>(rows + DIMENSIONS * found.places[i]);
    for (int i = 0; i < DIMENSIONS; i++) mean[i] = sum[i] * (1.0f / found.count);
}

Guess guess(const Sample &sample, const Tables &tables, const Modulo &bucket_of,
            const Model &model) {
    uint8_t lowered[MODEL_CHARS * 8];
    const uint8_t *end = lowered + write_lowered(lowered, sample, tables);
    Found found;
    for (const uint8_t *at = lowered; at < end;) {
        auto *behind_word = static_cast<const uint8_t *>(memchr(at, '>', end - at)) + 1;
        add_word(found, at + 1, behind_word - at - 2, model);
        add_runs(found, at, behind_word, bucket_of, model);
        at = behind_word;
    }
    found.add(model.end_of_line);
    find_rows(found, model);
    float mean[DIMENSIONS];
    mean_of(mean, found, model.rows);
    Guess best;
    walk(best, 2 * model.label_count - 2, 1, mean, model);
    return best;
}

struct Told {
    int chars, script;
    Guess guess;  // -1 where the model was not asked
};

class Looker {
  public:
    Looker(const Tables &tables, const Model *model)
        : tables_(tables), model_(*model), bucket_of_(model->bucket_count) {}

    Told look(const uint8_t *at, const uint8_t *end) const {
        Sample sample;
        read_words(sample, at, end, tables_);
        const int script = script_of(sample, tables_);
        const bool is_asked = sample.count > 0 && !tables_.settled[script];
        const Guess best = is_asked ? guess(sample, tables_, bucket_of_, model_) : Guess{-1, 0};
        return {sample.count, script, best};
    }

  private:
    const Tables tables_;
    const Model &model_;
    const Modulo bucket_of_;
};

}  // namespace
}  // namespace language
