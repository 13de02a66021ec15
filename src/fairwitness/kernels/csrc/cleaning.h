// A text as X sends it made clean, and the links, hashtags and mentions that stand in it: the plain
// cases of what posts/clean.py and posts/sources/x_posts.py do. Whatever else may matter is doubted.
// kernels/stream.py makes the table.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "json.h"

namespace cleaning {

using json::Doubt;
using msgpack::Piece;

// What a code point is; kernels/stream.py has the same numbers.
enum Class : uint16_t {
    SPACE = 1,        // white space, of which
    BREAK = 2,        // ends a line, or
    ALONE = 4,        // does not even stay where it stands alone
    DOUBTFUL = 8,     // hidden, or perhaps not in NFC
    SELECTOR = 16,    // chooses a glyph for what is before it
    COMBINES = 32,    // two in a row are perhaps not in NFC
    WORD = 64,        // `\w`
    LETTER = 128,     // a hashtag has at least one
    IN_TAG = 256,     // a hashtag is made of them
    NO_TAG = 512,     // none begins behind them
    NO_NAME = 1024,   // no mention begins behind them
    STOP = 2048,      // ends a link
    HASH = 4096,
    AT = 8192,
};
constexpr uint16_t LOOKED_AT = SPACE | DOUBTFUL | SELECTOR | COMBINES;
constexpr size_t LONGEST = 20'000, LONGEST_LINK = 2'048, MOST_CUTS = 32, MOST_NAMED = 100;
constexpr size_t SAMPLE_CHARS = 80;

struct Cut {
    int64_t at;  // in characters
    Piece kind, was;
};

struct Link {
    Piece shown, full;  // as it stands in a text, and as its author wrote it
};

inline size_t chars_in(const uint8_t *at, const uint8_t *end) {
    return std::count_if(at, end, [](uint8_t byte) { return (byte & 0xC0) != 0x80; });
}

inline std::string_view view(Piece piece) {
    return {reinterpret_cast<const char *>(piece.at), piece.size};
}

inline bool has(const std::vector<Piece> &pieces, Piece piece) {
    return std::any_of(pieces.begin(), pieces.end(), [&](Piece each) { return json::is(each, piece); });
}

inline void add_once(std::vector<Piece> &pieces, Piece piece) {
    if (has(pieces, piece)) return;
    if (pieces.size() == MOST_NAMED) throw Doubt{};
    pieces.push_back(piece);
}

class Cleaned {
  public:
    std::vector<Cut> cuts;

    explicit Cleaned(const uint16_t *table) : table_(table) {}

    Piece text() const { return {text_.data(), text_.size()}; }

    // Takes a text with entities and white space of any sort.
    void clean(Piece raw) {
        if (raw.size > LONGEST) throw Doubt{};
        text_.resize(raw.size);
        cuts.clear();
        const uint8_t *at = raw.at, *end = raw.at + raw.size;
        uint8_t *out = text_.data();
        uint16_t before = 0;
        seen_ = 0;
        while (at < end) {
            const uint8_t *start = at;
            const uint32_t point = read_point(at);
            const uint16_t now = table_[point];
            seen_ |= now;
            if (point == '&') {
                out = unescape(at, end, out);
            } else if (!(now & LOOKED_AT)) {
                out = std::copy(start, at, out);
            } else if (now & SPACE) {
                out = fold(start, at, end, out);
            } else {
                if (now & DOUBTFUL || now & before & (SELECTOR | COMBINES)) throw Doubt{};
                out = std::copy(start, at, out);
            }
            before = now;
        }
        if (seen_ & SPACE) out = without_end(out);
        text_.resize(out - text_.data());
    }

    // Writes links as their authors wrote them, each of which `may_stand`.
    void write_out(const std::vector<Link> &links) {
        std::vector<const uint8_t *> places;
        const uint8_t *at = text_.data(), *end = at + text_.size(), *done = at;
        for (const Link &link : links) places.push_back(find(at, end, link.shown));
        std::vector<uint8_t> written;
        int64_t chars = 0;  // written by now
        size_t count = 0;
        while (true) {
            const auto first = std::min_element(places.begin(), places.end());
            if (first == places.end() || *first == end) break;
            if (++count > MOST_CUTS) throw Doubt{};
            const Link &link = links[first - places.begin()];
            chars += chars_in(done, *first) + chars_in(link.full);
            written.insert(written.end(), done, *first);
            written.insert(written.end(), link.full.at, link.full.at + link.full.size);
            done = *first + link.shown.size;
            note(link, chars);
            for (size_t i = 0; i < links.size(); i++)
                if (places[i] < done) places[i] = find(done, end, links[i].shown);
        }
        written.insert(written.end(), done, end);
        for (const Link &link : links) seen_ |= classes_of(link.full);
        text_ = std::move(written);
        std::stable_sort(cuts.begin(), cuts.end(), [](const Cut &a, const Cut &b) { return a.at < b.at; });
    }

