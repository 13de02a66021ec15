// What encoded posts say, as columns of numbers, without making a post of any of them.
// kernels/fields.py says what the columns are and has a plain twin.
//
// The bytes are an array of maps that our own encoder wrote, whose keys are in a fixed order.

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernel.h"
#include "msgpack.h"
#include "xxh64.h"

using namespace msgpack;

namespace {

enum Name { ID, NETWORK, AUTHOR, AUTHOR_ID, TEXT, CREATED_MS, SEEN_MS, LANG, REPLY_TO, REPOST_OF,
            LINKS, HASHTAGS, MENTIONS, ENGAGEMENT, NAMES };
enum Hash { OF_ID, OF_TEXT, OF_ACCOUNT, OF_HANDLE, OF_LANG, OF_NETWORK, HASHES };
enum Number { MADE, SEEN, COUNTS, NUMBERS = COUNTS + 4 };
enum Has : uint8_t { HAS_LINKS = 1, HAS_REPLY = 2, HAS_REPOST = 4, HAS_ACCOUNT = 8, ODD_HANDLE = 16 };

const Piece NAMED[NAMES] = {
    named("id"),        named("network"),    named("author"),   named("author_id"),
    named("text"),      named("created_ms"), named("seen_ms"),  named("lang"),
    named("reply_to"),  named("repost_of"),  named("links"),    named("hashtags"),
    named("mentions"),  named("engagement")};

struct Columns {
    int64_t *ends;
    uint64_t *hashes;  // (HASHES, posts)
    int64_t *numbers;  // (NUMBERS, posts)
    uint8_t *has;
    uint8_t *texts;
    int64_t *text_ends;
    uint8_t *tags;
    int64_t *tag_ends;
    uint64_t *links;
    int64_t *link_starts;
    uint8_t *asides;
    int64_t *aside_ends;
};

bool is(Piece piece, Piece name) {
    return piece.size == name.size && std::memcmp(piece.at, name.at, name.size) == 0;
}

class Table {
  public:
    Table(int64_t posts, const Columns &out) : posts_(posts), out_(out) { *out.link_starts = 0; }

    void read(Reader &reader, int64_t post) {
        post_ = post;
        for (int hash = 0; hash < HASHES; hash++) this->hash(hash) = 0;
        for (int number = 0; number < NUMBERS; number++) this->number(number) = -1;
        out_.has[post] = 0;
        network_ = account_ = author_ = {nullptr, 0};
        has_asides_ = false;
        int next = 0;
        for (size_t left = reader.map(); left > 0; left--) next = field(reader, next);
        add_account();
        add_aside();
        out_.aside_ends[post] = asides_;
        out_.text_ends[post] = texts_;
        out_.tag_ends[post] = tags_;
        out_.link_starts[post + 1] = links_;
    }

  private:
    const int64_t posts_;
    const Columns out_;
    int64_t post_ = 0, texts_ = 0, tags_ = 0, links_ = 0, asides_ = 0;
    Piece network_{}, account_{}, author_{};
    bool has_asides_ = false;  // beside its author
    std::vector<uint8_t> spelt_;

    uint64_t &hash(int which) { return out_.hashes[which * posts_ + post_]; }
    int64_t &number(int which) { return out_.numbers[which * posts_ + post_]; }
    static uint64_t hashed(Piece piece) { return xxh64(piece.at, piece.size); }

    // Reads one field, of which at least `next` come in this order; returns which is next.
    int field(Reader &reader, int next) {
        const Piece name = reader.text();
        for (int turn = 0; turn < NAMES; turn++, next = (next + 1) % NAMES) {
            if (is(NAMED[next], name)) {
                take(reader, next);
                return (next + 1) % NAMES;
            }
        }
        reader.skip();
        return next;
    }

    void take(Reader &reader, int name) {
        uint8_t &has = out_.has[post_];
        switch (name) {
            case ID: hash(OF_ID) = hashed(reader.text()); break;
            case NETWORK: hash(OF_NETWORK) = hashed(network_ = reader.text()); break;
            case AUTHOR: add_handle(author_ = reader.text()); break;
            case AUTHOR_ID: account_ = reader.text(); break;
            case TEXT: add_text(reader.text()); break;
            case CREATED_MS: number(MADE) = reader.number(); break;
            case SEEN_MS: number(SEEN) = reader.number(); break;
            case LANG: hash(OF_LANG) = hashed(reader.text()); break;
            case REPLY_TO: if (reader.text().size) has |= HAS_REPLY, has_asides_ = true; break;
            case REPOST_OF: if (reader.text().size) has |= HAS_REPOST; break;
            case LINKS: add_links(reader); break;
            case HASHTAGS: add_tags(reader); break;
            case MENTIONS: {
                const size_t mentions = reader.array();
                for (size_t n = 0; n < mentions; n++) reader.skip(), has_asides_ = true;
                break;
            }
            case ENGAGEMENT: {
                const size_t counts = reader.array();
                for (size_t n = 0; n < counts; n++) number(COUNTS + n) = reader.number();
            }
        }
    }

