// A decoder as the native step sees it: layers over quantised matrices. What a family does otherwise than a
// Llama is data of a layer or of the network, and null or none where it does not.
#pragma once

#include "pool.h"
#include "tiles.h"

struct Encoding;  // encoder.h

struct Layer {
    const float *attention_norm, *mlp_norm;
    Matrix query_key;  // query heads, key heads below each other
    Matrix value;
    Matrix out;
    Matrix gate_up;  // sixteen rows of gate, sixteen of up, and so on; of all experts below each other
    Matrix down;     // and so here
    const float *heads_bias;           // of query, key and value heads below each other
    const float *out_bias;
    const float *query_norm, *key_norm;  // of each head, before it is turned
    const float *attention_post_norm, *mlp_post_norm;  // of what is added to the residual stream
    int64_t window;                    // the newest positions that a row looks at, its own among them
    int64_t wave;                      // which of the network's turns its heads
    const float *router;               // of a mixture of experts: experts * width, times the mlp norm
};

// Which experts work on a row.
struct Mixture {
    int64_t count, used;
    bool is_renormalised;  // shares are of those used, not of all
    float cap;             // of scores, as a network's caps
};

// One of a row's experts, and where that has its rows.
struct Slot {
    int64_t row, expert, crowd;
    float share;
};

// The rows that an expert works on: slots behind each other, and vectors from a place on.
struct Crowd {
    int64_t expert, first, count, place;
};

constexpr int64_t kWaves = 2;         // kinds of RoPE
constexpr int64_t kStill = kWaves;    // the wave of a layer that turns nothing
constexpr int64_t kFar = 1ll << 30;   // no window is wider

enum class Activation : int64_t { kSilu, kGelu };  // the latter by tanh

struct Wave {
    const float *frequencies;  // head_size / 2, null for none
    float amplitude;           // what the turned are multiplied by (YaRN)
};

struct Shape {
    int64_t vocabulary, width, layers, query_heads, kv_heads, head_size, hidden;  // the last of one expert

    int64_t heads() const { return query_heads + 2 * kv_heads; }
    int64_t queries() const { return query_heads * head_size; }
    int64_t sharing() const { return query_heads / kv_heads; }
    int64_t found() const { return head_size + 16; }  // numbers of what a query found
};

struct Network {
    Shape shape;
    float epsilon;
    float query_scale;
    float score_cap, logits_cap;  // what they come close to: cap * tanh(x / cap); 0 for none
    float embedding_scale;
    Activation activation;
    Mixture mixture;  // zeros for none
    Wave waves[kWaves];
    const float *norm;
    Matrix embedding, head;
    const Layer *layers;
};

constexpr int64_t kPage = 64;   // positions of a page
constexpr int64_t kPart = 256;  // positions that a query looks at before it joins what it found

// What keys and values are kept as.
enum Numbers : int32_t { kFloats = 0, kHalves = 1, kBytes = 2 };

// Keys and values of many sequences, in pages; `pages.h` says how one lies.
struct Pages {
    uint8_t *data;
    int32_t kind;
    int64_t head_size, kv_heads, page_bytes;

    int64_t values() const { return kPage * head_size * (kind == kFloats ? 4 : kind == kHalves ? 2 : 1); }
    int64_t scales() const { return 2 * values(); }
    int64_t head_bytes() const { return scales() + (kind == kBytes ? 2 * kPage * 4 : 0); }
    int64_t offset(int64_t layer, int64_t head) const {
        return (layer * kv_heads + head) * head_bytes();
    }
};

// What an adapter adds to a product: up(down(x)). A panel takes some of the numbers between.
struct Low {
    int64_t rank, columns;
    const float *down;     // rank * columns
    const float *up;       // for each panel rank * 16
    const int32_t *spans;  // for each panel the first of the numbers that it takes, and the end
};
enum Product : int64_t { kHeads, kOut, kGateUp, kDown, kProducts };

// One token at its place in its sequence, the pages of that, and its adapter: layers * kProducts, or
// null.
struct Row {
    int64_t token, position;
    const int32_t *table;
    const Low *adapter;
};

// Consecutive rows of one sequence, which look at the same keys.
struct Run {
    int64_t first, count;
};

// The stages of a step, of all layers together, as a watch tells them apart.
enum class Stage { kBegin, kNorm, kProject, kAttend, kOut, kGateUp, kDown, kHead, kCount };

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
    float *turns;          // kWaves * rows * head_size: cosines, then sines
    float *given;          // rows * width, of what is normed again before it is added
    float *mixed;          // rows * queries, what attention found
    float *hidden;         // rows * hidden, with experts for each that a row uses
    float *scores;         // rows * experts
    Slot *slots;           // for each thread those of all rows, as chosen and by crowds
    Crowd *crowds;         // for each thread experts
    int64_t *counts;       // and the same
    Pages pages;
    float *found;          // for each thread: what a run's queries found, and what they find next
    int64_t found_room;    // numbers of one of these
    int64_t parts;         // how many of them each share of a run is split in, 0 for none
    float *part_found;     // rows * query_heads * parts, where they are
    int32_t *parts_done;   // runs * kv_heads, zeros
    uint8_t *share_room;   // for each thread what attention needs, 64-byte aligned
    int64_t share_bytes;
    int64_t most_rank;  // of all adapters here, 0 for none
    float *low;         // rows * most_rank
    float *widened;     // for each thread a vector
    int64_t widened_room;
    Vectors normed, whole_mixed, whole_hidden;
    float *logits;         // wanted * vocabulary
    int64_t *spent_ns;     // for each thread its processor time of each stage, null if nobody asks
};

constexpr int64_t kLonely = 2;    // so few rows wait for memory, not for arithmetic
constexpr int64_t kTogether = 6;  // queries that look at the same keys at once

// The step as it is compiled for some kind of machine; run by each thread of the pool.
using RunStep = void (*)(void *step, int64_t thread);
using Multiply = void (*)(const Matrix *matrix, const float *x, int64_t count, const Vectors *room,
                          float *out);
struct Form {
    RunStep step;
    Multiply multiply;
    int64_t run_rows;  // at most, of one run
    int64_t (*share_bytes)(const Shape &shape);
    void (*encode)(const Encoding &encoding);
    int64_t encoder_bits;  // of a weight of an encoder
};

// Null where the compiler cannot make it; has_avx2 and so on in matmul.cpp ask for what it is compiled for.
const Form *form_amx();
const Form *form_avx512();
const Form *form_avx2();
const Form *form_plain();
// A form by its number, null where this machine cannot run it: 0 is the best, 1 any machine's, 2 that
// of AVX2, 3 that of AVX-512, 4 that of AMX.
const Form *form_numbered(int64_t number);
