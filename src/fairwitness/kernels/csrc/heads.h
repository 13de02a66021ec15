// Queries, keys and values of a layer: made of normed rows, turned by their place, and put where attention
// looks for them.
#pragma once

#include "decoder.h"
#include "pages.h"
#include "panels.h"

#include "adapters.h"  // which needs groups as vectors.h makes them

// Cosines and sines of a row's place.
static float *turns_of(const Step &step, int64_t wave, int64_t r) {
    return step.turns + (wave * step.rows + r) * step.network->shape.head_size;
}

static void put_turns(const Wave &wave, int64_t position, int64_t half, float *turns) {
    for (int64_t i = 0; i < half; i++) {
        const float angle = static_cast<float>(position) * wave.frequencies[i];
        turns[i] = __builtin_cosf(angle) * wave.amplitude;
        turns[half + i] = __builtin_sinf(angle) * wave.amplitude;
    }
}

// Turns pair (i, i + half) of a head by the angle of its place.
static void turn(float *head, const float *turns, int64_t half, float scale) {
    for (int64_t i = 0; i < half; i++) {
        const float a = head[i], b = head[i + half], cos = turns[i], sin = turns[half + i];
        const float minus = b * sin, plus = a * sin;
        head[i] = (a * cos - minus) * scale;
        head[i + half] = (b * cos + plus) * scale;
    }
}

// Where one kv head of a row's page begins.
static uint8_t *page_of(const Step &step, int64_t layer, int64_t kv, int64_t r) {
    const Row &row = step.row[r];
    return step.pages.data + row.table[row.position / kPage] * step.pages.page_bytes +
           step.pages.offset(layer, kv);
}

// What a family does to a head before it is turned.
static void prepare(const Step &step, const Layer &weights, int64_t head, const float *norm,
                    float *numbers) {
    const int64_t size = step.network->shape.head_size;
    const float *bias = weights.heads_bias;
    for (int64_t i = 0; bias && i < size; i += 16)
        store(numbers + i, load(numbers + i) + load(bias + head * size + i));
    if (!norm) return;
    const float inverse = unit_of(numbers, size, step.network->epsilon);
    for (int64_t i = 0; i < size; i += 16)
        store(numbers + i, load(numbers + i) * inverse * load(norm + i));
}

// Puts one head of one row where attention looks for it.
static void put_head(const Step &step, int64_t layer, int64_t head, int64_t r, float *numbers) {
    const Shape &shape = step.network->shape;
    const Layer &weights = step.network->layers[layer];
    const int64_t size = shape.head_size;
    const bool is_query = head < shape.query_heads, is_key = !is_query && head < shape.query_heads + shape.kv_heads;
    const float *norm = is_query ? weights.query_norm : is_key ? weights.key_norm : nullptr;
    if (weights.heads_bias || norm) prepare(step, weights, head, norm, numbers);
    const bool is_turned = weights.wave != kStill;
    const float *turns = turns_of(step, is_turned ? weights.wave : 0, r);
    if (is_query) {
        const float scale = step.network->query_scale;
        if (is_turned) turn(numbers, turns, size / 2, scale);
        for (int64_t i = 0; !is_turned && i < size; i += 16)
            store(numbers + i, load(numbers + i) * scale);
        __builtin_memcpy(step.q + r * shape.queries() + head * size, numbers,
                         static_cast<size_t>(size) * sizeof(float));
        return;
    }
    if (is_key && is_turned) turn(numbers, turns, size / 2, 1.0f);
    const int64_t kv = (head - shape.query_heads) % shape.kv_heads;
    put_numbers(step.pages, page_of(step, layer, kv, r), is_key, step.row[r].position % kPage,
                numbers);
}

static void project_heads(const Step &step, int64_t layer, const Vectors &normed, int64_t thread) {
    const Shape &shape = step.network->shape;
    const Layer &weights = step.network->layers[layer];
    const int64_t panels = shape.head_size / kRows, pieces = shape.heads() * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const int64_t head = piece % shape.heads(), values = shape.heads() - shape.kv_heads;
        const int64_t kv = head - shape.query_heads;
        const bool is_key = kv >= 0 && head < values;
        const Matrix &matrix = head < values ? weights.query_key : weights.value;
        const int64_t first = (head < values ? head : head - values) * panels;
        const Span span = span_of(piece / shape.heads(), step.rows);
        float numbers[kSpan][kMostHead];
        for (int64_t p = 0; p < panels; p += 2) {
            const int64_t together = p + 1 < panels ? 2 : 1;
            Products out[kSpan + kGroup];
            multiply(matrix, first + p, together, normed, span, out);
            for (int64_t r = span.first; r < span.end; r++)
                for (int64_t i = 0; i < together; i++)
                    store(numbers[r - span.first] + (p + i) * kRows,
                          adapted(step, layer, kHeads, r, head * panels + p + i,
                                  out[r - span.first].of[i]));
        }
        for (int64_t r = span.first; r < span.end; r++) {
            if (is_key && r + 1 < span.end && step.row[r].table != step.row[r + 1].table)
                ask_for_key(step.pages, page_of(step, layer, kv, r + 1),
                            step.row[r + 1].position % kPage);
            put_head(step, layer, head, r, numbers[r - span.first]);
        }
    }
}
