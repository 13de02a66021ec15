// The step of a decoder, for the registers that the including file is compiled for.
//
// All threads run `step` together. A stage's pieces are shared out as threads come for them; between
// two stages all meet. Rows do not know each other except through keys and values.
#pragma once

#include "attend.h"
#include "experts.h"
#include "heads.h"

constexpr int64_t kHeadAtOnce = 8 * kPanelsAtOnce;

// What a number of a row's tile means, by its place there.
template <int kKind>
static Worth meant(const Panel &panel, int64_t b) {
    if constexpr (is_whole(kKind)) {
        const i32x16 factors = factors_of<kKind>(panel.scales() + b * tile_scales(kKind));
        const f32x16 unit = units_of(panel, b / kSegment) * 0.00390625f;  // of 256
        return {floats(factor_of(factors)) * unit, floats(middle_of(factors)) * unit};
    } else {
        return worth_of<kKind>(panel.scales(), b);
    }
}

template <int kKind>
static void embed_row(const Matrix &matrix, int64_t token, float *out) {
    constexpr int kExcess = kKind == kQ8_0 ? 128 : kKind == kQ6_K ? 32 : is_whole(kKind) ? 8 : 0;
    const int64_t row = token % kRows;
    const Panel panel = panel_of(matrix, token / kRows);
    for (int64_t b = 0; b < panel.blocks; b++) {
        const uint8_t *tile = panel.packed + b * tile_numbers(kKind);
        const Worth worth = meant<kKind>(panel, b);
        const float first = worth.first[row], second = worth.second[row];
        for (int64_t i = 0; i < kColumns; i++) {
            const int64_t c = has_bytes(kKind) ? i : i % 16;
            const uint8_t byte = tile[c / 4 * 64 + row * 4 + c % 4];
            const int number = has_bytes(kKind) ? byte : i < 16 ? byte & 15 : byte >> 4;
            const float worth_here = kKind == kQ6_K && i >= 16 ? second : first;
            const float least = has_least(kKind) ? second : 0.0f;
            out[b * kColumns + i] = worth_here * static_cast<float>(number - kExcess) + least;
        }
    }
}

static void embed(const Matrix &matrix, int64_t token, float *out) {
    for_kind(matrix.kind, [&](auto kind) { embed_row<decltype(kind){}>(matrix, token, out); });
}

static void begin(const Step &step, int64_t thread) {
    const Network &network = *step.network;
    const int64_t width = network.shape.width;
    for (int64_t r; (r = step.pool->take(thread, step.rows)) < step.rows;) {
        float *x = step.x + r * width;
        embed(network.embedding, step.row[r].token, x);
        for (int64_t i = 0; network.embedding_scale != 1 && i < width; i += 16)
            store(x + i, load(x + i) * network.embedding_scale);
        for (int64_t w = 0; w < kWaves; w++)
            if (network.waves[w].frequencies)
                put_turns(network.waves[w], step.row[r].position, network.shape.head_size / 2,
                          turns_of(step, w, r));
    }
}

// Of the residual stream.
static Vectors normalised(const Step &step, const float *scale, const int64_t *wants, int64_t rows,
                          Meets meets, int64_t thread) {
    return made(step, step.normed, rows, meets, thread, [&](const Vectors &out, int64_t r) {
        const float *x = step.x + (wants ? wants[r] : r) * out.columns;
        normalise(x, scale, step.network->epsilon, out, r);
    });
}

// Of other floats, one row below the other.
static Vectors whole_rows(const Step &step, const float *x, const Vectors &room,
                          const Matrix &matrix, int64_t thread) {
    const Meets meets{matrix.kind, matrix.kind};
    return made(step, room, step.rows, meets, thread, [&](const Vectors &out, int64_t r) {
        quantise_row(x + r * out.columns, out, r);
    });
}

