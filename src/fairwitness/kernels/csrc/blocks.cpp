// Posts that share a block, field by field so that what is alike stands together, and back.
// kernels/blocks.py says what stands where and has a plain twin, equal to the byte.

#include <cmath>
#include <cstring>
#include <vector>

#include "block_fields.h"
#include "kernel.h"

namespace {

class ByField {
  public:
    explicit ByField(size_t posts) { put_varint(masks_, posts); }

    void add(Reader &reader) {
        Piece has[NAMES] = {};
        uint32_t mask = 0;
        int64_t moments[NAMES] = {};
        int next = 0;
        for (size_t left = reader.map(); left > 0; left--, next++) {
            next = find(reader.text(), next);
            mask |= 1u << next;
            if (is_moment(next)) moments[next] = reader.number();
            else has[next] = is_value(next) ? value(reader) : reader.text();
        }
        put_varint(masks_, mask ^ mask_);
        mask_ = mask;
        const uint64_t made = moments[CREATED_MS], seen = moments[SEEN_MS];
        for (int name = 0; name < NAMES; name++) {
            if (!(mask >> name & 1)) continue;
            if (name == CREATED_MS) put_varint(bytes_[name], zigzag(made - seen));
            else if (name == SEEN_MS) put_varint(bytes_[name], zigzag(seen - seen_));
            else add(name, has);
        }
        seen_ = seen;
    }

    Bytes all() const {
        Bytes all = masks_;
        for (int name = 0; name < NAMES; name++) {
            all.insert(all.end(), sizes_[name].begin(), sizes_[name].end());
            all.insert(all.end(), bytes_[name].begin(), bytes_[name].end());
            if (name == ID) all.insert(all.end(), numbers_.begin(), numbers_.end());
        }
        return all;
    }

  private:
    Bytes masks_, numbers_, sizes_[NAMES], bytes_[NAMES], spelt_, before_;
    uint32_t mask_ = 0;
    uint64_t seen_ = 0, number_ = 0;

    // Returns which field `name` is; of those it is at least `next`.
    static int find(Piece name, int next) {
        for (; next < NAMES; next++)
            if (NAMED[next].size == name.size && !memcmp(NAMED[next].at, name.at, name.size))
                return next;
        throw Damage{};
    }

    static Piece value(Reader &reader) {
        const uint8_t *at = reader.at();
        reader.skip();
        return {at, static_cast<size_t>(reader.at() - at)};
    }

    void add(int name, const Piece *has) {
        Piece piece = has[name];
        spelt_.clear();
        if (name == CONFIDENCE) {
            spell_confidence(piece);
        } else if (name == ID) {
            spell_id(piece, has[AUTHOR_ID]);
        } else {
            put(spelt_, piece);
            if (points(name)) {
                mark(has[ID], WHOLE_ID);
                mark(tail_of(has[ID]), ID_TAIL);
                mark(has[AUTHOR], HANDLE);
            }
            if (points(name) || name == AUTHOR) mark(has[AUTHOR_ID], ACCOUNT);
        }
        put_varint(sizes_[name], spelt_.size());
        put(bytes_[name], {spelt_.data(), spelt_.size()});
    }

    void spell_id(Piece id, Piece account) {
        const size_t digits = digits_of(id);
        put(spelt_, {id.at, id.size - digits});
        mark(account, ACCOUNT);
        if (digits == 0) return;
        uint64_t number = 0;
        for (size_t i = id.size - digits; i < id.size; i++) number = 10 * number + (id.at[i] - '0');
        spelt_.push_back(NUMBER);
        put_varint(numbers_, zigzag(number - number_));
        number_ = number;
    }

    // Most are a number of 256ths, one byte where nine stood.
    void spell_confidence(Piece value) {
        uint64_t bits = 0;
        for (size_t i = 1; i < value.size; i++) bits = bits << 8 | value.at[i];
        double share = -1;
        if (*value.at == 0xCB) memcpy(&share, &bits, sizeof share);
        const double parts = share * 256;
        if (parts >= 0 && parts < 256 && parts == std::floor(parts) && !std::signbit(share)) {
            spelt_.push_back(static_cast<uint8_t>(parts));
        } else {
            spelt_.push_back(NEVER);
            put(spelt_, value);
        }
    }

