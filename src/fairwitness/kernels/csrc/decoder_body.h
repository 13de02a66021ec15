// The step of a decoder, for the registers that the including file is compiled for.
//
// All threads run `step` together. A stage's pieces are shared out as threads come for them; between
// two stages all meet. Rows do not know each other except through keys and values.
#pragma once

#include "attend.h"
#include "decoder.h"
#include "dots.h"

#include "adapters.h"  // which needs groups as dots.h makes them

constexpr int64_t kSpan = 8 * kGroup;  // vectors that go through a panel while it is near
constexpr int64_t kMostAsked = 4;      // rows, for which weights are asked for before they are needed
constexpr int64_t kAsked = 1024;       // bytes, at once
constexpr int64_t kMostAhead = 131072;  // bytes, before a product begins
constexpr int64_t kPanelsAtOnce = 2;    // a piece of work; half a microsecond for one vector
constexpr int64_t kHeadAtOnce = 8 * kPanelsAtOnce;

struct Span {
    int64_t first, end;
};

static Span span_of(int64_t index, int64_t count) {
    const int64_t first = index * kSpan, end = first + kSpan;
    return {first, end < count ? end : count};
}

static int64_t chunks_of(int64_t count, int64_t size) { return (count + size - 1) / size; }
static int64_t spans(int64_t count) { return chunks_of(count, kSpan); }

// Where a thread unpacks one of two panels.
static uint8_t *room_of(const Step &step, int64_t thread, int64_t which) {
    return step.panels + (2 * thread + which) * step.panel_room;
}

static void normalise(const float *x, const float *scale, float epsilon, int64_t width,
                      const Vectors &out, int64_t vector) {
    f32x16 squares = {};
    for (int64_t i = 0; i < width; i += 16) squares = fma(load(x + i), load(x + i), squares);
    const float mean = total(squares) / static_cast<float>(width);
    const float inverse = 1.0f / __builtin_sqrtf(mean + epsilon);
    const Group group = group_here(vector, out.count);
    for (int64_t b = 0; b < width / kColumns; b++) {
        float block[kColumns];
        for (int64_t i = 0; i < kColumns; i += 16)
            store(block + i, load(x + b * kColumns + i) * inverse * load(scale + b * kColumns + i));
        const int64_t place = out.place(group, vector, b);
        quantise(block, out.numbers + place * kBlockBytes, out.scales + place);
    }
}

