// A mixture of experts, where a layer of another decoder has one gate, up and down: a router scores all
// experts for each row, those that score highest work on it, and what they give is added by their shares.
//
// Rows that go to the same expert are a crowd, whose vectors stand together, in a place of their own.
// What is added to a row comes in the order of its experts' numbers, and shares follow from its own
// scores, so its bits do not depend on who else is in the crowd or in the step.
#pragma once

#include "stages.h"

constexpr int64_t kScored = 4;        // experts at once
constexpr int64_t kRowsScored = 16;   // while these experts' rows of the router are near

// What of the router is read first, if threads share out what they score.
static const uint8_t *scored_first(const Step &step, const Layer &layer, int64_t thread) {
    const int64_t pieces = chunks_of(step.network->mixture.count, kScored);
    const int64_t expert = step.pool->first_of(thread, pieces) * kScored;
    return reinterpret_cast<const uint8_t *>(layer.router + expert * step.network->shape.width);
}

// Scores some experts for a row; `left` are there from the first on, and more are scored as it is.
static void score(const float *x, const float *router, int64_t width, int64_t left, float inverse,
                  float cap, float *scores) {
    const float *of[kScored];
    for (int64_t k = 0; k < kScored; k++) of[k] = router + (k < left ? k * width : 0);
    f32x16 sums[kScored] = {};
    for (int64_t i = 0; i < width; i += 16)
        for (int64_t k = 0; k < kScored; k++) sums[k] = fma(load(of[k] + i), load(x + i), sums[k]);
    for (int64_t k = 0; k < kScored && k < left; k++) {
        const float told = total(sums[k]) * inverse;
        scores[k] = cap != 0 ? capped(all(told), cap)[0] : told;
    }
}

static void score_all(const Step &step, const Layer &layer, int64_t thread) {
    const Mixture &mixture = step.network->mixture;
    const int64_t width = step.network->shape.width, chunks = chunks_of(mixture.count, kScored);
    const int64_t pieces = chunks * chunks_of(step.rows, kRowsScored);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const int64_t expert = piece % chunks * kScored, first = piece / chunks * kRowsScored;
        for (int64_t r = first; r < first + kRowsScored && r < step.rows; r++) {
            const float *x = step.x + r * width;
            score(x, layer.router + expert * width, width, mixture.count - expert,
                  unit_of(x, width, step.network->epsilon), mixture.cap,
                  step.scores + r * mixture.count + expert);
        }
    }
}

// The experts of a row, those that score highest first, with their shares.
static void choose(const Mixture &mixture, const float *scores, int64_t row, Slot *slots) {
    int64_t found = 0;
    for (int64_t e = 0; e < mixture.count; e++) {
        if (found == mixture.used && !(scores[e] > scores[slots[found - 1].expert])) continue;
        int64_t i = found < mixture.used ? found++ : found - 1;
        for (; i > 0 && scores[e] > scores[slots[i - 1].expert]; i--) slots[i] = slots[i - 1];
        slots[i] = {row, e, 0, 0};
    }
    const float peak = scores[slots[0].expert];
    const auto weight = [&](int64_t e) { return exponential(all(scores[e] - peak))[0]; };
    float sum = 0;
    for (int64_t i = 0; i < mixture.used; i++) sum += slots[i].share = weight(slots[i].expert);
    if (!mixture.is_renormalised) {
        sum = 0;
        for (int64_t e = 0; e < mixture.count; e++) sum += weight(e);
    }
    for (int64_t i = 0; i < mixture.used; i++) slots[i].share /= sum;
}

// All rows by their experts; crowds are in order of experts, and in each the rows in theirs.
struct Crowds {
    int64_t count, slots;
    const Crowd *crowd;
    const Slot *slot;
};

static int64_t room_of(int64_t count) {
    const Group last = group_here(count - 1, count);
    return last.first + last.room;
}

// Each thread does this for itself, which takes it less than meeting for few rows, and little for many.
static Crowds crowds_of(const Step &step, int64_t thread) {
    const Mixture &mixture = step.network->mixture;
    const int64_t slots = step.rows * mixture.used;
    Slot *chosen = step.slots + thread * 2 * slots, *sorted = chosen + slots;
    Crowd *crowds = step.crowds + thread * mixture.count;
    int64_t *counts = step.counts + thread * mixture.count;
    for (int64_t e = 0; e < mixture.count; e++) counts[e] = 0;
    for (int64_t r = 0; r < step.rows; r++)
        choose(mixture, step.scores + r * mixture.count, r, chosen + r * mixture.used);
    for (int64_t i = 0; i < slots; i++) counts[chosen[i].expert]++;
    int64_t crowded = 0, first = 0, place = 0;
    for (int64_t e = 0; e < mixture.count; e++) {
        const int64_t count = counts[e];
        if (!count) continue;
        counts[e] = crowded;  // from now on which crowd it is
        crowds[crowded++] = {e, first, 0, place};
        first += count;
        place += room_of(count);
    }
    for (int64_t i = 0; i < slots; i++) {
        Slot slot = chosen[i];
        slot.crowd = counts[slot.expert];
        Crowd &crowd = crowds[slot.crowd];
        sorted[crowd.first + crowd.count++] = slot;
    }
    return {crowded, slots, crowds, sorted};
}