    // Puts `mark` where `what` first stands.
    void mark(Piece what, Mark mark) {
        if (what.size < MARKED_BYTES || what.size > spelt_.size()) return;
        const void *found = memmem(spelt_.data(), spelt_.size(), what.at, what.size);
        if (!found) return;
        const auto at = spelt_.begin() + (static_cast<const uint8_t *>(found) - spelt_.data());
        *at = mark;
        spelt_.erase(at + 1, at + what.size);
    }
};

struct Told {
    Piece has[NAMES] = {};
    int64_t moments[NAMES] = {};
    uint64_t number = 0;
};

class ByPost {
  public:
    // Reads `count` posts from `first` on, as far as there are, and of their fields those up to `last`.
    ByPost(const uint8_t *block, size_t size, size_t first, size_t count, int last = CUTS)
        : at_(block), end_(block + size) {
        const uint64_t posts = varint();
        if (posts > size) throw Damage{};
        masks_.resize(posts), sizes_.resize(posts);
        uint32_t before = 0, all = 1u << CREATED_MS;
        for (uint32_t &mask : masks_) {
            mask = before ^= varint();
            all |= mask, every_ &= mask;
        }
        first_ = std::min<size_t>(first, posts);
        told_.resize(std::min<size_t>(count, posts - first_));
        for (int name = 0; name <= last; name++) {
            if (!(all >> name & 1)) continue;
            if (name == CREATED_MS) read_moments();
            else if (name != SEEN_MS) read(name);
        }
    }

    size_t count() const { return told_.size(); }
    Piece text(size_t number) const { return told_[number].has[TEXT]; }

    void write(size_t number, Out &out) {
        Told &post = told_[number];
        const uint32_t mask = masks_[first_ + number];
        out.heads(__builtin_popcount(mask), 0x80, 0xDE);
        for (int name : {AUTHOR, ID, URL, REPLY_TO, REPOST_OF, THREAD}) spell(post, name);
        for (int name = 0; name < NAMES; name++) {
            if (!(mask >> name & 1)) continue;
            out.text(NAMED[name]);
            if (is_moment(name)) out.number(post.moments[name]);
            else if (name == CONFIDENCE) write_confidence(post.has[name], out);
            else if (is_value(name)) out.piece(post.has[name]);
            else out.text(post.has[name]);
        }
    }

  private:
    const uint8_t *at_, *end_;
    std::vector<uint32_t> masks_;
    uint32_t every_ = ~uint32_t{0};  // fields that all have
    size_t first_;
    std::vector<Told> told_;
    std::vector<uint32_t> sizes_;
    Bytes spelt_[NAMES];

    uint64_t varint() {
        if (at_ < end_ && *at_ < 128) return *at_++;
        uint64_t number = 0;
        for (int shift = 0; shift < 70 && at_ < end_; shift += 7) {
            const uint8_t byte = *at_++;
            number |= static_cast<uint64_t>(byte & 127) << shift;
            if (byte < 128) return number;
        }
        throw Damage{};
    }

    bool has(size_t post, int name) const { return masks_[post] >> name & 1; }

    // Returns the post if it is one of those that are read, else null.
    Told *told(size_t post) { return post - first_ < told_.size() ? &told_[post - first_] : nullptr; }

    void read(int name) {
        const size_t before = having(name, 0, first_);
        const size_t mine = having(name, first_, first_ + told_.size());
        const size_t after = having(name, first_ + told_.size(), masks_.size());
        read_sizes(before + mine + after);
        const uint8_t *bytes = at_;
        const uint32_t *size = sizes_.data();
        pass(size, before);
        size += before;
        for (size_t post = 0; post < told_.size(); post++) {
            if (!has(first_ + post, name)) continue;
            told_[post].has[name] = {at_, *size};
            pass(size++, 1);
        }
        pass(size, after);
        if (name == ID) read_numbers(bytes);
    }

    size_t having(int name, size_t first, size_t end) const {
        if (every_ >> name & 1) return end - first;
        size_t count = 0;
        for (; first < end; first++) count += has(first, name);
        return count;
    }

    void read_sizes(size_t count) {
        size_t done = 0;
        for (uint64_t eight; count - done >= 8 && end_ - at_ >= 8; done += 8, at_ += 8) {
            memcpy(&eight, at_, 8);
            if (eight & 0x8080808080808080) break;
            for (int i = 0; i < 8; i++) sizes_[done + i] = eight >> 8 * i & 127;
        }
        for (; done < count; done++) sizes_[done] = varint();
    }