template <int kKind>
static void embed_row(const Matrix &matrix, int64_t token, float *out) {
    constexpr int kExcess = kKind == kQ8_0 ? 128 : kKind == kQ6_K ? 32 : kKind == kQ4_0 ? 8 : 0;
    const int64_t row = token % kRows;
    const uint8_t *panel = matrix.panel(token / kRows);
    for (int64_t b = 0; b < matrix.blocks(); b++) {
        const uint8_t *tile = panel + b * tile_numbers(kKind);
        const Worth worth = worth_of<kKind>(panel + matrix.blocks() * tile_numbers(kKind), b);
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

// Vectors of `rows` rows, made of the residual stream. Few rows each thread makes for
// itself: that is sooner done than meeting.
static Vectors normalised(const Step &step, const float *scale, const int64_t *wants, int64_t rows,
                          int64_t thread) {
    const int64_t width = step.network->shape.width;
    Vectors out = step.normed;
    out.count = rows;
    const auto make = [&](int64_t r) {
        const float *x = step.x + (wants ? wants[r] : r) * width;
        normalise(x, scale, step.network->epsilon, width, out, r);
    };
    if (rows > kLonely) {
        for (int64_t r; (r = step.pool->take(thread, rows)) < rows;) make(r);
        step.pool->barrier();
        return out;
    }
    out.numbers += thread * kLonely * out.blocks() * kBlockBytes;
    out.scales += thread * kLonely * out.blocks();
    for (int64_t r = 0; r < rows; r++) make(r);
    return out;
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

// Puts one head of one row where attention looks for it.
static void put_head(const Step &step, int64_t layer, int64_t head, int64_t r, float *numbers) {
    const Shape &shape = step.network->shape;
    const int64_t size = shape.head_size, half = size / 2;
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
        for (int64_t p = 0; p < panels; p++) {
            const Panel panel =
                panel_of(matrix, first + p, step.rows, room_of(step, thread, 0));
            for (int64_t r = span.first; r < span.end;) {
                const Group group = group_here(r, step.rows);
                f32x16 out[kGroup];
                multiply(panel, normed, group, out);
                for (int64_t i = 0; i < group.size; i++)
                    store(numbers[r + i - span.first] + p * kRows,
                          adapted(step, layer, kHeads, r + i, head * panels + p, out[i]));
                r += group.size;
            }
        }
        for (int64_t r = span.first; r < span.end; r++) {
            if (is_key && r + 1 < span.end && step.row[r].table != step.row[r + 1].table)
                ask_for_key(step.pages, page_of(step, layer, kv, r + 1),
                            step.row[r + 1].position % kPage);
            put_head(step, layer, head, r, numbers[r - span.first]);
        }
    }
}

// Adds a matrix times each vector to the residual stream.
static void add_product(const Step &step, int64_t layer, Product product, const Matrix &matrix,
                        const Vectors &vectors, int64_t thread) {
    const int64_t width = step.network->shape.width;
    const int64_t chunks = chunks_of(matrix.panels(), kPanelsAtOnce);
    const int64_t pieces = chunks * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / chunks, step.rows);
        const int64_t first = piece % chunks * kPanelsAtOnce;
        for (int64_t p = first; p < first + kPanelsAtOnce && p < matrix.panels(); p++) {
            const Panel panel = panel_of(matrix, p, step.rows, room_of(step, thread, 0));
            for (int64_t r = span.first; r < span.end;) {
                const Group group = group_here(r, step.rows);
                f32x16 out[kGroup];
                multiply(panel, vectors, group, out);
                for (int64_t i = 0; i < group.size; i++) {
                    float *x = step.x + (r + i) * width + p * kRows;
                    store(x, load(x) + adapted(step, layer, product, r + i, p, out[i]));
                }
                r += group.size;
            }
        }
    }
}

// silu(gate) * up, 32 hidden numbers a piece, quantised for the way down.
static void gate_and_up(const Step &step, int64_t layer, const Matrix &matrix,
                        const Vectors &normed, int64_t thread) {
    const int64_t blocks = step.network->shape.hidden / kColumns;
    const int64_t pieces = blocks * spans(step.rows);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / blocks, step.rows);
        const int64_t block = piece % blocks;
        float hidden[kSpan][kColumns];
        for (int64_t half = 0; half < 2; half++) {
            const int64_t first = 4 * block + 2 * half;
            const Panel gates = panel_of(matrix, first, step.rows, room_of(step, thread, 0));
            const Panel ups = panel_of(matrix, first + 1, step.rows, room_of(step, thread, 1));
            for (int64_t r = span.first; r < span.end;) {
                const Group group = group_here(r, step.rows);
                f32x16 gate[kGroup], up[kGroup];
                multiply(gates, normed, group, gate);
                multiply(ups, normed, group, up);
                for (int64_t i = 0; i < group.size; i++) {
                    gate[i] = adapted(step, layer, kGateUp, r + i, first, gate[i]);
                    up[i] = adapted(step, layer, kGateUp, r + i, first + 1, up[i]);
                    const f32x16 bounded = gate[i] < -80.0f ? all(-80.0f) : gate[i];
                    const f32x16 silu = gate[i] / (1.0f + exponential(-bounded));
                    store(hidden[r + i - span.first] + 16 * half, silu * up[i]);
                }
                r += group.size;
            }
        }
        for (int64_t r = span.first; r < span.end; r++)
            quantise_row(hidden[r - span.first], step.hidden, r, block, 1);
    }
}

