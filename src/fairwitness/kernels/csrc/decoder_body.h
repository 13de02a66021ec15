// The step of a decoder, for the registers that the including file is compiled for.
//
// All threads run `step` together. A stage's pieces are shared out as threads come for them; between
// two stages all meet. Rows do not know each other except through keys and values.
#pragma once

#include "attend.h"
#include "decoder.h"
#include "dots.h"

#include "adapters.h"  // which needs groups as dots.h makes them

constexpr int64_t kPanelsAtOnce = 2;    // a piece of work; half a microsecond for one vector

// Where a thread unpacks one of two panels.
static uint8_t *room_of(const Step &step, int64_t thread, int64_t which) {
    return step.panels + (2 * thread + which) * step.panel_room;
}

static void normalise(const float *x, const float *scale, float epsilon, const Vectors &out,
                      int64_t vector) {
    const int64_t width = out.columns;
    f32x16 squares = {};
    for (int64_t i = 0; i < width; i += 16) squares = fma(load(x + i), load(x + i), squares);
    const float mean = total(squares) / static_cast<float>(width);
    const float inverse = 1.0f / __builtin_sqrtf(mean + epsilon);
    for (int64_t s = 0; s < out.segments(); s++) {
        const int64_t first = s * kSegment, left = out.blocks() - first;
        const int64_t blocks = left < kSegment ? left : kSegment;
        float segment[kSegment * kColumns];
        for (int64_t i = 0; i < blocks * kColumns; i += 16) {
            const int64_t c = first * kColumns + i;
            store(segment + i, load(x + c) * inverse * load(scale + c));
        }
        quantise(segment, blocks, out, vector, s);
    }
}

template <int kKind>
static void embed_row(const Matrix &matrix, int64_t token, float *out) {
    const int64_t row = token % kRows;
    const Panel panel{kKind, matrix.blocks(), matrix.panel(token / kRows), nullptr};
    for (int64_t b = 0; b < matrix.blocks(); b++) {
        const uint8_t *tile = panel.packed + b * tile_numbers(kKind);
        const i32x16 factors = factors_of<kKind>(panel.factors() + b * tile_factors(kKind));
        const int32_t first = first_of(factors)[row], second = second_of(factors)[row];
        const float worth = panel.worths()[b / kSegment * kRows + row];
        for (int64_t i = 0; i < kColumns; i++) {
            const int64_t c = has_bytes(kKind) ? i : i % 16;
            const uint8_t byte = tile[c / 4 * 64 + row * 4 + c % 4];
            const int number = has_bytes(kKind) ? byte : i < 16 ? byte & 15 : byte >> 4;
            const int32_t factor = kKind == kQ6_K && i >= 16 ? second : first;
            const int32_t middle = has_middle(kKind) ? second : 0;
            const int32_t weight = factor * (number - centre(kKind)) + middle;
            out[b * kColumns + i] = worth * static_cast<float>(weight);
        }
    }
}

static void embed(const Matrix &matrix, int64_t token, float *out) {
    for_kind(matrix.kind, [&](auto kind) { embed_row<decltype(kind){}>(matrix, token, out); });
}

static void begin(const Step &step, int64_t thread) {
    const Shape &shape = step.network->shape;
    const int64_t half = shape.head_size / 2;
    for (int64_t r; (r = step.pool->take(thread, step.rows)) < step.rows;) {
        embed(step.network->embedding, step.row[r].token, step.x + r * shape.width);
        float *turn = step.turns + r * shape.head_size;
        for (int64_t i = 0; i < half; i++) {
            const float angle =
                static_cast<float>(step.row[r].position) * step.network->frequencies[i];
            turn[i] = __builtin_cosf(angle) * step.network->amplitude;
            turn[half + i] = __builtin_sinf(angle) * step.network->amplitude;
        }
    }
}

// Vectors of `rows` rows. Few rows each thread makes for itself: that is sooner done than meeting.
template <class Make>
static Vectors made(const Step &step, Vectors out, int64_t rows, int64_t thread, const Make &make) {
    out.count = rows;
    if (rows > kLonely) {
        for (int64_t r; (r = step.pool->take(thread, rows)) < rows;) make(out, r);
        step.pool->barrier();
        return out;
    }
    const Vectors own = out.from(thread * kLonely);
    for (int64_t r = 0; r < rows; r++) make(own, r);
    return own;
}

// Of the residual stream.
static Vectors normalised(const Step &step, const float *scale, const int64_t *wants, int64_t rows,
                          int64_t thread) {
    return made(step, step.normed, rows, thread, [&](const Vectors &out, int64_t r) {
        const float *x = step.x + (wants ? wants[r] : r) * out.columns;
        normalise(x, scale, step.network->epsilon, out, r);
    });
}

