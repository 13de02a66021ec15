// The stage of attention: each run's queries look at the keys before them, a kv head at a time.
#pragma once

#include "attention.h"
#include "dots.h"

static void quantise_row(const float *x, const Vectors &out, int64_t vector, int64_t first_block,
                         int64_t blocks) {
    const Group group = group_here(vector, out.count);
    for (int64_t b = 0; b < blocks; b++) {
        const int64_t place = out.place(group, vector, first_block + b);
        quantise(x + b * kColumns, out.numbers + place * kBlockBytes, out.scales + place);
    }
}

// A run's queries that share a kv head.
struct Share {
    int64_t layer, kv;
    Run run;
    Sight sight;
};

static int64_t parts_of(int64_t position) { return position / kPart + 1; }

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

// Ends one query: what it found becomes numbers for the matrix behind attention.
static void put_mixed(const Step &step, int64_t r, int64_t head, Found found) {
    const int64_t size = step.network->shape.head_size;
    const float share = 1.0f / found.sum();
    for (int64_t k = 0; k < size; k += 16)
        store(found.values() + k, load(found.values() + k) * share);
    quantise_row(found.values(), step.mixed, r, head * size / kColumns, size / kColumns);
}

// All parts, one behind the other.
static void attend_in_order(const Step &step, const Share &share, int64_t parts, int64_t thread) {
    const Shape &shape = step.network->shape;
    const int64_t sharing = shape.sharing(), count = share.run.count * sharing;
    float *found = step.found + 2 * thread * step.found_room, *next = found + step.found_room;
    for (int64_t part = 0; part < parts; part++) {
        look_at_part(step, share, part, part ? next : found, shape.found());
        for (int64_t i = 0; part && i < count; i++)
            if (part < parts_of(step.row[share.run.first + i / sharing].position))
                join({found + i * shape.found()}, {next + i * shape.found()}, shape.head_size);
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
    for (int64_t i = 0; i < count; i++) {
        const int64_t r = share.run.first + i / sharing;
        const Found all_found{found + i * apart};
        for (int64_t p = 1; p < parts_of(step.row[r].position); p++)
            join(all_found, {all_found.told + p * shape.found()}, shape.head_size);
        put_mixed(step, r, share.kv * sharing + i % sharing, all_found);
    }
}

static void attend_all(const Step &step, int64_t layer, int64_t thread) {
    const Shape &shape = step.network->shape;
    const int64_t shares = step.runs * shape.kv_heads, splits = step.parts ? step.parts : 1;
    const int64_t pieces = shares * splits;
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const int64_t index = shares - 1 - piece / splits;  // the longest first
        const int64_t part = piece % splits, kv = index % shape.kv_heads;
        const Run &run = step.run[index / shape.kv_heads];
        const Share share{layer, kv, run,
                          {&step.pages, step.row[run.first].table, step.pages.offset(layer, kv)}};
        const int64_t parts = parts_of(step.row[run.first + run.count - 1].position);
        if (!step.parts) attend_in_order(step, share, parts, thread);
        if (step.parts && part < parts)
            attend_part(step, share, part, parts, step.parts_done + index);
    }
}
