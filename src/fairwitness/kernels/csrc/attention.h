// Queries that look at the keys of one kv head. Each query's arithmetic has one order, whoever
// looks with it.
#pragma once

#include "decoder.h"
#include "lanes.h"

struct Query {
    const float *q;  // scaled
    int64_t position;
    float *out;
};

template <int Q>
static void attend_together(const Query *queries, const float *keys, const float *values,
                            int64_t size, int64_t longest, float *scores) {
    int64_t last = 0;
    for (int i = 0; i < Q; i++)
        last = queries[i].position > last ? queries[i].position : last;
    const int64_t blocks = last / 16 + 1;
    f32x16 most[Q], sums[Q];
    for (int i = 0; i < Q; i++) most[i] = all(-__builtin_inff());
    const i32x16 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int64_t b = 0; b < blocks; b++) {
        const float *block = keys + b * size * 16;
        f32x16 score[Q] = {};
        for (int64_t k = 0; k < size; k++) {
            const f32x16 key = load(block + 16 * k);
            for (int i = 0; i < Q; i++) score[i] = fma(key, all(queries[i].q[k]), score[i]);
        }
        for (int i = 0; i < Q; i++) {
            const i32x16 ahead = lanes + static_cast<int32_t>(16 * b - queries[i].position);
            score[i] = ahead > 0 ? all(-__builtin_inff()) : score[i];
            most[i] = larger(score[i], most[i]);
            store(scores + i * longest + 16 * b, score[i]);
        }
    }
    for (int i = 0; i < Q; i++) {
        float *row = scores + i * longest;
        const float peak = highest(most[i]);
        sums[i] = f32x16{};
        for (int64_t b = 0; b < blocks; b++) {
            const f32x16 e = exponential(load(row + 16 * b) - peak);
            sums[i] += e;
            store(row + 16 * b, e);
        }
    }
    for (int64_t k = 0; k < size; k += 64) {
        const int64_t wide = size - k < 64 ? (size - k) / 16 : 4;
        f32x16 mixed[Q][4] = {};
        if (wide == 4) {
            for (int64_t s = 0; s <= last; s++) {
                f32x16 value[4];
                for (int c = 0; c < 4; c++) value[c] = load(values + s * size + k + 16 * c);
                for (int i = 0; i < Q; i++) {
                    const f32x16 weight = all(scores[i * longest + s]);
                    for (int c = 0; c < 4; c++) mixed[i][c] = fma(value[c], weight, mixed[i][c]);
                }
            }
        } else {
            for (int64_t s = 0; s <= last; s++)
                for (int64_t c = 0; c < wide; c++)
                    for (int i = 0; i < Q; i++)
                        mixed[i][c] = fma(load(values + s * size + k + 16 * c),
                                          all(scores[i * longest + s]), mixed[i][c]);
        }
        for (int i = 0; i < Q; i++) {
            const float scale = 1.0f / total(sums[i]);
            for (int64_t c = 0; c < wide; c++)
                store(queries[i].out + k + 16 * c, mixed[i][c] * scale);
        }
    }
}

static void attend(const Query *queries, int64_t count, const float *keys, const float *values,
                   int64_t size, int64_t longest, float *scores) {
    switch (count) {
        case 1: return attend_together<1>(queries, keys, values, size, longest, scores);
        case 2: return attend_together<2>(queries, keys, values, size, longest, scores);
        case 3: return attend_together<3>(queries, keys, values, size, longest, scores);
        case 4: return attend_together<4>(queries, keys, values, size, longest, scores);
        case 5: return attend_together<5>(queries, keys, values, size, longest, scores);
        default: return attend_together<6>(queries, keys, values, size, longest, scores);
    }
}
