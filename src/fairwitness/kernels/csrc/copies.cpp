// Which posts are copies of which, in the order of their coming; `copies.py` says what the tables
// hold, and its plain twin does the same.
//
// Two passes over a block of posts: the first sketches each text and asks for the cache lines that
// the second will look at, so that it seldom waits for memory.

#include <cstring>

#include "kernel.h"
#include "sketch.h"

namespace {

constexpr int BLOCK = 32, EXACT_WAYS = 4, KEY_WAYS = 8, SAME_KEY_MAX = 4, HEADER = 3;
constexpr int CANDIDATES_MAX = KEYS * KEY_WAYS;
constexpr int POSITION_BITS = 40;
constexpr uint64_t POSITION_MASK = (uint64_t{1} << POSITION_BITS) - 1;
constexpr int64_t NONE = -1;
enum How : uint8_t { FIRST, EXACT, NEAR, REPOST };

struct Tables {
    uint64_t *exact;  // buckets of EXACT_WAYS pairs: hash, cluster; the newest first
    uint64_t exact_mask;
    uint64_t *keys;  // buckets of KEY_WAYS: tag << 40 | position of a record; the newest first
    uint64_t keys_mask;
    uint64_t *ring;  // records: cluster; kept | count << 16 | flags << 32; bits; units
    uint64_t ring_words;
    uint64_t *head;  // where the next record begins, counted since the beginning

    uint64_t *exact_bucket(uint64_t hash) const {
        return exact + (hash & exact_mask) * (2 * EXACT_WAYS);
    }
    uint64_t *key_bucket(uint64_t key) const { return keys + (key & keys_mask) * KEY_WAYS; }
    const uint64_t *record(uint64_t position) const {
        return ring + (position & (ring_words - 1));
    }
    bool is_whole(uint64_t position) const {
        return position != 0 && *head <= position + ring_words;
    }

    int64_t find_exact(uint64_t hash) const {
        const uint64_t *bucket = exact_bucket(hash);
        for (int way = 0; way < EXACT_WAYS; way++)
            if (bucket[2 * way] == hash) return static_cast<int64_t>(bucket[2 * way + 1]);
        return NONE;
    }

    // Puts a hash before the others of its bucket; it keeps the cluster that it has.
    void touch_exact(uint64_t hash, int64_t cluster) {
        uint64_t *bucket = exact_bucket(hash);
        int way = 0;
        while (way < EXACT_WAYS - 1 && bucket[2 * way] != hash) way++;
        const uint64_t held = bucket[2 * way] == hash ? bucket[2 * way + 1] : cluster;
        std::memmove(bucket + 2, bucket, way * 2 * sizeof *bucket);
        bucket[0] = hash;
        bucket[1] = held;
    }

    int find_candidates(const Sketch &sketch, uint64_t *found) const {
        int count = 0;
        for (int at = 0; at < sketch.keys_count; at++) {
            const uint64_t *bucket = key_bucket(sketch.keys[at]);
            for (int way = 0; way < KEY_WAYS; way++) {
                const uint64_t position = bucket[way] & POSITION_MASK;
                if ((bucket[way] ^ sketch.keys[at]) >> POSITION_BITS || !is_whole(position))
                    continue;
                if (std::find(found, found + count, position) == found + count)
                    found[count++] = position;
            }
        }
        for (int at = 0; at < count; at++) __builtin_prefetch(record(found[at]));
        return count;
    }

    Said said(const uint64_t *record) const {
        const uint64_t sizes = record[1];
        return {reinterpret_cast<const uint16_t *>(record + HEADER), record[2],
                static_cast<int>(sizes & 0xFFFF), static_cast<int>(sizes >> 16 & 0xFFFF),
                static_cast<int>(sizes >> 32)};
    }

    uint64_t append(int64_t cluster, const Said &said) {
        const uint64_t words = HEADER + (said.kept + 3) / 4;
        const uint64_t left = ring_words - (*head & (ring_words - 1));
        if (words > left) *head += left;
        const uint64_t position = *head;
        uint64_t kept[HEADER + UNITS / 4] = {};  // the record may lie where the new one will
        kept[0] = cluster;
        kept[1] = said.kept | uint64_t(said.count) << 16 | uint64_t(said.flags) << 32;
        kept[2] = said.bits;
        std::memcpy(kept + HEADER, said.units, said.kept * sizeof *said.units);
        std::memcpy(ring + (position & (ring_words - 1)), kept, words * sizeof *kept);
        *head += words;
        return position;
    }

    void put_key(uint64_t key, uint64_t position) {
        uint64_t *bucket = key_bucket(key);
        int drop = KEY_WAYS - 1, same = 0, oldest_same = 0;
        bool has_room = false;
        for (int way = KEY_WAYS - 1; way >= 0; way--) {
            const bool whole = is_whole(bucket[way] & POSITION_MASK);
            if (!whole && !has_room) {
                drop = way;
                has_room = true;
            }
            if (whole && (bucket[way] ^ key) >> POSITION_BITS == 0 && same++ == 0)
                oldest_same = way;
        }
        if (same >= SAME_KEY_MAX) drop = oldest_same;
        std::memmove(bucket + 1, bucket, drop * sizeof *bucket);
        bucket[0] = (key & ~POSITION_MASK) | position;
    }

