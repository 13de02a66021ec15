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
    int64_t next_newest;  // the last position of its run
};

static int64_t parts_of(int64_t position) { return position / kPart + 1; }

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
    const int64_t count = share.run.count * sharing, first = part * kPart, end = first + kPart;
    const Row *row = step.row + share.run.first;
    const Bench bench = bench_at(share.room, size);
    const int64_t newest = row[share.run.count - 1].position, last = newest < end ? newest : end - 1;
    const bool is_few = count <= kPairs;
    const uint8_t *next = last < newest ? share.sight.head(end / kPage) : share.next.head(0);
    Part seen = part_of<kKind>(bench, share.sight, first, last);
    if (kKind != kFloats || !is_few)  // they do so themselves, when it is near
        look_through<kKind, false>(bench, share.sight, row->position, seen);
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
            const Road road{share.sight, seen, newest, share.next, share.next_newest};
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
    const int64_t first = part * kPart;
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
            case kFloats: look<kFloats>(queries, together, share.sight, first, first + kPart); break;
            case kHalves: look<kHalves>(queries, together, share.sight, first, first + kPart); break;
            default: look<kBytes>(queries, together, share.sight, first, first + kPart);
        }
    }
}

// Adds what they find in the part behind.
static void join_part(const Step &step, const Share &share, int64_t part, float *found,
                      float *next, int64_t apart) {
    const Shape &shape = step.network->shape;
    for (int64_t i = 0; i < share.run.count * shape.sharing(); i++)
        if (part < parts_of(step.row[share.run.first + i / shape.sharing()].position))
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
static void attend_in_order(const Step &step, const Share &share, int64_t parts, int64_t thread) {
    const Shape &shape = step.network->shape;
    const int64_t sharing = shape.sharing(), count = share.run.count * sharing;
    float *found = step.found + 2 * thread * step.found_room, *next = found + step.found_room;
    for (int64_t part = 0; part < parts; part++) {
        look_at_part(step, share, part, part ? next : found, shape.found());
        if (part) join_part(step, share, part, found, next, shape.found());
    }
    for (int64_t i = 0; i < count; i++)
        put_mixed(step, share.run.first + i / sharing, share.kv * sharing + i % sharing,
                  {found + i * shape.found()});
}

// One part; whoever is the last to end one joins them all.
static void attend_part(const Step &step, const Share &share, int64_t part, int64_t parts,
                        int32_t *done) {
    const Shape &shape = step.network->shape;
    const int64_t sharing = shape.sharing(), count = share.run.count * sharing;
    const int64_t apart = step.parts * shape.found();
    float *found = step.part_found +
                   (share.run.first * shape.query_heads + share.kv * count) * apart;
    look_at_part(step, share, part, found + part * shape.found(), apart);
    if (__atomic_add_fetch(done, 1, __ATOMIC_ACQ_REL) < parts) return;
    *done = 0;
    for (int64_t p = 1; p < parts; p++)
        join_part(step, share, p, found, found + p * shape.found(), apart);
    for (int64_t i = 0; i < count; i++)
        put_mixed(step, share.run.first + i / sharing, share.kv * sharing + i % sharing,
                  {found + i * apart});
}

static Sight sight_of(const Step &step, int64_t layer, int64_t index) {
    const int64_t kv_heads = step.network->shape.kv_heads;
    return {&step.pages, step.row[step.run[index / kv_heads].first].table,
            step.pages.offset(layer, index % kv_heads)};
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
        const Share share{layer, kv, run, sight_of(step, layer, index),
                          step.share_room + thread * step.share_bytes,
                          sight_of(step, layer, then),
                          step.row[next.first + next.count - 1].position};
        const int64_t parts = parts_of(step.row[run.first + run.count - 1].position);
        if (!step.parts || part < parts) begin_share(step, share);
        if (!step.parts) attend_in_order(step, share, parts, thread);
        if (step.parts && part < parts)
            attend_part(step, share, part, parts, step.parts_done + index);
    }
    end_attention();
}
