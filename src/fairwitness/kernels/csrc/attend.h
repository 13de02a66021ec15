// The stage of attention: each run's queries look at the keys before them, a kv head at a time.
#pragma once

#include "attention.h"
#include "dots.h"
#if FW_AMX
#include "attention_few.h"
#endif

// A run's queries that share a kv head.
struct Share {
    int64_t layer, kv;
    Run run;
    Sight sight;
    uint8_t *room;        // the thread's, of `share_bytes`
    Sight next;           // of the share behind this one
    int64_t next_first;   // the first position that its run sees
    int64_t next_newest;  // the last position of its run

    int64_t oldest(const Step &step) const { return step.row[run.first].position; }
    int64_t newest(const Step &step) const { return step.row[run.first + run.count - 1].position; }
    // The first part that a row sees, and that behind the last.
    int64_t first_part(const Step &step) const { return sight.begin(oldest(step)) / kPart; }
    int64_t end_part(const Step &step) const { return newest(step) / kPart + 1; }
    // Where its rows begin to see in a part, or a piece of `size` positions does that they see.
    int64_t first_in(const Step &step, int64_t part, int64_t size) const {
        const int64_t begin = sight.begin(oldest(step)) / size * size;
        return begin > part * kPart ? begin : part * kPart;
    }
};

#if FW_AMX

constexpr int64_t kRunRows = 64;  // for so many keys and values are put in tiles once

static int64_t share_bytes(const Shape &shape) {
    return bench_bytes(shape.head_size, kRunRows * shape.sharing());
}

static void begin_share(const Step &step, const Share &share) {
    const Shape &shape = step.network->shape;
    const int64_t size = shape.head_size, sharing = shape.sharing();
    const Bench bench = bench_at(share.room, size);
    for (int64_t i = 0; i < share.run.count * sharing; i++) {
        const int64_t head = share.kv * sharing + i % sharing;
        const float *q = step.q + (share.run.first + i / sharing) * shape.queries() + head * size;
        put_query(q, size, bench.query_row(i, size));
    }
}

template <int kKind>
static void look_in_part(const Step &step, const Share &share, int64_t part, float *found,
                         int64_t apart) {
    const Shape &shape = step.network->shape;
    const int64_t size = shape.head_size, sharing = shape.sharing();
    const int64_t count = share.run.count * sharing, end = (part + 1) * kPart;
    const int64_t first = share.first_in(step, part, kDeep);
    const Row *row = step.row + share.run.first;
    const Bench bench = bench_at(share.room, size);
    const int64_t newest = share.newest(step), last = newest < end ? newest : end - 1;
    const bool is_few = count <= kPairs;
    const uint8_t *next = last < newest ? share.sight.head(end / kPage)
                                        : keys_at<kKind>(share.next, share.next_first);
    Part seen = part_of<kKind>(bench, share.sight, first, last);
    if (kKind != kFloats || !is_few)  // they do so themselves, when it is near
        look_through<kKind, false>(bench, share.sight, row->position, newest, seen);
    if (!is_few) begin_attention();
    if (!is_few && kKind != kFloats) put_part<kKind>(bench, share.sight, seen, next);
    written();
    for (int64_t from = 0; from < count;) {
        Seekers seekers;
        seekers.count = seekers_of(count - from);
        seekers.queries = bench.query_row(from, size);
        seekers.found = found + from * apart;
        seekers.apart = apart;
        for (int64_t i = 0; i < seekers.count; i++)
            seekers.positions[i] = row[(from + i) / sharing].position;
        if constexpr (kKind == kFloats) {
            const Road road{share.sight, seen, newest, share.next, share.next_first, share.next_newest};
            if (is_few) return look_along(bench, seekers, road);
        }
        if (is_few) return look_as_few<kKind>(bench, share.sight, seekers, seen, next);
        look_in_tiles<kKind>(bench, share.sight, seekers, seen);
        from += seekers.count;
    }
}

// What all queries of a share find in one part, the `i`th at found + i * apart.
static void look_at_part(const Step &step, const Share &share, int64_t part, float *found,
                         int64_t apart) {
    switch (step.pages.kind) {
        case kFloats: return look_in_part<kFloats>(step, share, part, found, apart);
        case kHalves: return look_in_part<kHalves>(step, share, part, found, apart);
        default: return look_in_part<kBytes>(step, share, part, found, apart);
    }
}

static void join_part(const Step &step, const Share &share, int64_t, float *found,
                      const float *next, int64_t apart) {
    const Shape &shape = step.network->shape;
    join_tiles(found, next, apart, share.run.count * shape.sharing(), shape.head_size);
}

#else

constexpr int64_t kRunRows = 16;  // so that threads have enough to share

static int64_t share_bytes(const Shape &) { return 0; }
static void begin_share(const Step &, const Share &) {}
static void end_attention() {}

