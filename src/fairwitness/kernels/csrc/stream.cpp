// Lines of X's filtered stream into events as the log holds them, each composed as posts/compose.py
// would. A line that is not plain is left out: kernels/stream.py says who reads it then.

#include <cmath>
#include <cstring>

#include "cleaning.h"
#include "kernel.h"
#include "language.h"
#include "x_line.h"

using namespace msgpack;
using json::Doubt;

namespace {

// A language by the letters of its code, the first in the lowest byte; 0 is none.
using Code = uint32_t;

constexpr int CLAIM_LETTERS = 27;  // none, and a to z
constexpr int STEPS = 128, ENOUGH_CHARS = 12;
constexpr double SURE = 0.5, CERTAIN = 0.9;
constexpr size_t NAME_CHARS = 200;
constexpr uint8_t NOT_LATIN = 1, ONE = 1, HAN = 2;

}  // namespace

// What is known of languages, as kernels/stream.py lays it out; the same fields in the same order.
struct Tongues {
    const uint8_t *letters;        // these three as for language.h
    const uint32_t *lowered;
    const uint8_t *settled;
    const language::Model *model;
    const Code *labels;            // of the model
    const Code *claims;            // (27, 27, 27): what a claim of two or three letters amounts to
    const uint8_t *not_latin;      // beside each claim, whether that is not written in Latin
    const Code *writers;           // who writes in each script, each script's up to 0
    const int64_t *writer_starts;  // (scripts,)
    const uint8_t *kinds;          // of each script: ONE writer, or HAN
};

namespace {

struct Tongue {
    Code code;  // 0 where there is no telling
    double confidence;
};

class Teller {
  public:
    explicit Teller(const Tongues &known)
        : known_(known), looker_({known.letters, known.lowered, known.settled}, known.model) {}

    // As posts/language.py decides between what is seen and what is claimed.
    Tongue tell(Piece text, Piece claimed) const {
        const language::Told seen = looker_.look(text.at, text.at + text.size);
        const size_t place = place_of(claimed);
        Code claim = known_.claims[place];
        if (!seen.chars) return claim ? Tongue{claim, 0.5} : Tongue{0, 0.0};
        const Code *writers = known_.writers + known_.writer_starts[seen.script];
        const uint8_t kind = known_.kinds[seen.script];
        if (kind == ONE) return {*writers, claim == *writers ? 1.0 : 0.95};
        if (kind == HAN) return has(writers, claim) ? Tongue{claim, 0.9} : Tongue{*writers, 0.95};
        Code guess = known_.labels[seen.guess.label];
        double confidence = std::min(0.99, static_cast<double>(static_cast<float>(seen.guess.score)));
        confidence *= std::min(1.0, seen.chars / static_cast<double>(ENOUGH_CHARS));
        if (*writers && !has(writers, claim)) claim = 0;
        if (*writers && !has(writers, guess)) guess = 0, confidence = 0;
        if (claim && claim == guess) return {claim, 1.0};
        const bool romanised = !*writers && known_.not_latin[place] == NOT_LATIN;
        if (claim && confidence < (romanised ? SURE : CERTAIN)) return {claim, 0.7};
        return confidence >= SURE ? Tongue{guess, confidence} : Tongue{0, 0.0};
    }

  private:
    const Tongues &known_;
    const language::Looker looker_;

    static size_t place_of(Piece claimed) {
        if (claimed.size > 3) throw Doubt{};
        size_t place = 0;
        for (size_t i = 0; i < 3; i++) {
            const uint8_t letter = i < claimed.size ? claimed.at[i] : 'a' - 1;
            if (letter < 'a' - 1 || letter > 'z' || (i < claimed.size && letter < 'a')) throw Doubt{};
            place = CLAIM_LETTERS * place + (letter - ('a' - 1));
        }
        return place;
    }

    static bool has(const Code *writers, Code code) {
        for (; *writers; writers++)
            if (*writers == code) return true;
        return false;
    }
};

class Composer {
  public:
    Composer(const uint16_t *table, const Tongues &known) : cleaned_(table), teller_(known) {}

    void compose(const uint8_t *at, const uint8_t *end, int64_t seen_ms, Out &out) {
        json::Reader reader(at, end);
        x_line::read(reader, line_);
        const x_line::Words &whole = line_.whole();
        cleaned_.clean(whole.text);
        read_links(whole);
        if (!cleaned_.text().size) throw Doubt{};
        cleaned_.add_links(links_);
        tags_.clear(), cleaned_.add_tags(tags_);
        names_.clear();
        for (Piece name : whole.mentions) cleaning::add_once(names_, name);
        cleaned_.add_names(names_);
        const Tongue tongue = teller_.tell(cleaned_.text(), line_.lang);
        write(author(), x_line::moment_of(line_.created_at), seen_ms, tongue, out);
    }

  private:
    x_line::Line line_;
    cleaning::Cleaned cleaned_;
    const Teller teller_;
    std::vector<Piece> links_, tags_, names_;
    std::vector<cleaning::Link> full_;
    std::vector<uint8_t> quoted_;