    void pass(const uint32_t *sizes, size_t count) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; i++) bytes += sizes[i];
        if (bytes > static_cast<uint64_t>(end_ - at_)) throw Damage{};
        at_ += bytes;
    }

    // Reads those of the ids that have one, whose bytes begin at `id`.
    void read_numbers(const uint8_t *id) {
        uint64_t number = 0;
        const uint32_t *size = sizes_.data();
        for (size_t post = 0; post < masks_.size(); post++) {
            if (!has(post, ID)) continue;
            id += *size;
            if (*size++ == 0 || id[-1] != NUMBER) continue;
            number += unzigzag(varint());
            if (Told *mine = told(post)) mine->number = number;
        }
    }

    void read_moments() {
        for (size_t post = 0; post < masks_.size(); post++) {
            const uint64_t later = has(post, CREATED_MS) ? unzigzag(varint()) : 0;
            if (Told *mine = told(post)) mine->moments[CREATED_MS] = later;
        }
        uint64_t seen = 0;
        for (size_t post = 0; post < masks_.size(); post++) {
            seen += has(post, SEEN_MS) ? unzigzag(varint()) : 0;
            Told *mine = told(post);
            if (!mine) continue;
            mine->moments[SEEN_MS] = seen;
            mine->moments[CREATED_MS] = static_cast<uint64_t>(mine->moments[CREATED_MS]) + seen;
        }
    }

    // Puts what marks stand for in their places; what they stand for has been.
    void spell(Told &post, int name) {
        const Piece piece = post.has[name];
        size_t plain = 0;
        while (plain < piece.size && piece.at[plain] < HANDLE) plain++;
        if (plain == piece.size) return;
        Bytes &spelt = spelt_[name];
        spelt.clear();
        for (size_t i = 0; i < piece.size; i++) {
            switch (piece.at[i]) {
                case ACCOUNT: put(spelt, post.has[AUTHOR_ID]); break;
                case HANDLE: put(spelt, post.has[AUTHOR]); break;
                case WHOLE_ID: put(spelt, post.has[ID]); break;
                case ID_TAIL: put(spelt, tail_of(post.has[ID])); break;
                case NUMBER: put_number(spelt, post.number); break;
                default: spelt.push_back(piece.at[i]);
            }
        }
        post.has[name] = {spelt.data(), spelt.size()};
    }

    static void put_number(Bytes &bytes, uint64_t number) {
        uint8_t digits[20];
        size_t begin = sizeof digits;
        for (; number > 0; number /= 10) digits[--begin] = '0' + number % 10;
        put(bytes, {digits + begin, sizeof digits - begin});
    }

    static void write_confidence(Piece told, Out &out) {
        if (told.size != 1) return out.piece({told.at + 1, told.size ? told.size - 1 : 0});
        const double share = *told.at / 256.0;
        uint64_t bits;
        memcpy(&bits, &share, sizeof bits);
        out.byte(0xCB);
        out.big(bits, 8);
    }
};

}  // namespace

// posts: so many encoded posts, one after the other. Returns how many bytes they are field by field,
// which were written as far as there was room; -1 for what is no post.
FW_EXPORT int64_t fw_by_field(const uint8_t *encoded, int64_t posts, uint8_t *out, int64_t room) {
    try {
        ByField fields(posts);
        Reader reader(encoded);
        for (int64_t post = 0; post < posts; post++) fields.add(reader);
        const Bytes all = fields.all();
        std::copy_n(all.begin(), std::min<size_t>(all.size(), room), out);
        return all.size();
    } catch (const Damage &) {
        return -1;
    }
}

// Returns how many bytes the `count` posts from `first` on are as an array, which were written as
// far as there was room; fewer posts where the block has no more; -1 for what is no block.
FW_EXPORT int64_t fw_by_post(const uint8_t *block, int64_t size, int64_t first, int64_t count,
                             uint8_t *out, int64_t room) {
    try {
        ByPost posts(block, size, first, count);
        Out told(out, room);
        told.heads(posts.count(), 0x90, 0xDC);
        for (size_t post = 0; post < posts.count(); post++) posts.write(post, told);
        return told.size;
    } catch (const Damage &) {
        return -1;
    }
}

// Writes the text of one post of each block, one after the other, as far as there is room, and where
// each ends; returns where the last does, or -1 less the number of the block that has no such post
// or is none.
FW_EXPORT int64_t fw_block_texts(const uint8_t *const *blocks, const int64_t *sizes,
                                 const int64_t *posts, int64_t count, uint8_t *out, int64_t room,
                                 int64_t *ends) {
    Out told(out, room);
    for (int64_t i = 0; i < count; i++) {
        try {
            const ByPost post(blocks[i], sizes[i], posts[i], 1, TEXT);
            if (post.count() == 0) return -1 - i;
            told.piece(post.text(0));
        } catch (const Damage &) {
            return -1 - i;
        }
        ends[i] = told.size;
    }
    return told.size;
}