    // Returns whether a link may stand in a clean text as it is; doubts where that is not plain.
    bool may_stand(Piece link) const {
        const std::string_view said = view(link);
        if (link.size > LONGEST) throw Doubt{};
        if (said.substr(0, 7) != "http://" && said.substr(0, 8) != "https://") return false;
        if (classes_of(link) & (LOOKED_AT & ~COMBINES)) throw Doubt{};
        uint16_t before = 0;
        for (const uint8_t *at = link.at; at < link.at + link.size;) {
            const uint16_t now = table_[read_point(at)];
            if (now & before & COMBINES) throw Doubt{};
            before = now;
        }
        return true;
    }

    // Returns whether a link has more than its beginning; it may stand.
    bool leads(Piece link) const {
        const uint8_t *at = link.at + (link.at[4] == 's' ? 8 : 7);
        return at < link.at + link.size && table_[read_point(at)] & WORD;
    }

    void add_links(std::vector<Piece> &links) const {
        const uint8_t *done = text_.data(), *end = done + text_.size();
        static const Piece mark = msgpack::named("://");
        for (const uint8_t *at = find(done, end, mark); at < end; at = find(at, end, mark)) {
            const uint8_t *start = begin_of(at, done), *next = at += 3;
            if (!start || at == end || !(table_[read_point(next)] & WORD)) continue;
            for (at = next; at < end && !(table_[read_point(next)] & STOP);) at = next;
            done = at;
            if (ends_with(start, at, "\xE2\x80\xA6")) continue;  // …
            const Piece link = without_punctuation(start, at);
            if (link.size > LONGEST_LINK) throw Doubt{};
            add_once(links, link);
        }
    }

    void add_tags(std::vector<Piece> &tags) const {
        if (!(seen_ & HASH)) return;
        uint16_t before = 0;
        for (const uint8_t *at = text_.data(), *end = at + text_.size(); at < end;) {
            const uint16_t now = table_[read_point(at)], was = before;
            before = now;
            if (!(now & HASH) || was & NO_TAG) continue;
            const uint8_t *start = at;
            uint16_t any = 0;
            for (const uint8_t *next = at; next < end; at = next) {
                const uint16_t in = table_[read_point(next)];
                if (!(in & IN_TAG)) break;
                any |= before = in;
            }
            if (any & LETTER) add_once(tags, {start, static_cast<size_t>(at - start)});
            else at = start, before = now;
        }
    }

    void add_names(std::vector<Piece> &names) const {
        if (!(seen_ & AT)) return;
        uint16_t before = 0;
        for (const uint8_t *at = text_.data(), *end = at + text_.size(); at < end;) {
            const uint16_t now = table_[read_point(at)], was = before;
            before = now;
            if (!(now & AT) || was & NO_NAME || at == end || !in_name(*at)) continue;
            const uint8_t *start = at;
            at = behind_name(behind(at, end), at);
            const bool has_home = at < end && *at == '@' && behind(start, end) == at;
            const uint8_t *home = has_home ? behind_name(behind(at + 1, end), at + 1) : at;
            if (home - at >= 3) at = home;  // the sign and two letters
            add_once(names, {start, static_cast<size_t>(at - start)});
            before = table_[at[-1]];
        }
    }

  private:
    const uint16_t *const table_;
    std::vector<uint8_t> text_;
    uint16_t seen_ = 0;

    static size_t chars_in(const uint8_t *at, const uint8_t *end) { return cleaning::chars_in(at, end); }
    static size_t chars_in(Piece piece) { return chars_in(piece.at, piece.at + piece.size); }

    static const uint8_t *find(const uint8_t *at, const uint8_t *end, Piece what) {
        if (at == end) return end;  // perhaps there is no text at all
        const void *found = memmem(at, end - at, what.at, what.size);
        return found ? static_cast<const uint8_t *>(found) : end;
    }

    uint16_t classes_of(Piece piece) const {
        uint16_t any = 0;
        for (const uint8_t *at = piece.at; at < piece.at + piece.size;) any |= table_[read_point(at)];
        return any;
    }