static void predict(const Step &step, const Vectors &vectors, int64_t thread) {
    const int64_t vocabulary = step.network->shape.vocabulary;
    const Matrix &head = step.network->head;
    const int64_t chunks = chunks_of(head.panels(), kHeadAtOnce);
    const int64_t pieces = chunks * spans(step.wanted);
    for (int64_t piece; (piece = step.pool->take(thread, pieces)) < pieces;) {
        const Span span = span_of(piece / chunks, step.wanted);
        const int64_t first = piece % chunks * kHeadAtOnce;
        for (int64_t p = first; p < first + kHeadAtOnce && p < head.panels(); p++) {
            const Panel panel = panel_of(head, p, step.wanted, room_of(step, thread, 0));
            for (int64_t w = span.first; w < span.end;) {
                const Group group = group_here(w, step.wanted);
                f32x16 out[kGroup];
                multiply(panel, vectors, group, out);
                const int64_t left = vocabulary - p * kRows;
                for (int64_t i = 0; i < group.size; i++) {
                    float *logits = step.logits + (w + i) * vocabulary + p * kRows;
                    if (left >= kRows) store(logits, out[i]);
                    for (int64_t c = 0; left < kRows && c < left; c++) logits[c] = out[i][c];
                }
                w += group.size;
            }
        }
    }
}

// Meets the others, and asks for the first weights that this thread reads of the product behind, of
// `pieces` of `panels` panels each: few rows wait for memory, which should not be idle while threads are.
static void meet(const Step &step, int64_t thread, const Matrix &matrix, int64_t pieces,
                 int64_t panels) {
    Pool &pool = *step.pool;
    if (step.rows > kMostAsked) return pool.barrier();
    const uint8_t *bytes = matrix.panel(pool.first_of(thread, pieces) * panels);
    int64_t asked = 0;
    const auto ask = [&] {
        ask_for(bytes + asked, kAsked);
        asked += kAsked;
    };
    pool.barrier([&] {
        if (asked < kMostAhead) ask();
    });
    while (asked < kAhead) ask();
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
    Watch watch(step, thread);
    const Shape &shape = network.shape;
    const int64_t head_panels = shape.head_size / kRows, blocks = shape.hidden / kColumns;
    const int64_t width_pieces = chunks_of(shape.width / kRows, kPanelsAtOnce);
    begin(step, thread);
    watch.ends(Stage::kBegin);
    meet(step, thread, network.layers[0].query_key, shape.heads(), head_panels);
    for (int64_t l = 0; l < network.shape.layers; l++) {
        const Layer &layer = network.layers[l];
        const Vectors heads = normalised(step, layer.attention_norm, nullptr, step.rows, thread);
        watch.ends(Stage::kNorm);
        adapt(step, l, kHeads, heads, thread);
        project_heads(step, l, heads, thread);
        watch.ends(Stage::kProject);
        step.pool->barrier();
        attend_all(step, l, thread);
        watch.ends(Stage::kAttend);
        meet(step, thread, layer.out, width_pieces, kPanelsAtOnce);
        adapt(step, l, kOut, step.mixed, thread);
        add_product(step, l, kOut, layer.out, step.mixed, thread);
        watch.ends(Stage::kOut);
        meet(step, thread, layer.gate_up, blocks, 4);
        const Vectors mlp = normalised(step, layer.mlp_norm, nullptr, step.rows, thread);
        watch.ends(Stage::kNorm);
        adapt(step, l, kGateUp, mlp, thread);
        gate_and_up(step, l, layer.gate_up, mlp, thread);
        watch.ends(Stage::kGateUp);
        meet(step, thread, layer.down, width_pieces, kPanelsAtOnce);
        adapt(step, l, kDown, step.hidden, thread);
        add_product(step, l, kDown, layer.down, step.hidden, thread);
        watch.ends(Stage::kDown);
        if (l + 1 < shape.layers)
            meet(step, thread, network.layers[l + 1].query_key, shape.heads(), head_panels);
        else
            meet(step, thread, network.head, chunks_of(network.head.panels(), kHeadAtOnce), kHeadAtOnce);
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
        quantise_row(x + v * matrix->columns, *room, v, 0, matrix->blocks());
    for (int64_t p = 0; p < matrix->panels(); p++) {
        const Panel panel = panel_of(*matrix, p, count, panel_room);
        for (int64_t v = 0; v < count;) {
            const Group group = group_here(v, count);
            f32x16 products[kGroup];
            multiply(panel, *room, group, products);
            for (int64_t i = 0; i < group.size; i++)
                store(out + (v + i) * matrix->rows + p * kRows, products[i]);
            v += group.size;
        }
    }
    end_tiles();
}
