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
    each<Q>(FW_EACH { last = queries[i].position > last ? queries[i].position : last; });
    const int64_t blocks = last / 16 + 1;
    const f32x16 lowest = all(-__builtin_inff());
    const i32x16 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    f32x16 most[Q];
    each<Q>(FW_EACH { most[i] = lowest; });
    for (int64_t b = 0; b < blocks; b++) {
        const float *block = keys + b * size * 16;
        f32x16 score[Q];
        each<Q>(FW_EACH { score[i] = f32x16{}; });
        for (int64_t k = 0; k < size; k++) {
            const f32x16 key = load(block + 16 * k);
            each<Q>(FW_EACH { score[i] = fma(key, all(queries[i].q[k]), score[i]); });
        }
        each<Q>(FW_EACH {
            const i32x16 ahead = lanes + static_cast<int32_t>(16 * b - queries[i].position);
            const f32x16 seen = ahead > 0 ? lowest : score[i];
            most[i] = larger(seen, most[i]);
            store(scores + i * longest + 16 * b, seen);
        });
    }
    float share[Q];
    each<Q>(FW_EACH {
        float *row = scores + i * longest;
        const float peak = highest(most[i]);
        f32x16 sum = {};
        for (int64_t b = 0; b < blocks; b++) {
            const f32x16 e = exponential(load(row + 16 * b) - peak);
            sum += e;
            store(row + 16 * b, e);
        }
        share[i] = 1.0f / total(sum);
    });
    for (int64_t k = 0; k < size; k += 32) {  // as much as registers hold
        f32x16 left[Q], right[Q];
        each<Q>(FW_EACH { left[i] = right[i] = f32x16{}; });
        for (int64_t s = 0; s <= last; s++) {
            const float *value = values + s * size + k;
            const f32x16 first = load(value), second = load(value + 16);
            each<Q>(FW_EACH {
                const f32x16 weight = all(scores[i * longest + s]);
                left[i] = fma(first, weight, left[i]);
                right[i] = fma(second, weight, right[i]);
            });
        }
        each<Q>(FW_EACH {
            store(queries[i].out + k, left[i] * share[i]);
            store(queries[i].out + k + 16, right[i] * share[i]);
        });
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
