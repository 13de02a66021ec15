// An encoder as the native call sees it: layers over texts, every token of which sees every other of its text.
#pragma once

#include <cstdint>

// A product, with its weights as the form has them, and a norm; both in parts as `layers.py` lists them.
struct Linear {
    const uint8_t *weights;
    const float *bias;
};
struct Norm {
    const float *scale, *bias;
};
struct EncoderLayer {
    Linear heads, output;
    Norm seen;
    Linear up, down;
    Norm thought;
};
static_assert(sizeof(EncoderLayer) == 12 * sizeof(void *), "no gaps");

constexpr int64_t kHead = 32;      // numbers of a head
constexpr int64_t kGathered = 16;  // rows, up to whole times which there is room
constexpr int64_t kQueries = 4;    // that look at keys together

struct Encoding {
    const EncoderLayer *layers;
    int64_t count;
    const int64_t *ends;  // where the rows of each text end
    int64_t texts, width, inner, heads;
    float epsilon;
    float *x;        // tokens * width
    float *found;    // rows * width: what attention found, and what is added to x
    float *wide;     // rows * widest
    uint8_t *taken;  // rows * widest * 2: what a matrix meets
    float *looking;  // (kHead + kQueries) * rows

    int64_t tokens() const { return ends[texts - 1]; }
    int64_t rows() const { return (tokens() + kGathered - 1) / kGathered * kGathered; }
    int64_t widest() const { return inner > 3 * width ? inner : 3 * width; }
};