// What all queries of a share find in one part, the `i`th at found + i * apart.
static void look_at_part(const Step &step, const Share &share, int64_t part, float *found,
                         int64_t apart) {
    const Shape &shape = step.network->shape;
    const int64_t size = shape.head_size, sharing = shape.sharing();
    const int64_t first = share.first_in(step, part, kPage), end = (part + 1) * kPart;
    for (int64_t from = 0; from < share.run.count * sharing; from += kTogether) {
        Query queries[kTogether];
        int64_t together = 0;
        for (int64_t i = from; i < from + kTogether && i < share.run.count * sharing; i++) {
            const int64_t r = share.run.first + i / sharing;
            const int64_t head = share.kv * sharing + i % sharing;
            queries[together++] = {step.q + r * shape.queries() + head * size,
                                   step.row[r].position, found + i * apart};
        }
        switch (step.pages.kind) {
            case kFloats: look<kFloats>(queries, together, share.sight, first, end); break;
            case kHalves: look<kHalves>(queries, together, share.sight, first, end); break;
            default: look<kBytes>(queries, together, share.sight, first, end);
        }
    }
}

// Adds what they find in the part behind.
static void join_part(const Step &step, const Share &share, int64_t part, float *found,
                      float *next, int64_t apart) {
    const Shape &shape = step.network->shape;
    for (int64_t i = 0; i < share.run.count * shape.sharing(); i++)
        if (part * kPart <= step.row[share.run.first + i / shape.sharing()].position)
            join({found + i * apart}, {next + i * apart}, shape.head_size);
}

#endif

// Ends one query: what it found is for the matrix behind attention.
static void put_mixed(const Step &step, int64_t r, int64_t head, Found found) {
    const int64_t size = step.network->shape.head_size;
    const float share = 1.0f / found.sum();
    float *mixed = step.mixed + r * step.network->shape.queries() + head * size;
    for (int64_t k = 0; k < size; k += 16) store(mixed + k, load(found.values() + k) * share);
}

// All parts, one behind the other.
static void attend_in_order(const Step &step, const Share &share, int64_t thread) {
    const Shape &shape = step.network->shape;
    const int64_t sharing = shape.sharing(), count = share.run.count * sharing;
    float *found = step.found + 2 * thread * step.found_room, *next = found + step.found_room;
    const int64_t first = share.first_part(step), end = share.end_part(step);
    for (int64_t part = first; part < end; part++) {
        look_at_part(step, share, part, part > first ? next : found, shape.found());
        if (part > first) join_part(step, share, part, found, next, shape.found());
    }
    for (int64_t i = 0; i < count; i++)
        put_mixed(step, share.run.first + i / sharing, share.kv * sharing + i % sharing,
                  {found + i * shape.found()});
}

// One part; whoever is the last to end one joins them all.
static void attend_part(const Step &step, const Share &share, int64_t part, int32_t *done) {
    const Shape &shape = step.network->shape;
    const int64_t first = share.first_part(step), end = share.end_part(step);
    const int64_t sharing = shape.sharing(), count = share.run.count * sharing;
    const int64_t apart = step.parts * shape.found();
    float *found = step.part_found +
                   (share.run.first * shape.query_heads + share.kv * count) * apart;
    look_at_part(step, share, part, found + part * shape.found(), apart);
    if (__atomic_add_fetch(done, 1, __ATOMIC_ACQ_REL) < end - first) return;
    *done = 0;
    float *whole = found + first * shape.found();
    for (int64_t p = first + 1; p < end; p++)
        join_part(step, share, p, whole, found + p * shape.found(), apart);
    for (int64_t i = 0; i < count; i++)
        put_mixed(step, share.run.first + i / sharing, share.kv * sharing + i % sharing,
                  {whole + i * apart});
}

static Sight sight_of(const Step &step, int64_t layer, int64_t index) {
    const int64_t kv_heads = step.network->shape.kv_heads;
    return {&step.pages, step.row[step.run[index / kv_heads].first].table,
            step.pages.offset(layer, index % kv_heads), step.network->layers[layer].window,
            step.network->score_cap};
}

static void attend_all(const Step &step, int64_t layer, int64_t thread) {
    const Shape &shape = step.network->shape;
    const int64_t shares = step.runs * shape.kv_heads, splits = step.parts ? step.parts : 1;
    const int64_t pieces = shares * splits;
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const int64_t index = shares - 1 - piece / splits;  // the longest first
        const int64_t part = piece % splits, kv = index % shape.kv_heads;
        const Run &run = step.run[index / shape.kv_heads];
        const int64_t then = index ? index - 1 : 0;
        const Run &next = step.run[then / shape.kv_heads];
        const Sight next_sight = sight_of(step, layer, then);
        const Share share{layer, kv, run, sight_of(step, layer, index),
                          step.share_room + thread * step.share_bytes,
                          next_sight,
                          next_sight.begin(step.row[next.first].position),
                          step.row[next.first + next.count - 1].position};
        const bool is_seen = part >= share.first_part(step) && part < share.end_part(step);
        if (!step.parts || is_seen) begin_share(step, share);
        if (!step.parts) attend_in_order(step, share, thread);
        if (step.parts && is_seen) attend_part(step, share, part, step.parts_done + index);
    }
    end_attention();
}