// Adds a matrix times each vector to the residual stream.
static void add_product(const Step &step, int64_t layer, Product product, const Matrix &matrix,
                        Gift gift, const Vectors &vectors, int64_t thread) {
    float *into = gift.post_norm ? step.given : step.x;
    const int64_t width = step.network->shape.width;
    const int64_t chunks = chunks_of(matrix.panels(), kPanelsAtOnce);
    const int64_t pieces = chunks * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / chunks, step.rows);
        const int64_t first = piece % chunks * kPanelsAtOnce;
        const int64_t left = matrix.panels() - first;
        const int64_t together = left < kPanelsAtOnce ? left : kPanelsAtOnce;
        Products out[kSpan + kGroup];
        multiply(matrix, first, together, vectors, span, out);
        for (int64_t r = span.first; r < span.end; r++)
            for (int64_t i = 0; i < together; i++) {
                const int64_t c = (first + i) * kRows;
                float *x = into + r * width + c;
                f32x16 given = adapted(step, layer, product, r, first + i, out[r - span.first].of[i]);
                if (gift.bias) given += load(gift.bias + c);
                store(x, gift.post_norm ? given : load(x) + given);
            }
    }
}

// Adds to the residual stream what had to be normed before.
static void add_normed(const Step &step, Gift gift, int64_t thread) {
    if (!gift.post_norm) return;
    const int64_t width = step.network->shape.width;
    for (int64_t r; (r = step.pool->take(thread, step.rows)) < step.rows;) {
        const float *given = step.given + r * width;
        float *x = step.x + r * width;
        const float inverse = unit_of(given, width, step.network->epsilon);
        for (int64_t i = 0; i < width; i += 16)
            store(x + i, load(x + i) + load(given + i) * inverse * load(gift.post_norm + i));
    }
    step.pool->barrier();
}

// The activated gate times up, 32 hidden numbers a piece.
static void gate_and_up(const Step &step, int64_t layer, const Matrix &matrix,
                        const Vectors &normed, int64_t thread) {
    const int64_t width = step.network->shape.hidden, blocks = width / kColumns;
    const int64_t pieces = blocks * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / blocks, step.rows);
        const int64_t block = piece % blocks;
        for (int64_t half = 0; half < 2; half++) {
            const int64_t first = 4 * block + 2 * half;
            Products out[kSpan + kGroup];
            multiply(matrix, first, 2, normed, span, out);
            for (int64_t r = span.first; r < span.end; r++) {
                const Products &both = out[r - span.first];
                const f32x16 gate = adapted(step, layer, kGateUp, r, first, both.of[0]);
                const f32x16 up = adapted(step, layer, kGateUp, r, first + 1, both.of[1]);
                store(step.hidden + r * width + block * kColumns + 16 * half,
                      activated(step.network->activation, gate) * up);
            }
        }
    }
}

__attribute__((noinline)) static void cap_products(Products *out, Span span, float cap) {
    for (int64_t i = 0; i < span.end - span.first; i++)
        for (f32x16 &each : out[i].of) each = capped(each, cap);
}

// Writes of two panels as many as are left.
static void put_logits(const Products &products, int64_t left, float *logits) {
    if (left >= 2 * kRows) {
        store(logits, products.of[0]);
        store(logits + kRows, products.of[1]);
        return;
    }
    for (int64_t c = 0; c < left; c++) logits[c] = products.of[c / kRows][c % kRows];
}

static void predict(const Step &step, const Vectors &vectors, int64_t thread) {
    const int64_t vocabulary = step.network->shape.vocabulary;
    const Matrix &head = step.network->head;
    const int64_t chunks = chunks_of(head.panels(), kHeadAtOnce);
    const int64_t pieces = chunks * spans(step.wanted);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / chunks, step.wanted);
        const int64_t first = piece % chunks * kHeadAtOnce;
        for (int64_t p = first; p < first + kHeadAtOnce && p < head.panels(); p += 2) {
            const int64_t together = p + 1 < head.panels() ? 2 : 1;
            Products out[kSpan + kGroup];
            multiply(head, p, together, vectors, span, out);
            if (step.network->logits_cap != 0) cap_products(out, span, step.network->logits_cap);
            const int64_t left = vocabulary - p * kRows;
            for (int64_t w = span.first; w < span.end; w++)
                put_logits(out[w - span.first], left, step.logits + w * vocabulary + p * kRows);
        }
    }
}

