// Queries that look at the keys of one kv head, a part of 256 positions at a time. What each part
// says is joined in order of position. Each query's arithmetic has one order, whoever looks with it,
// and wherever pages lie.
#pragma once

#include "pages.h"

// What a query found in some positions: the highest score, the sum of weights relative to it, and the
// values times these weights.
struct Found {
    float *told;

    static constexpr int64_t kNumbers = 16;  // before the values
    float &peak() const { return told[0]; }
    float &sum() const { return told[1]; }
    float *values() const { return told + kNumbers; }
};

// One kv head's share of the pages of a sequence, and how its layer looks at it.
struct Sight {
    const Pages *pages;
    const int32_t *table;
    int64_t offset;  // of the head in a page
    int64_t window;  // the newest positions that are seen
    float cap;       // what scores come close to, 0 for none

    // The first position that is seen from one.
    int64_t begin(int64_t position) const {
        return position < window ? 0 : position + 1 - window;
    }

    const uint8_t *head(int64_t page) const {
        return pages->data + table[page] * pages->page_bytes + offset;
    }
};

FW_INLINE const float *scales_of(const Sight &sight, int64_t page, bool is_key) {
    return reinterpret_cast<const float *>(sight.head(page) + sight.pages->scales()) +
           (is_key ? 0 : kPage);
}

#if !FW_AMX  // which has tiles for it

struct Query {
    const float *q;  // scaled
    int64_t position;
    float *found;  // as `Found` has it
};

// scores[i][s] for positions from 16 * `first` on; those that a query does not see are lowest.
template <int kKind, int Q>
FW_INLINE void score(const Query *queries, const Sight &sight, int64_t first, int64_t end,
                     float (*scores)[kPart], f32x16 *most) {
    constexpr int64_t kWidth = kKind == kFloats ? 4 : kKind == kHalves ? 2 : 1;
    const int64_t size = sight.pages->head_size;
    const f32x16 lowest = all(-__builtin_inff());
    const i32x16 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    each<Q>(FW_EACH { most[i] = lowest; });
    for (int64_t b = first; b < end; b++) {
        const uint8_t *keys = sight.head(b / 4) + b % 4 * size * 16 * kWidth;
        f32x16 score[Q];
        each<Q>(FW_EACH { score[i] = f32x16{}; });
        for (int64_t k = 0; k < size; k++) {
            if (Q <= 4) __builtin_prefetch(keys + (16 * k + 2048) * kWidth);
            const f32x16 key = numbers_at<kKind>(keys, 16 * k);
            each<Q>(FW_EACH { score[i] = fma(key, all(queries[i].q[k]), score[i]); });
        }
        f32x16 scale = all(1.0f);
        if (kKind == kBytes) scale = load(scales_of(sight, b / 4, true) + b % 4 * 16);
        each<Q>(FW_EACH {
            const i32x16 ahead = lanes + static_cast<int32_t>(16 * b - queries[i].position);
            const f32x16 scaled = kKind == kBytes ? score[i] * scale : score[i];
            const f32x16 bounded = sight.cap != 0 ? capped(scaled, sight.cap) : scaled;
            const f32x16 near = ahead > -static_cast<int32_t>(sight.window) ? bounded : lowest;
            const f32x16 seen = ahead > 0 ? lowest : near;
            most[i] = larger(seen, most[i]);
            store(scores[i] + 16 * (b - first), seen);
        });
    }
}

// Turns scores into weights, and says what they are relative to and what they come to.
template <int kKind, int Q>
FW_INLINE void weigh(const Query *queries, const Sight &sight, int64_t first, int64_t end,
                     float (*scores)[kPart], const f32x16 *most) {
    each<Q>(FW_EACH {
        const Found found{queries[i].found};
        const int64_t position = queries[i].position;
        const bool sees = position >= 16 * first && sight.begin(position) < 16 * end;
        const float peak = sees ? highest(most[i]) : 0.0f;
        f32x16 sum = {};
        for (int64_t b = first; b < end; b++) {
            float *here = scores[i] + 16 * (b - first);
            const f32x16 e = exponential(load(here) - peak);
            sum += e;
            const bool is_scaled = kKind == kBytes;
            store(here, is_scaled ? e * load(scales_of(sight, b / 4, false) + b % 4 * 16) : e);
        }
        found.peak() = sees ? peak : -__builtin_inff();
        found.sum() = total(sum);
    });
}