// The vectors of a crowd, in a room with those of all, to meet a matrix.
static Vectors vectors_of(const Crowd &crowd, const Vectors &room, const Matrix &matrix) {
    Vectors out = room.from(crowd.place);
    out.count = crowd.count;
    out.meets_scaled = !is_whole(matrix.kind);
    return out;
}

// Makes a vector for each slot: `make(vectors, which of them, slot)`; a single row's each thread makes
// for itself. Returns the room that they are in.
template <class Make>
static Vectors made_for_all(const Step &step, const Crowds &crowds, const Vectors &room,
                            const Matrix &matrix, int64_t thread, const Make &make) {
    const auto make_one = [&](const Vectors &in, int64_t s) {
        const Crowd &crowd = crowds.crowd[crowds.slot[s].crowd];
        make(vectors_of(crowd, in, matrix), s - crowd.first, s);
    };
    if (step.rows == 1) {
        const Vectors own = room.from(thread * crowds.slots);
        for (int64_t s = 0; s < crowds.slots; s++) make_one(own, s);
        return own;
    }
    for (int64_t s; (s = step.pool->take(thread, crowds.slots)) < crowds.slots;) make_one(room, s);
    step.pool->barrier();
    return room;
}

// The normed rows of the residual stream, for each of their experts.
static Vectors sent_out(const Step &step, const Layer &layer, const Crowds &crowds, int64_t thread) {
    return made_for_all(step, crowds, step.normed, layer.gate_up, thread,
                        [&](const Vectors &out, int64_t vector, int64_t s) {
                            const float *x = step.x + crowds.slot[s].row * out.columns;
                            normalise(x, layer.mlp_norm, step.network->epsilon, out, vector);
                        });
}

// The activated gate times up of each slot, 32 hidden numbers of a crowd a piece.
static void open_gates(const Step &step, const Matrix &matrix, const Crowds &crowds,
                       const Vectors &normed, int64_t thread) {
    const int64_t width = step.network->shape.hidden, blocks = width / kColumns;
    const int64_t pieces = crowds.count * blocks;
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Crowd &crowd = crowds.crowd[piece / blocks];
        const int64_t block = piece % blocks, panel = 4 * (crowd.expert * blocks + block);
        const Vectors vectors = vectors_of(crowd, normed, matrix);
        for (int64_t i = 0; i < 2 * spans(crowd.count); i++) {
            const Span span = span_of(i / 2, crowd.count);
            Products out[kSpan + kGroup];
            multiply(matrix, panel + 2 * (i % 2), 2, vectors, span, out);
            float *hidden = step.hidden + crowd.first * width + block * kColumns + 16 * (i % 2);
            for (int64_t v = span.first; v < span.end; v++) {
                const Products &both = out[v - span.first];
                store(hidden + v * width,
                      activated(step.network->activation, both.of[0]) * both.of[1]);
            }
        }
    }
}

// Adds what the experts give, two panels of each of them a piece.
static void add_shares(const Step &step, const Matrix &matrix, Gift gift, const Crowds &crowds,
                       const Vectors &hidden, int64_t thread) {
    float *into = gift.post_norm ? step.given : step.x;
    const int64_t width = step.network->shape.width, panels = width / kRows;
    const int64_t pieces = chunks_of(panels, kPanelsAtOnce);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const int64_t first = piece * kPanelsAtOnce, left = panels - first;
        const int64_t together = left < kPanelsAtOnce ? left : kPanelsAtOnce;
        for (int64_t r = 0; gift.post_norm && r < step.rows; r++)
            for (int64_t i = 0; i < together; i++)
                store(into + r * width + (first + i) * kRows, f32x16{});
        for (int64_t c = 0; c < crowds.count; c++) {
            const Crowd &crowd = crowds.crowd[c];
            const Vectors vectors = vectors_of(crowd, hidden, matrix);
            for (int64_t s = 0; s < spans(crowd.count); s++) {
                const Span span = span_of(s, crowd.count);
                Products out[kSpan + kGroup];
                multiply(matrix, crowd.expert * panels + first, together, vectors, span, out);
                for (int64_t v = span.first; v < span.end; v++) {
                    const Slot &slot = crowds.slot[crowd.first + v];
                    float *x = into + slot.row * width + first * kRows;
                    for (int64_t i = 0; i < together; i++, x += kRows)
                        store(x, fma(out[v - span.first].of[i], all(slot.share), load(x)));
                }
            }
        }
    }
}

// What a layer's experts do with all rows.
static void mix(const Step &step, const Layer &layer, Gift gift, int64_t thread, Watch &watch) {
    score_all(step, layer, thread);
    step.pool->barrier();
    const Crowds crowds = crowds_of(step, thread);
    const Vectors normed = sent_out(step, layer, crowds, thread);
    watch.ends(Stage::kNorm);
    open_gates(step, layer.gate_up, crowds, normed, thread);
    watch.ends(Stage::kGateUp);
    step.pool->barrier();
    const Vectors hidden = made_for_all(
        step, crowds, step.whole_hidden, layer.down, thread,
        [&](const Vectors &out, int64_t vector, int64_t s) {
            quantise_row(step.hidden + s * out.columns, out, vector);
        });
    add_shares(step, layer.down, gift, crowds, hidden, thread);
    watch.ends(Stage::kDown);
}
