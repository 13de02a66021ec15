// A decoder as the native step sees it: a Llama-shaped stack over quantised matrices.
#pragma once

#include "pool.h"
#include "tiles.h"

struct Layer {
    const float *attention_norm, *mlp_norm;
    Matrix qkv;      // query heads, key heads, value heads, below each other
    Matrix out;
    Matrix gate_up;  // sixteen rows of gate, sixteen of up, and so on
    Matrix down;
};

struct Shape {
    int64_t vocabulary, width, layers, query_heads, kv_heads, head_size, hidden;

    int64_t heads() const { return query_heads + 2 * kv_heads; }
    int64_t queries() const { return query_heads * head_size; }
    int64_t sharing() const { return query_heads / kv_heads; }
};

struct Network {
    Shape shape;
    float epsilon;
    const float *frequencies;  // head_size / 2
    const float *norm;
    Matrix embedding, head;
    const Layer *layers;
};

// Keys and values of one sequence. For each layer and kv head: keys of 16 positions together,
// [capacity / 16][head_size][16], so that sixteen scores are made at once; then values,
// [capacity][head_size].
struct Cache {
    float *data;
    int64_t capacity;

    float *keys(const Shape &shape, int64_t layer, int64_t head) const {
        return data + 2 * (layer * shape.kv_heads + head) * capacity * shape.head_size;
    }
    float *values(const Shape &shape, int64_t layer, int64_t head) const {
        return keys(shape, layer, head) + capacity * shape.head_size;
    }
};

// One token at its place in its sequence.
struct Row {
    int64_t token, position;
    Cache cache;
};

// Consecutive rows of one sequence, which look at the same keys.
struct Run {
    int64_t first, count;
};

// Everything that one step works on. Rows of one sequence stand together, in order.
struct Step {
    const Network *network;
    Pool *pool;
    int64_t rows, runs, wanted;
    const Row *row;
    const Run *run;
    const int64_t *wants;  // the rows whose logits are asked for
    float *x;              // rows * width, the residual stream
    float *q;              // rows * queries
    float *turns;          // rows * head_size: cosines, then sines
    float *scores;         // for each thread: kTogether * longest
    int64_t longest;
    uint8_t *panels;  // for each thread two panels unpacked, 64-byte aligned
    int64_t panel_room;
    Vectors normed, mixed, hidden;
    float *logits;         // wanted * vocabulary
};

constexpr int64_t kLonely = 2;    // so few rows wait for memory, not for arithmetic
constexpr int64_t kTogether = 6;  // queries that look at the same keys at once

// The step as it is compiled for some kind of machine; run by each thread of the pool.
using RunStep = void (*)(void *step, int64_t thread);
using Multiply = void (*)(const Matrix *matrix, const float *x, int64_t count, const Vectors *room,
                          uint8_t *panel_room, float *out);
struct Form {
    RunStep step;
    Multiply multiply;
};

// Null where the compiler cannot make it.
const Form *form_amx();
const Form *form_avx512();
const Form *form_avx2();
const Form *form_plain();
// A form by its number, null where this machine cannot run it: 0 is the best, 1 any machine's, 2 that
// of AVX2, 3 that of AVX-512, 4 that of AMX.
const Form *form_numbered(int64_t number);