// What a layer without experts does with all rows, once they are whole.
static void think(const Step &step, int64_t l, Gift gift, int64_t thread, Watch &watch) {
    const Layer &layer = step.network->layers[l];
    const Vectors mlp = normalised(step, layer.mlp_norm, nullptr, step.rows,
                                   {layer.gate_up.kind, layer.gate_up.kind}, thread);
    watch.ends(Stage::kNorm);
    adapt(step, l, kGateUp, mlp, thread);
    gate_and_up(step, l, layer.gate_up, mlp, thread);
    watch.ends(Stage::kGateUp);
    meet(step, thread, layer.down, chunks_of(layer.down.panels(), kPanelsAtOnce), kPanelsAtOnce);
    const Vectors hidden = whole_rows(step, step.hidden, step.whole_hidden, layer.down, thread);
    adapt(step, l, kDown, hidden, thread);
    add_product(step, l, kDown, layer.down, gift, hidden, thread);
    watch.ends(Stage::kDown);
}

static void run_stages(const Step &step, int64_t thread) {
    const Network &network = *step.network;
    Watch watch(step, thread);
    const Shape &shape = network.shape;
    const int64_t head_panels = shape.head_size / kRows, blocks = shape.hidden / kColumns;
    begin(step, thread);
    watch.ends(Stage::kBegin);
    meet(step, thread, network.layers[0].query_key, shape.heads(), head_panels);
    for (int64_t l = 0; l < network.shape.layers; l++) {
        const Layer &layer = network.layers[l];
        const Gift looked{layer.out_bias, layer.attention_post_norm}, thought{nullptr, layer.mlp_post_norm};
        const Vectors heads = normalised(step, layer.attention_norm, nullptr, step.rows,
                                         {layer.query_key.kind, layer.value.kind}, thread);
        watch.ends(Stage::kNorm);
        adapt(step, l, kHeads, heads, thread);
        project_heads(step, l, heads, thread);
        watch.ends(Stage::kProject);
        step.pool->barrier();
        attend_all(step, l, thread);
        watch.ends(Stage::kAttend);
        meet(step, thread, layer.out, chunks_of(layer.out.panels(), kPanelsAtOnce), kPanelsAtOnce);
        const Vectors mixed = whole_rows(step, step.mixed, step.whole_mixed, layer.out, thread);
        adapt(step, l, kOut, mixed, thread);
        add_product(step, l, kOut, layer.out, looked, mixed, thread);
        watch.ends(Stage::kOut);
        if (layer.router)
            meet(step, scored_first(step, layer, thread));
        else
            meet(step, thread, layer.gate_up, blocks, 4);
        add_normed(step, looked, thread);
        if (layer.router)
            mix(step, layer, thought, thread, watch);
        else
            think(step, l, thought, thread, watch);
        if (l + 1 < shape.layers)
            meet(step, thread, network.layers[l + 1].query_key, shape.heads(), head_panels);
        else
            meet(step, thread, network.head, chunks_of(network.head.panels(), kHeadAtOnce), kHeadAtOnce);
        add_normed(step, thought, thread);
    }
    if (!step.wanted) return;
    const int32_t kind = network.head.kind;
    predict(step, normalised(step, network.norm, step.wants, step.wanted, {kind, kind}, thread),
            thread);
    watch.ends(Stage::kHead);
}

static void run_step(void *state, int64_t thread) {
    begin_tiles();
    run_stages(*static_cast<const Step *>(state), thread);
    end_tiles();
}

static void run_multiply(const Matrix *matrix, const float *x, int64_t count, const Vectors *room,
                         float *out) {
    begin_tiles();
    for (int64_t v = 0; v < count; v++) quantise_row(x + v * matrix->columns, *room, v);
    for (int64_t p = 0; p < matrix->panels(); p += 2) {
        const int64_t together = p + 1 < matrix->panels() ? 2 : 1;
        for (int64_t i = 0; i < spans(count); i++) {
            const Span span = span_of(i, count);
            Products products[kSpan + kGroup];
            multiply(*matrix, p, together, *room, span, products);
            for (int64_t v = span.first; v < span.end; v++)
                for (int64_t k = 0; k < together; k++)
                    store(out + v * matrix->rows + (p + k) * kRows,
                          products[v - span.first].of[k]);
        }
    }
    end_tiles();
}