// Of other floats, one row below the other.
static Vectors whole_rows(const Step &step, const float *x, const Vectors &room, int64_t thread) {
    return made(step, room, step.rows, thread, [&](const Vectors &out, int64_t r) {
        quantise_row(x + r * out.columns, out, r);
    });
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

// Puts one head of one row where attention looks for it.
static void put_head(const Step &step, int64_t layer, int64_t head, int64_t r, float *numbers) {
    const Shape &shape = step.network->shape;
    const int64_t size = shape.head_size, half = size / 2;
    const Row &row = step.row[r];
    const float *turns = step.turns + r * size;
    if (head < shape.query_heads) {
        turn(numbers, turns, half, 1.0f / __builtin_sqrtf(static_cast<float>(size)));
        __builtin_memcpy(step.q + r * shape.queries() + head * size, numbers,
                         static_cast<size_t>(size) * sizeof(float));
        return;
    }
    const bool is_key = head < shape.query_heads + shape.kv_heads;
    if (is_key) turn(numbers, turns, half, 1.0f);
    const int64_t kv = (head - shape.query_heads) % shape.kv_heads;
    const int32_t page = row.table[row.position / kPage];
    put_numbers(step.pages,
                step.pages.data + page * step.pages.page_bytes + step.pages.offset(layer, kv),
                is_key, row.position % kPage, numbers);
}

static void project_heads(const Step &step, int64_t layer, const Vectors &normed, int64_t thread) {
    const Shape &shape = step.network->shape;
    const Layer &weights = step.network->layers[layer];
    const int64_t panels = shape.head_size / kRows, pieces = shape.heads() * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const int64_t head = piece % shape.heads(), values = shape.heads() - shape.kv_heads;
        const Matrix &matrix = head < values ? weights.query_key : weights.value;
        const int64_t first = (head < values ? head : head - values) * panels;
        const Span span = span_of(piece / shape.heads(), step.rows);
        float numbers[kSpan][kMostHead];
        for (int64_t p = 0; p < panels; p++) {
            const Panel panel =
                panel_of(matrix, first + p, step.rows, room_of(step, thread, 0));
            f32x16 out[kSpan + kGroup];
            multiply(panel, normed, span, out);
            for (int64_t r = span.first; r < span.end; r++)
                store(numbers[r - span.first] + p * kRows,
                      adapted(step, layer, kHeads, r, head * panels + p, out[r - span.first]));
        }
        for (int64_t r = span.first; r < span.end; r++)
            put_head(step, layer, head, r, numbers[r - span.first]);
    }
}

// Adds a matrix times each vector to the residual stream.
static void add_product(const Step &step, int64_t layer, Product product, const Matrix &matrix,
                        const Vectors &vectors, int64_t thread) {
    const int64_t width = step.network->shape.width;
    const int64_t chunks = (matrix.panels() + kPanelsAtOnce - 1) / kPanelsAtOnce;
    const int64_t pieces = chunks * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / chunks, step.rows);
        const int64_t first = piece % chunks * kPanelsAtOnce;
        for (int64_t p = first; p < first + kPanelsAtOnce && p < matrix.panels(); p++) {
            const Panel panel = panel_of(matrix, p, step.rows, room_of(step, thread, 0));
            f32x16 out[kSpan + kGroup];
            multiply(panel, vectors, span, out);
            for (int64_t r = span.first; r < span.end; r++) {
                float *x = step.x + r * width + p * kRows;
                store(x, load(x) + adapted(step, layer, product, r, p, out[r - span.first]));
            }
        }
    }
}

// silu(gate) * up, 32 hidden numbers a piece.
static void gate_and_up(const Step &step, int64_t layer, const Matrix &matrix,
                        const Vectors &normed, int64_t thread) {
    const int64_t width = step.network->shape.hidden, blocks = width / kColumns;
    const int64_t pieces = blocks * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / blocks, step.rows);
        const int64_t block = piece % blocks;
        for (int64_t half = 0; half < 2; half++) {
            const int64_t first = 4 * block + 2 * half;
            const Panel gates = panel_of(matrix, first, step.rows, room_of(step, thread, 0));
            const Panel ups = panel_of(matrix, first + 1, step.rows, room_of(step, thread, 1));
            f32x16 gate[kSpan + kGroup], up[kSpan + kGroup];
            multiply(gates, normed, span, gate);
            multiply(ups, normed, span, up);
            for (int64_t r = span.first; r < span.end; r++) {
                const int64_t i = r - span.first;
                const f32x16 g = adapted(step, layer, kGateUp, r, first, gate[i]);
                const f32x16 u = adapted(step, layer, kGateUp, r, first + 1, up[i]);
                const f32x16 bounded = g < -80.0f ? all(-80.0f) : g;
                const f32x16 silu = g / (1.0f + exponential(-bounded));
                store(step.hidden + r * width + block * kColumns + 16 * half, silu * u);
            }
        }
    }
}

