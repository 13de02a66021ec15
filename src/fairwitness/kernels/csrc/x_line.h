// A line of X's filtered stream, as far as posts/sources/x_posts.py reads it: what is plain. Any
// other line is doubted.
#pragma once

#include <vector>

#include "cleaning.h"
#include "json.h"

namespace x_line {

using json::Doubt;
using json::is;
using msgpack::named;
using msgpack::Piece;

constexpr size_t ID_DIGITS = 20;

struct Url {
    Piece url, expanded, unwound;
};

struct Words {
    Piece text;
    std::vector<Url> urls;
    std::vector<Piece> mentions;
};

struct User {
    Piece id, name;
};

// Values that a line does not have are empty, and counts -1.
struct Line {
    Piece id, first_id, author_id, created_at, lang, conversation_id, reply_to, quoted, repost_of;
    Words own, note;
    std::vector<User> users;
    int64_t counts[4];  // likes, reposts, replies, views
    int versions;

    const Words &whole() const { return note.text.size ? note : own; }
};

// Each name once: of two the last one would count.
class Seen {
  public:
    bool is(Piece name, Piece known, int bit) {
        if (!json::is(name, known)) return false;
        if (bits_ >> bit & 1) throw Doubt{};
        bits_ |= 1u << bit;
        return true;
    }