    void read_links(const x_line::Words &whole) {
        links_.clear(), full_.clear();
        for (const x_line::Url &url : whole.urls) {
            if (url.unwound.size && cleaned_.may_stand(url.unwound) && cleaned_.leads(url.unwound)) {
                if (url.unwound.size > cleaning::LONGEST_LINK) throw Doubt{};
                cleaning::add_once(links_, url.unwound);
            }
            if (!url.url.size || !url.expanded.size || !cleaned_.may_stand(url.expanded)) continue;
            const auto same = std::find_if(full_.begin(), full_.end(), [&](const cleaning::Link &each) {
                return json::is(each.shown, url.url);
            });
            if (same != full_.end()) same->full = url.expanded;
            else if (full_.size() == cleaning::MOST_NAMED) throw Doubt{};
            else full_.push_back({url.url, url.expanded});
        }
        if (line_.quoted.size) {
            quoted_.clear();
            for (Piece piece : {named("https://x.com/i/status/"), line_.quoted})
                quoted_.insert(quoted_.end(), piece.at, piece.at + piece.size);
            cleaning::add_once(links_, {quoted_.data(), quoted_.size()});
        }
        if (!full_.empty()) cleaned_.write_out(full_);
    }

    Piece author() const {
        Piece name{};
        for (const x_line::User &user : line_.users)
            if (json::is(user.id, line_.author_id)) name = user.name;
        if (name.size > NAME_CHARS) throw Doubt{};
        for (size_t i = 0; i < name.size; i++)
            if (name.at[i] <= ' ' || name.at[i] > '~') throw Doubt{};
        if (name.size) return name;
        return line_.author_id.size ? line_.author_id : named("unknown");
    }

    void write(Piece author, int64_t created_ms, int64_t seen_ms, Tongue tongue, Out &out) const {
        out.heads(2, 0x80, 0xDE);
        out.text(named("type")), out.text(line_.versions > 1 ? named("edited") : named("posted"));
        out.text(named("post"));
        const bool has[] = {tongue.code != 0,           line_.reply_to.size > 0,
                            line_.repost_of.size > 0,   line_.conversation_id.size > 0,
                            !links_.empty(),            !tags_.empty(),
                            !names_.empty(),            !cleaned_.cuts.empty()};
        out.byte(0xDE), out.big(10 + std::count(has, has + 8, true), 2);  // as of all 18
        write_id("id", line_.first_id, out);
        out.text(named("network")), out.text(named("x"));
        out.text(named("author")), out.text(author);
        out.text(named("author_id")), out.text(line_.author_id);
        out.text(named("text")), out.text(cleaned_.text());
        out.text(named("created_ms")), out.number(created_ms);
        out.text(named("seen_ms")), out.number(seen_ms);
        const Piece page = named("https://x.com/i/status/");
        out.text(named("url")), out.text_of(page, line_.id);
        write_tongue(tongue, out);
        write_id("reply_to", line_.reply_to, out);
        write_id("repost_of", line_.repost_of, out);
        write_id("thread", line_.conversation_id, out);
        write_all(named("links"), links_, out);
        write_all(named("hashtags"), tags_, out);
        write_all(named("mentions"), names_, out);
        out.text(named("engagement")), out.heads(4, 0x90, 0xDC);
        for (const int64_t count : line_.counts) out.number(count);
        if (!cleaned_.cuts.empty()) write_cuts(out);
    }

    template <size_t SIZE>
    static void write_id(const char (&name)[SIZE], Piece id, Out &out) {
        if (!id.size) return;
        out.text(named(name)), out.text_of(named("x:"), id);
    }

    static void write_tongue(Tongue tongue, Out &out) {
        if (tongue.code) {
            uint8_t letters[4];
            std::memcpy(letters, &tongue.code, 4);
            out.text(named("lang")), out.text({letters, letters[2] ? size_t{3} : size_t{2}});
        }
        out.text(named("lang_confidence"));
        const double share = std::nearbyint(tongue.confidence * STEPS) / STEPS;
        uint64_t bits;
        std::memcpy(&bits, &share, 8);
        out.byte(0xCB), out.big(bits, 8);
    }

    static void write_all(Piece name, const std::vector<Piece> &pieces, Out &out) {
        if (pieces.empty()) return;
        out.text(name), out.heads(pieces.size(), 0x90, 0xDC);
        for (Piece piece : pieces) out.text(piece);
    }

    void write_cuts(Out &out) const {
        out.text(named("cuts")), out.heads(cleaned_.cuts.size(), 0x90, 0xDC);
        for (const cleaning::Cut &cut : cleaned_.cuts)
            out.heads(3, 0x90, 0xDC), out.number(cut.at), out.text(cut.kind), out.text(cut.was);
    }
};

}  // namespace

// lines: `count` of them in `blob`, each up to its end, and when each was seen; table: POINTS, as in
// cleaning.h. Writes events one after the other into `out`, as far as there is room, and where each
// ends; nothing for a line that is not plain.
FW_EXPORT void fw_stream(const uint8_t *blob, const int64_t *ends, const int64_t *seen_ms,
                         int64_t count, const uint16_t *table, const Tongues *known, uint8_t *out,
                         int64_t room, int64_t *out_ends) {
    Composer composer(table, *known);
    Out told(out, room);
    const uint8_t *at = blob;
    for (int64_t i = 0; i < count; i++) {
        const size_t before = told.size;
        const uint8_t *end = blob + ends[i];
        try {
            if (x_line::may_be(at, end)) composer.compose(at, end, seen_ms[i], told);
        } catch (const Doubt &) {
            told.size = before;
        }
        if (told.size > static_cast<size_t>(room)) told.size = before;
        out_ends[i] = told.size;
        at = end;
    }
}
