// The layers of an encoder, for the registers that the including file is compiled for. Weights and what meets
// them are bfloat16 with AMX and bytes elsewhere, the rest floats; a row's numbers are the same in whatever
// company it goes.
#pragma once

#include "dots.h"
#include "encoder.h"

namespace encoding {

#if FW_AMX
#include "encoder_halves.h"
#else
#include "encoder_bytes.h"
#endif

FW_INLINE f32x16 magnitude(f32x16 x) { return x < 0.0f ? -x : x; }

// x times the share of a normal distribution below x; the error function by 7.1.26 of Abramowitz and Stegun.
FW_INLINE f32x16 gelu(f32x16 x) {
    const f32x16 far = magnitude(x) * 0.70710678f;
    const f32x16 near = 1.0f / fma(all(0.3275911f), far, all(1.0f));
    f32x16 tail = fma(near, all(1.061405429f), all(-1.453152027f));
    tail = fma(tail, near, all(1.421413741f));
    tail = fma(tail, near, all(-0.284496736f));
    tail = fma(tail, near, all(0.254829592f)) * near;
    const f32x16 beyond = 0.5f * tail * exponential(-(far * far));
    return x * (x < 0.0f ? beyond : 1.0f - beyond);
}

// Each row's x and what a product gave, brought to mean 0 and spread 1, scaled and shifted.
static void join(const Encoding &told, const float *bias, const Norm &norm) {
    const int64_t width = told.width;
    float *x = told.x;
    const float *product = told.found;
    for (int64_t r = 0; r < told.tokens(); r++, x += width, product += width) {
        f32x16 sum{}, squares{};
        for (int64_t i = 0; i < width; i += 16) {
            const f32x16 here = load(x + i) + load(product + i) + load(bias + i);
            store(x + i, here);
            sum += here;
        }
        const f32x16 mean = all(total(sum) / static_cast<float>(width));
        for (int64_t i = 0; i < width; i += 16) {
            const f32x16 away = load(x + i) - mean;
            squares = fma(away, away, squares);
        }
        const float spread = total(squares) / static_cast<float>(width) + told.epsilon;
        const f32x16 part = all(1.0f / __builtin_sqrtf(spread));
        for (int64_t i = 0; i < width; i += 16)
            store(x + i, fma((load(x + i) - mean) * part, load(norm.scale + i), load(norm.bias + i)));
    }
}

// One text and one head of it: query, key and value of a token stand behind each other.
struct Looking {
    const float *made, *bias;  // at this head's queries
    int64_t tokens, width;
    float *turned;  // this head's keys, [number][token], up to whole sixteens
    float *scores;  // for each of kQueries
    float *found;

    int64_t step() const { return 3 * width; }
    int64_t room() const { return (tokens + 15) / 16 * 16; }
};

static void turn_keys(const Looking &here) {
    const float *keys = here.made + here.width, *bias = here.bias + here.width;
    const int64_t room = here.room();
    for (int64_t s = 0; s < room; s++)
        for (int64_t i = 0; i < kHead; i++)
            here.turned[i * room + s] = s < here.tokens ? keys[s * here.step() + i] + bias[i] : 0;
}

// What Q tokens from `t` on see. Q changes how many numbers wait for each other, and none of them.
template <int Q>
static void look(const Looking &here, int64_t t) {
    const int64_t room = here.room(), step = here.step();
    float query[Q][kHead], share[Q];
    f32x16 most[Q];
    each<Q>(FW_EACH {
        for (int64_t k = 0; k < kHead; k += 16) {
            const float *own = here.made + (t + i) * step + k;
            store(query[i] + k, (load(own) + load(here.bias + k)) * 0.17677670f);  // 1 / sqrt(32)
        }
        most[i] = all(-__builtin_inff());
    });
    for (int64_t s = 0; s < room; s += 16) {
        f32x16 score[Q] = {}, other[Q] = {};
        for (int64_t k = 0; k < kHead; k += 2) {
            const f32x16 key = load(here.turned + k * room + s), next = load(here.turned + (k + 1) * room + s);
            each<Q>(FW_EACH {
                score[i] = fma(all(query[i][k]), key, score[i]);
                other[i] = fma(all(query[i][k + 1]), next, other[i]);
            });
        }
        each<Q>(FW_EACH {
            f32x16 both = score[i] + other[i];
            for (int64_t beyond = here.tokens - s; beyond < 16; beyond++) both[beyond] = -__builtin_inff();
            store(here.scores + i * room + s, both);
            most[i] = larger(most[i], both);
        });
    }
    each<Q>(FW_EACH {
        const f32x16 top = all(highest(most[i]));
        f32x16 sum{};
        for (float *at = here.scores + i * room, *end = at + room; at < end; at += 16) {
            const f32x16 weight = exponential(load(at) - top);
            store(at, weight);
            sum += weight;
        }
        share[i] = 1.0f / total(sum);
    });
    const float *value = here.made + 2 * here.width, *bias = here.bias + 2 * here.width;
    f32x16 first[Q] = {}, second[Q] = {};
    for (int64_t s = 0; s < here.tokens; s++, value += step) {
        const f32x16 low = load(value), high = load(value + 16);
        each<Q>(FW_EACH {
            const f32x16 weight = all(here.scores[i * room + s]);
            first[i] = fma(weight, low, first[i]);
            second[i] = fma(weight, high, second[i]);
        });
    }
    each<Q>(FW_EACH {
        float *out = here.found + (t + i) * here.width;
        store(out, fma(first[i], all(share[i]), load(bias)));
        store(out + 16, fma(second[i], all(share[i]), load(bias + 16)));
    });
}

// What each token sees of its text; `wide` has what it asks, is and tells.
static void look_around(const Encoding &told, const float *bias) {
    for (int64_t text = 0, first = 0; text < told.texts; first = told.ends[text++])
        for (int64_t at = 0; at < told.width; at += kHead) {
            Looking here{told.wide + first * 3 * told.width + at, bias + at, told.ends[text] - first, told.width,
                         told.looking, nullptr, told.found + first * told.width + at};
            here.scores = here.turned + kHead * here.room();
            turn_keys(here);
            int64_t t = 0;
            for (; t + kQueries <= here.tokens; t += kQueries) look<kQueries>(here, t);
            for (; t < here.tokens; t++) look<1>(here, t);
        }
}

static void read_layer(const Encoding &told, const EncoderLayer &layer) {
    const int64_t width = told.width, inner = told.inner;
    take_rows(told, told.x, width);
    times(told, width, layer.heads.weights, 3 * width, told.wide);
    look_around(told, layer.heads.bias);
    take_rows(told, told.found, width);
    times(told, width, layer.output.weights, width, told.found);
    join(told, layer.output.bias, layer.seen);
    take_rows(told, told.x, width);
    times(told, width, layer.up.weights, inner, told.wide);
    for (int64_t r = 0; r < told.tokens(); r++) {
        float *row = told.wide + r * inner;
        for (int64_t i = 0; i < inner; i += 16) store(row + i, gelu(load(row + i) + load(layer.up.bias + i)));
        take_row(told, r, row, inner);
    }
    times(told, inner, layer.down.weights, width, told.found);
    join(told, layer.down.bias, layer.thought);
}

static void run(const Encoding &told) {
    begin_tiles();
    for (int64_t i = 0; i < told.count; i++) read_layer(told, told.layers[i]);
    end_tiles();
}

}  // namespace encoding