// Values times weights, 16 * W of a value's numbers at a time: as much as registers hold.
template <int kKind, int Q, int W>
FW_INLINE int64_t gather(const Query *queries, const Sight &sight, int64_t from, int64_t first,
                         int64_t last, float (*scores)[kPart]) {
    constexpr int64_t kWidth = kKind == kFloats ? 4 : kKind == kHalves ? 2 : 1;
    const int64_t size = sight.pages->head_size;
    // Nobody may meet what he does not see, it may be no number: from where to where all see.
    int64_t oldest = last, latest = first, begins[Q];
    each<Q>(FW_EACH {
        begins[i] = sight.begin(queries[i].position);
        latest = begins[i] > latest ? begins[i] : latest;
        oldest = queries[i].position < oldest ? queries[i].position : oldest;
    });
    int64_t k = from;
    for (; k + 16 * W <= size; k += 16 * W) {
        f32x16 sums[Q * W];
        each<Q * W>(FW_EACH { sums[i] = f32x16{}; });
        for (int64_t page = first / kPage; page <= last / kPage; page++) {
            const uint8_t *values = sight.head(page) + sight.pages->values();
            const int64_t left = last + 1 - page * kPage, count = left < kPage ? left : kPage;
            const auto add = [&](int64_t s, auto everybody) __attribute__((always_inline)) {
                f32x16 value[W];
                if (Q <= 4) __builtin_prefetch(values + (s * size + k + 2048) * kWidth);
                each<W>(FW_EACH { value[i] = numbers_at<kKind>(values, s * size + k + 16 * i); });
                const int64_t place = page * kPage + s;
                each<Q>(FW_EACH {
                    const int q = i;
                    if (!everybody && (place > queries[q].position || place < begins[q])) return;
                    const f32x16 weight = all(scores[q][place - first]);
                    each<W>([&](auto w) __attribute__((always_inline)) {
                        sums[q * W + w] = fma(value[w], weight, sums[q * W + w]);
                    });
                });
            };
            const int64_t seen = oldest + 1 - page * kPage, all_see = seen < count ? seen : count;
            const int64_t unseen = latest - page * kPage, some_see = unseen < count ? unseen : count;
            int64_t s = 0;
            for (; s < some_see; s++) add(s, Index<0>{});
            for (; s < all_see; s++) add(s, Index<1>{});
            for (; s < count; s++) add(s, Index<0>{});
        }
        each<Q * W>(FW_EACH { store(queries[i / W].found + Found::kNumbers + k + 16 * (i % W), sums[i]); });
    }
    return k;
}

// Positions `first` to `last`, of one part, and first is where a page begins.
template <int kKind, int Q>
static void look_together(const Query *queries, const Sight &sight, int64_t first, int64_t last) {
    alignas(64) float scores[Q][kPart];
    f32x16 most[Q];
    score<kKind, Q>(queries, sight, first / 16, last / 16 + 1, scores, most);
    weigh<kKind, Q>(queries, sight, first / 16, last / 16 + 1, scores, most);
    int64_t k = 0;
    if constexpr (Q <= 4) k = gather<kKind, Q, 4>(queries, sight, 0, first, last, scores);
    gather<kKind, Q, 2>(queries, sight, k, first, last, scores);
}

template <int kKind>
static void look(const Query *queries, int64_t count, const Sight &sight, int64_t first,
                 int64_t end) {
    int64_t last = 0;
    for (int64_t i = 0; i < count; i++)
        last = queries[i].position > last ? queries[i].position : last;
    last = last < end ? last : end - 1;
#if !FW_WIDE  // without registers for more there is nothing to share
    for (int64_t i = 0; i < count; i++) look_together<kKind, 1>(queries + i, sight, first, last);
#else
    switch (count) {
        case 1: return look_together<kKind, 1>(queries, sight, first, last);
        case 2: return look_together<kKind, 2>(queries, sight, first, last);
        case 3: return look_together<kKind, 3>(queries, sight, first, last);
        case 4: return look_together<kKind, 4>(queries, sight, first, last);
        case 5: return look_together<kKind, 5>(queries, sight, first, last);
        default: return look_together<kKind, 6>(queries, sight, first, last);
    }
#endif
}

// Adds what was found further on.
static void join(Found found, Found next, int64_t size) {
    const float peak = next.peak() > found.peak() ? next.peak() : found.peak();
    const float here = exponential(all(found.peak() - peak))[0];
    const float there = exponential(all(next.peak() - peak))[0];
    found.peak() = peak;
    found.sum() = found.sum() * here + next.sum() * there;
    for (int64_t k = 0; k < size; k += 16)
        store(found.values() + k, load(found.values() + k) * here + load(next.values() + k) * there);
}
#endif