  private:
    uint32_t bits_ = 0;
};

inline Piece id_in(json::Reader &reader) {
    const Piece id = reader.text();
    if (id.size == 0 || id.size > ID_DIGITS) throw Doubt{};
    for (size_t i = 0; i < id.size; i++)
        if (id.at[i] < '0' || id.at[i] > '9') throw Doubt{};
    return id;
}

inline void read_entities(json::Reader &reader, Words &words) {
    Seen seen;
    reader.members([&](Piece name) {
        if (seen.is(name, named("urls"), 0)) {
            reader.items([&] {
                Url url{};
                Seen of_url;
                reader.members([&](Piece part) {
                    if (of_url.is(part, named("url"), 0)) url.url = reader.text();
                    else if (of_url.is(part, named("expanded_url"), 1)) url.expanded = reader.text();
                    else if (of_url.is(part, named("unwound_url"), 2)) url.unwound = reader.text();
                    else reader.skip();
                });
                words.urls.push_back(url);
            });
        } else if (seen.is(name, named("mentions"), 1)) {
            reader.items([&] {
                Seen of_mention;
                reader.members([&](Piece part) {
                    if (!of_mention.is(part, named("username"), 0)) return reader.skip();
                    const Piece username = reader.text();
                    if (username.size) words.mentions.push_back(username);
                });
            });
        } else {
            reader.skip();
        }
    });
}

inline void read_note(json::Reader &reader, Words &words) {
    Seen seen;
    reader.members([&](Piece name) {
        if (seen.is(name, named("text"), 0)) words.text = reader.text();
        else if (seen.is(name, named("entities"), 1)) read_entities(reader, words);
        else reader.skip();
    });
}

inline void read_reference(json::Reader &reader, Line &line) {
    Piece id{}, type{};
    Seen seen;
    reader.members([&](Piece name) {
        if (seen.is(name, named("id"), 0)) id = id_in(reader);
        else if (seen.is(name, named("type"), 1)) type = reader.text();
        else reader.skip();
    });
    if (!id.size) throw Doubt{};
    if (is(type, named("replied_to"))) line.reply_to = id;
    else if (is(type, named("retweeted"))) line.repost_of = id;
    else if (is(type, named("quoted"))) line.quoted = id;
}

inline void read_counts(json::Reader &reader, Line &line) {
    static const Piece names[] = {named("like_count"), named("retweet_count"), named("reply_count"),
                                  named("impression_count")};
    Seen seen;
    reader.members([&](Piece name) {
        for (int i = 0; i < 4; i++) {
            if (!seen.is(name, names[i], i)) continue;
            line.counts[i] = reader.count();
            return;
        }
        reader.skip();
    });
}

inline void read_post(json::Reader &reader, Line &line) {
    Seen seen;
    reader.members([&](Piece name) {
        if (seen.is(name, named("id"), 0)) line.id = id_in(reader);
        else if (seen.is(name, named("text"), 1)) line.own.text = reader.text();
        else if (seen.is(name, named("author_id"), 2)) line.author_id = id_in(reader);
        else if (seen.is(name, named("created_at"), 3)) line.created_at = reader.text();
        else if (seen.is(name, named("lang"), 4)) line.lang = reader.text();
        else if (seen.is(name, named("conversation_id"), 5)) line.conversation_id = id_in(reader);
        else if (seen.is(name, named("edit_history_tweet_ids"), 6)) {
            reader.items([&] {
                const Piece id = id_in(reader);
                if (!line.versions++) line.first_id = id;
            });
        } else if (seen.is(name, named("referenced_tweets"), 7)) {
            reader.items([&] { read_reference(reader, line); });
        } else if (seen.is(name, named("entities"), 8)) {
            read_entities(reader, line.own);
        } else if (seen.is(name, named("note_tweet"), 9)) {
            read_note(reader, line.note);
        } else if (seen.is(name, named("public_metrics"), 10)) {
            read_counts(reader, line);
        } else {
            reader.skip();
        }
    });
    if (!line.id.size) throw Doubt{};
    if (!line.versions) line.first_id = line.id;
}

inline void read_users(json::Reader &reader, Line &line) {
    Seen seen;
    reader.members([&](Piece name) {
        if (!seen.is(name, named("users"), 0)) return reader.skip();
        reader.items([&] {
            User user{};
            Seen of_user;
            bool is_known = false;
            reader.members([&](Piece part) {
                if (of_user.is(part, named("id"), 0)) user.id = reader.text(), is_known = true;
                else if (of_user.is(part, named("username"), 1)) user.name = reader.text();
                else reader.skip();
            });
            if (!is_known) throw Doubt{};
            line.users.push_back(user);
        });
    });
}

inline void clear(Words &words) {
    words.text = {nullptr, 0};
    words.urls.clear();
    words.mentions.clear();
}

inline void read(json::Reader &reader, Line &line) {
    line.id = line.first_id = line.author_id = line.created_at = line.lang = {nullptr, 0};
    line.conversation_id = line.reply_to = line.quoted = line.repost_of = {nullptr, 0};
    clear(line.own), clear(line.note), line.users.clear();
    std::fill_n(line.counts, 4, -1);
    line.versions = 0;
    Seen seen;
    bool has_post = false, has_rules = false;
    reader.members([&](Piece name) {
        if (seen.is(name, named("data"), 0)) read_post(reader, line), has_post = true;
        else if (seen.is(name, named("includes"), 1)) read_users(reader, line);
        else if (seen.is(name, named("matching_rules"), 2)) reader.skip(), has_rules = true;
        else throw Doubt{};  // a problem, or another shape of row
    });
    reader.end();
    if (!has_post || !has_rules) throw Doubt{};
}

// Returns whether a line may be one, by how it begins: most of another shape cost no more.
inline bool may_be(const uint8_t *at, const uint8_t *end) {
    static const char names[][7] = {"{\"data", "{\"incl", "{\"matc"};
    for (const char *name : names)
        if (end - at > 6 && !std::memcmp(at, name, 6)) return true;
    return false;
}

// Returns the moment of `2026-11-23T01:21:59.629Z`, with or without milliseconds, as Unix ms.
inline int64_t moment_of(Piece said) {
    static const char form[] = "0000-00-00T00:00:00.000Z";
    if (said.size != 20 && said.size != 24) throw Doubt{};
    int fields[7] = {0}, field = 0;
    for (size_t i = 0; i < said.size; i++) {
        const char wanted = i + 1 == said.size ? 'Z' : form[i];
        if (wanted == '0') {
            if (said.at[i] < '0' || said.at[i] > '9') throw Doubt{};
            fields[field] = 10 * fields[field] + (said.at[i] - '0');
        } else {
            if (said.at[i] != wanted) throw Doubt{};
            field++;
        }
    }
    const auto [year, month, day, hour, minute, second, parts] = fields;
    static const int days_of[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1970 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59)
        throw Doubt{};
    const bool leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day < 1 || day > days_of[month - 1] + (leaps && month == 2)) throw Doubt{};
    int64_t days = 365 * (year - 1970) + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    for (int before = 0; before < month - 1; before++) days += days_of[before];
    days += day - 1 + (leaps && month > 2);
    return 1000 * (((days * 24 + hour) * 60 + minute) * 60 + second) + parts;
}

}  // namespace x_line