    void put(const Sketch &sketch, int64_t cluster, const Said &said) {
        const uint64_t position = append(cluster, said);
        for (int at = 0; at < sketch.keys_count; at++) put_key(sketch.keys[at], position);
    }

    void prefetch(const Sketch &sketch) const {
        __builtin_prefetch(exact_bucket(sketch.exact), 1);
        for (int at = 0; at < sketch.keys_count; at++)
            __builtin_prefetch(key_bucket(sketch.keys[at]), 1);
    }

    int64_t nearest(const Sketch &sketch, const uint64_t *found, int count) const {
        int best = ALIKE - 1;
        int64_t cluster = NONE;
        for (int at = 0; at < count; at++) {
            const uint64_t *here = record(found[at]);
            if (is_hopeless(said(here), sketch.said())) continue;
            const int alike = likeness(said(here), sketch.said());
            const int64_t its = static_cast<int64_t>(here[0]);
            if (alike > best || (alike == best && cluster != NONE && its < cluster)) {
                best = alike;
                cluster = its;
            }
        }
        return cluster;
    }

    // Keeps a record of the cluster among the newer half, so that what is still copied is found.
    void keep(const Sketch &sketch, int64_t cluster, const uint64_t *found, int count) {
        uint64_t newest = 0;
        for (int at = 0; at < count; at++)
            if (static_cast<int64_t>(record(found[at])[0]) == cluster)
                newest = std::max(newest, found[at]);
        if (newest == 0) return put(sketch, cluster, sketch.said());
        if (*head - newest > ring_words / 2) put(sketch, cluster, said(record(newest)));
    }

    int64_t see(const Sketch &sketch, int64_t ordinal, int64_t given, uint8_t &how) {
        if (sketch.exact == 0) {
            how = given != NONE ? REPOST : FIRST;
            return given != NONE ? given : ordinal;
        }
        uint64_t found[CANDIDATES_MAX];
        const int count = find_candidates(sketch, found);
        int64_t cluster = given;
        how = REPOST;
        if (cluster == NONE) {
            cluster = find_exact(sketch.exact);
            how = EXACT;
        }
        if (cluster == NONE) {
            cluster = nearest(sketch, found, count);
            how = NEAR;
        }
        if (cluster == NONE) {
            cluster = ordinal;
            how = FIRST;
        }
        touch_exact(sketch.exact, cluster);
        if (sketch.keys_count) keep(sketch, cluster, found, count);
        return cluster;
    }
};

}  // namespace

FW_EXPORT void fw_sketches(const uint32_t *folds, const uint64_t *lexicon, const uint8_t *blob,
                           const int64_t *ends, int64_t texts, uint64_t *exact, uint64_t *keys,
                           uint16_t *units, int32_t *sizes, uint16_t *marks) {
    const Folds known{folds, lexicon};
    Sketcher sketcher(known);
    Sketch made;
    for (int64_t text = 0, start = 0; text < texts; start = ends[text++]) {
        sketcher.make(blob + start, ends[text] - start, made);
        exact[text] = made.exact;
        std::copy_n(made.keys, made.keys_count, keys + text * KEYS);
        std::copy_n(made.units, made.kept, units + text * UNITS);
        const int32_t counts[4] = {made.kept, made.count, made.keys_count, made.flags};
        std::copy_n(counts, 4, sizes + text * 4);
        std::copy_n(made.marks, static_cast<int>(MARKS), marks + text * MARKS);
    }
}

FW_EXPORT void fw_copies(const uint32_t *folds, const uint64_t *lexicon, uint64_t *exact,
                         int64_t exact_buckets, uint64_t *keys, int64_t key_buckets,
                         uint64_t *ring, int64_t ring_words, uint64_t *head, const uint8_t *blob,
                         const int64_t *ends, int64_t texts, int64_t first,
                         const int64_t *original, const int64_t *given, int64_t *clusters,
                         uint8_t *how, uint16_t *marks) {
    const Folds known{folds, lexicon};
    Sketcher sketcher(known);
    Tables tables{exact, uint64_t(exact_buckets - 1), keys, uint64_t(key_buckets - 1),
                  ring,  uint64_t(ring_words),        head};
    std::vector<Sketch> block(BLOCK);
    for (int64_t begin = 0, start = 0; begin < texts; begin += BLOCK) {
        const int64_t end = std::min<int64_t>(begin + BLOCK, texts);
        for (int64_t text = begin; text < end; start = ends[text++]) {
            Sketch &made = block[text - begin];
            sketcher.make(blob + start, ends[text] - start, made);
            std::copy_n(made.marks, static_cast<int>(MARKS), marks + text * MARKS);
            tables.prefetch(made);
        }
        for (int64_t text = begin; text < end; text++) {
            const int64_t source = original[text] - first;
            const bool is_here = source >= 0 && source < text;
            const int64_t from = is_here ? clusters[source] : given[text];
            clusters[text] = tables.see(block[text - begin], first + text, from, how[text]);
        }
    }
}