    // Writes what an entity behind `&` stands for.
    uint8_t *unescape(const uint8_t *&at, const uint8_t *end, uint8_t *out) {
        static const Piece known[] = {msgpack::named("&amp;"), msgpack::named("&lt;"),
                                      msgpack::named("&gt;"), msgpack::named("&quot;")};
        static const uint8_t meant[] = {'&', '<', '>', '"'};
        const uint8_t *start = at - 1;
        for (int i = 0; i < 4; i++) {
            const size_t size = known[i].size;
            if (static_cast<size_t>(end - start) < size || std::memcmp(start, known[i].at, size))
                continue;
            if (cuts.size() == MOST_CUTS) throw Doubt{};
            const int64_t chars = chars_in(text_.data(), out);
            cuts.push_back({chars, msgpack::named("entity"), known[i]});
            *out++ = meant[i];
            at = start + size;
            return out;
        }
        const uint8_t *next = at;
        while (next < end && (*next >= 0x80 || table_[*next] & WORD || *next == '#')) next++;
        if (next < end && *next == ';') throw Doubt{};
        *out++ = '&';
        return out;
    }

    // Writes what a run of white space is folded to; where nothing comes before it, nothing.
    uint8_t *fold(const uint8_t *start, const uint8_t *&at, const uint8_t *end, uint8_t *out) {
        int chars = 0, breaks = 0;
        uint16_t alone = 0;
        const uint8_t *behind = start;
        for (const uint8_t *next = start; next < end; behind = next, chars++) {
            const uint32_t point = read_point(next);
            const uint16_t now = table_[point];
            if (!(now & SPACE)) break;
            alone = now & ALONE;
            if (now & BREAK && !(point == '\n' && behind > start && behind[-1] == '\r')) breaks++;
        }
        at = behind;
        if (out == text_.data()) return out;
        if (chars == 1 && !alone) return std::copy(start, behind, out);
        if (!breaks) *out++ = ' ';
        for (int i = 0; i < std::min(breaks, 2); i++) *out++ = '\n';
        return out;
    }

    uint8_t *without_end(uint8_t *out) {
        while (out > text_.data()) {
            uint8_t *last = out - 1;
            while ((*last & 0xC0) == 0x80) last--;
            const uint8_t *next = last;
            if (!(table_[read_point(next)] & SPACE)) break;
            out = last;
        }
        return out;
    }

    // Moves the cuts behind a link that was written out up to `chars`, and adds one for it.
    void note(const Link &link, int64_t chars) {
        const int64_t more = chars_in(link.full) - chars_in(link.shown), end = chars - more;
        for (Cut &cut : cuts)
            if (cut.at >= end) cut.at += more;
        const uint8_t *sample = link.shown.at, *all = sample + link.shown.size;
        for (size_t i = 0; i < SAMPLE_CHARS && sample < all; i++) read_point(sample);
        const Piece was = {link.shown.at, static_cast<size_t>(sample - link.shown.at)};
        cuts.push_back({end - static_cast<int64_t>(chars_in(link.shown)), msgpack::named("url"), was});
    }

    // Returns where the `http` or `https` before `at` begins, not before `least`; else null.
    static const uint8_t *begin_of(const uint8_t *at, const uint8_t *least) {
        if (ends_with(least, at, "\xC5\xBF")) throw Doubt{};  // ſ, which is an s in any case
        if (at > least && (at[-1] | 0x20) == 's') at--;
        static const char http[] = "http";
        if (at - least < 4) return nullptr;
        for (int i = 0; i < 4; i++)
            if ((at[i - 4] | 0x20) != http[i]) return nullptr;
        return at - 4;
    }

    static bool ends_with(const uint8_t *start, const uint8_t *end, std::string_view what) {
        const size_t size = what.size();
        return static_cast<size_t>(end - start) >= size && !std::memcmp(end - size, what.data(), size);
    }

    // What belongs to the sentence goes; brackets of the link's own stay.
    static Piece without_punctuation(const uint8_t *start, const uint8_t *end) {
        int64_t round = std::count(start, end, ')') - std::count(start, end, '(');
        int64_t square = std::count(start, end, ']') - std::count(start, end, '[');
        while (true) {
            if (std::strchr(".,;:!?*", end[-1])) end--;
            else if (ends_with(start, end, "\xE2\x80\xA6") || ends_with(start, end, "\xE2\x80\x99")) end -= 3;  // … ’
            else if (end[-1] == ')' && round > 0) end--, round--;
            else if (end[-1] == ']' && square > 0) end--, square--;
            else return {start, static_cast<size_t>(end - start)};
        }
    }

    static bool in_name(uint8_t byte) {
        return (byte >= '0' && byte <= '9') || byte == '_' || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
    }

    static const uint8_t *behind(const uint8_t *at, const uint8_t *end) {
        while (at < end && (in_name(*at) || *at == '.' || *at == '-')) at++;
        return at;
    }

    // Leaves out dots and dashes at an end.
    static const uint8_t *behind_name(const uint8_t *end, const uint8_t *start) {
        while (end > start && !in_name(end[-1])) end--;
        return end;
    }
};

}  // namespace cleaning