    void add_text(Piece text) {
        hash(OF_TEXT) = hashed(text);
        std::copy_n(text.at, text.size, out_.texts + texts_);
        texts_ += text.size;
        if (std::memchr(text.at, '$', text.size)) has_asides_ = true;
    }

    void add_links(Reader &reader) {
        const size_t count = reader.array();
        if (count) out_.has[post_] |= HAS_LINKS, has_asides_ = true;
        for (size_t n = 0; n < count; n++) out_.links[links_++] = hashed(reader.text());
    }

    void add_tags(Reader &reader) {
        const size_t count = reader.array();
        for (size_t n = 0; n < count; n++) {
            const Piece tag = reader.text();
            has_asides_ = true;
            if (n) out_.tags[tags_++] = ' ';
            out_.tags[tags_++] = '#';
            std::copy_n(tag.at, tag.size, out_.tags + tags_);
            tags_ += tag.size;
        }
    }

    void add_handle(Piece handle) {
        if (handle.size && *handle.at == '@') handle = {handle.at + 1, handle.size - 1};
        spelt_.assign(handle.at, handle.at + handle.size);
        uint8_t all = 0;
        for (uint8_t &letter : spelt_) {
            all |= letter;
            if (letter >= 'A' && letter <= 'Z') letter |= 32;
        }
        if (all & 0x80) out_.has[post_] |= ODD_HANDLE;
        hash(OF_HANDLE) = xxh64(spelt_.data(), spelt_.size());
    }

    // Where nothing but a plain handle stands beside the text.
    void add_aside() {
        if (has_asides_ || !author_.size) return;
        for (size_t i = 0; i < author_.size; i++) {
            const uint8_t byte = author_.at[i], low = byte | 0x20;
            if (!((byte >= '0' && byte <= '9') || (low >= 'a' && low <= 'z') || byte == '_')) return;
        }
        for (const uint8_t sign : {'@', ' '}) {
            out_.asides[asides_++] = sign;
            std::copy_n(author_.at, author_.size, out_.asides + asides_);
            asides_ += author_.size;
        }
    }

    void add_account() {
        if (account_.size) out_.has[post_] |= HAS_ACCOUNT;
        spelt_.assign(network_.at, network_.at + network_.size);
        spelt_.push_back('\n');
        spelt_.insert(spelt_.end(), account_.at, account_.at + account_.size);
        hash(OF_ACCOUNT) = xxh64(spelt_.data(), spelt_.size());
    }
};

}  // namespace

// encoded: an array of `posts` posts. Columns are (posts,), ends are behind what they end, in
// `encoded`, in `texts`, `tags` and `asides`, which like `links` need no more room than `encoded` has
// bytes, `tags` and `asides` twice as much.
FW_EXPORT void fw_fields(const uint8_t *encoded, int64_t posts, int64_t *ends, uint64_t *hashes,
                         int64_t *numbers, uint8_t *has, uint8_t *texts, int64_t *text_ends,
                         uint8_t *tags, int64_t *tag_ends, uint64_t *links, int64_t *link_starts,
                         uint8_t *asides, int64_t *aside_ends) {
    Table table(posts, {ends, hashes, numbers, has, texts, text_ends, tags, tag_ends, links,
                        link_starts, asides, aside_ends});
    Reader reader(encoded);
    reader.array();
    for (int64_t post = 0; post < posts; post++) {
        table.read(reader, post);
        ends[post] = reader.at() - encoded;
    }
}

// encoded: an array of `events`, all of which have to say a post. Writes an array of the posts into
// `out`, which needs no more room, where each ends, when each was made and when seen, (2, events),
// and whether it was edited. Returns the bytes of the array, -1 where an event says something else.
FW_EXPORT int64_t fw_posts_in(const uint8_t *encoded, int64_t events, uint8_t *out, int64_t *ends,
                              int64_t *moments, uint8_t *edited) {
    Reader reader(encoded);
    reader.array();
    uint8_t *to = std::copy(encoded, reader.at(), out);
    for (int64_t event = 0; event < events; event++) {
        if (reader.map() != 2 || !is(reader.text(), named("type"))) return -1;
        const Piece kind = reader.text();
        edited[event] = is(kind, named("edited"));
        if (!edited[event] && !is(kind, named("posted"))) return -1;
        if (!is(reader.text(), named("post"))) return -1;
        const uint8_t *start = reader.at();
        for (size_t left = reader.map(); left > 0; left--) {
            const Piece name = reader.text();
            if (is(name, named("created_ms"))) moments[event] = reader.number();
            else if (is(name, named("seen_ms"))) moments[events + event] = reader.number();
            else reader.skip();
        }
        to = std::copy(start, reader.at(), to);
        ends[event] = to - out;
    }
    return to - out;
}