static void predict(const Step &step, const Vectors &vectors, int64_t thread) {
    const int64_t vocabulary = step.network->shape.vocabulary;
    const Matrix &head = step.network->head;
    constexpr int64_t kAtOnce = 8 * kPanelsAtOnce;
    const int64_t chunks = (head.panels() + kAtOnce - 1) / kAtOnce;
    const int64_t pieces = chunks * spans(step.wanted);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / chunks, step.wanted);
        const int64_t first = piece % chunks * kAtOnce;
        for (int64_t p = first; p < first + kAtOnce && p < head.panels(); p++) {
            const Panel panel = panel_of(head, p, step.wanted, room_of(step, thread, 0));
            f32x16 out[kSpan + kGroup];
            multiply(panel, vectors, span, out);
            const int64_t left = vocabulary - p * kRows;
            for (int64_t w = span.first; w < span.end; w++) {
                const f32x16 here = out[w - span.first];
                float *logits = step.logits + w * vocabulary + p * kRows;
                if (left >= kRows) store(logits, here);
                for (int64_t c = 0; left < kRows && c < left; c++) logits[c] = here[c];
            }
        }
    }
}

// Where a thread's processor time goes, for one who asks; waiting counts for the stage behind it.
class Watch {
    static constexpr auto kStages = static_cast<int64_t>(Stage::kCount);

  public:
    Watch(const Step &step, int64_t thread)
        : spent_ns_(step.spent_ns ? step.spent_ns + thread * kStages : nullptr),
          seen_ns_(spent_ns_ ? thread_ns() : 0) {}

    void ends(Stage stage) {
        if (!spent_ns_) return;
        const int64_t now_ns = thread_ns();
        spent_ns_[static_cast<int64_t>(stage)] += now_ns - seen_ns_;
        seen_ns_ = now_ns;
    }

  private:
    int64_t *spent_ns_;
    int64_t seen_ns_;
};

static void run_stages(const Step &step, int64_t thread) {
    const Network &network = *step.network;
    Pool &pool = *step.pool;
    Watch watch(step, thread);
    begin(step, thread);
    watch.ends(Stage::kBegin);
    pool.barrier();
    for (int64_t l = 0; l < network.shape.layers; l++) {
        const Layer &layer = network.layers[l];
        const Vectors heads = normalised(step, layer.attention_norm, nullptr, step.rows, thread);
        watch.ends(Stage::kNorm);
        adapt(step, l, kHeads, heads, thread);
        project_heads(step, l, heads, thread);
        watch.ends(Stage::kProject);
        pool.barrier();
        attend_all(step, l, thread);
        watch.ends(Stage::kAttend);
        pool.barrier();
        const Vectors mixed = whole_rows(step, step.mixed, step.whole_mixed, thread);
        adapt(step, l, kOut, mixed, thread);
        add_product(step, l, kOut, layer.out, mixed, thread);
        watch.ends(Stage::kOut);
        pool.barrier();
        const Vectors mlp = normalised(step, layer.mlp_norm, nullptr, step.rows, thread);
        watch.ends(Stage::kNorm);
        adapt(step, l, kGateUp, mlp, thread);
        gate_and_up(step, l, layer.gate_up, mlp, thread);
        watch.ends(Stage::kGateUp);
        pool.barrier();
        const Vectors hidden = whole_rows(step, step.hidden, step.whole_hidden, thread);
        adapt(step, l, kDown, hidden, thread);
        add_product(step, l, kDown, layer.down, hidden, thread);
        watch.ends(Stage::kDown);
        pool.barrier();
    }
    if (!step.wanted) return;
    predict(step, normalised(step, network.norm, step.wants, step.wanted, thread), thread);
    watch.ends(Stage::kHead);
}

static void run_step(void *state, int64_t thread) {
    begin_tiles();
    run_stages(*static_cast<const Step *>(state), thread);
    end_tiles();
}

static void run_multiply(const Matrix *matrix, const float *x, int64_t count, const Vectors *room,
                         uint8_t *panel_room, float *out) {
    begin_tiles();
    for (int64_t v = 0; v < count; v++)
        quantise_row(x + v * matrix->columns, *room, v);
    for (int64_t p = 0; p < matrix->panels(); p++) {
        const Panel panel = panel_of(*matrix, p, count, panel_room);
        for (int64_t i = 0; i < spans(count); i++) {
            const Span span = span_of(i, count);
            f32x16 products[kSpan + kGroup];
            multiply(panel, *room, span, products);
            for (int64_t v = span.first; v < span.end; v++)
                store(out + v * matrix->rows + p * kRows, products[v - span.first]);
        }
    }
    end_tiles();
}
