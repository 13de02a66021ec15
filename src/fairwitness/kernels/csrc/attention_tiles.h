// Queries that look at the keys of one kv head in tiles of bfloat16, sixteen queries to a tile: what they
// find is the same whoever looks with them.
#pragma once

#include "attention.h"
#include "squares.h"

// 2 to the x within 2 units in the last place, for x that is not above 0; 0 below -126.
FW_INLINE f32x16 two_to(f32x16 x) {
    const f32x16 r = (f32x16)_mm512_reduce_ps((__m512)x, 9);  // what is above the whole number
    f32x16 p = fma(all(1.8763158e-3f), r, all(8.9939344e-3f));
    p = fma(p, r, all(5.5820255e-2f));
    p = fma(p, r, all(2.4015721e-1f));
    p = fma(p, r, all(6.9315214e-1f));
    p = fma(p, r, all(1.0f));
    const __mmask16 counts = _mm512_cmp_ps_mask((__m512)x, _mm512_set1_ps(-126.0f), _CMP_NLT_UQ);
    return (f32x16)_mm512_maskz_scalef_ps(counts, (__m512)p, (__m512)x);
}

// What a thread works on: a part's keys and values, a run's queries, and scores of two tiles of these.
struct Bench {
    uint8_t *keys;     // [16 positions][32 numbers][high, low] tiles
    uint8_t *values;   // [32 positions][16 numbers][high, low] tiles
    uint8_t *queries;  // [16 queries][32 numbers][high, low] tiles
    float *scores;     // [tile of queries][16 positions][query][16]

    // Where the high parts of one query begin.
    uint8_t *query_row(int64_t i, int64_t head_size) const {
        return queries + i / kPairs * 2 * kSquare * (head_size / kDeep) + i % kPairs * 64;
    }
};

constexpr int64_t kScores = kPairs * kPart;  // of one tile of queries
constexpr int64_t kBlocks = kPart / kDeep;

// Bytes of a bench for so many queries.
constexpr int64_t bench_bytes(int64_t head_size, int64_t queries) {
    return 8 * kPart * head_size + (queries + kPairs - 1) / kPairs * kPairs * head_size * 4 +
           2 * kScores * 4;
}

static Bench bench_at(uint8_t *room, int64_t head_size) {
    uint8_t *values = room + 4 * kPart * head_size, *scores = values + 4 * kPart * head_size;
    return {room, values, scores + 2 * kScores * 4, reinterpret_cast<float *>(scores)};
}

// Where 32 positions of a page stand.
template <int kKind>
FW_INLINE const uint8_t *keys_at(const Sight &sight, int64_t position) {
    return sight.head(position / kPage) + position % kPage * sight.pages->head_size * width_of(kKind);
}
template <int kKind>
FW_INLINE const uint8_t *values_at(const Sight &sight, int64_t position) {
    return keys_at<kKind>(sight, position) + sight.pages->values();
}

// What is needed after the keys of a part's 32 positions.
template <int kKind>
FW_INLINE const uint8_t *after_keys(const Sight &sight, int64_t first, int64_t position, int64_t last) {
    const bool goes_on = position + kDeep <= last;
    return goes_on ? keys_at<kKind>(sight, position + kDeep) : values_at<kKind>(sight, first);
}

// A part's positions as far as a share sees them, 32 to a block; where its tiles stand, in pages if these
// hold pairs; and which values are no numbers, where somebody does not see them. Zero times such a value
// would be none either, so tiles hold zeros for them, and whoever sees one has a weight that is no number.
struct Part {
    int64_t first, last;
    const uint8_t *keys[kBlocks], *values[kBlocks];
    uint32_t broken[kBlocks];

    int64_t blocks() const { return (last - first) / kDeep + 1; }
    // Rows of a block's tiles of values that hold any of them.
    int64_t rows(int64_t b) const {
        const int64_t left = last + 1 - first - b * kDeep;
        return left < kPairs ? left : kPairs;
    }
    // Those of a block that count.
    uint32_t whole(int64_t b) const {
        const int64_t positions = last + 1 - first - b * kDeep;
        return ~broken[b] & (positions < kDeep ? (1u << positions) - 1 : ~0u);
    }
};

template <int kKind>
static Part part_of(const Bench &bench, const Sight &sight, int64_t first, int64_t last) {
    const int64_t size = sight.pages->head_size, bytes = kDeep * size * 4;
    Part part;
    part.first = first;
    part.last = last;
    for (int64_t b = 0; b < part.blocks(); b++) {
        const int64_t place = first + b * kDeep;
        part.keys[b] = kKind == kFloats ? keys_at<kKind>(sight, place) : bench.keys + b * bytes;
        part.values[b] = kKind == kFloats ? values_at<kKind>(sight, place) : bench.values + b * bytes;
    }
    return part;
}

// Looks through the values of positions that somebody does not see, from the first of a share, at `oldest`,
// to the last. Few queries have tiles of no more rows than hold positions.
template <int kKind, bool kIsFew>
static void look_through(const Bench &bench, const Sight &sight, int64_t oldest, int64_t newest,
                         Part &part) {
    const int64_t size = sight.pages->head_size;
    for (int64_t b = 0; b < part.blocks(); b++) {
        const int64_t place = part.first + b * kDeep;
        const int64_t rows = kIsFew || kKind != kFloats ? part.rows(b) : kPairs;
        const bool is_seen = oldest >= place + kDeep - 1 && sight.begin(newest) <= place;
        const uint8_t *values = values_at<kKind>(sight, place);
        part.broken[b] = is_seen || kKind == kBytes ? 0 : broken_in<kKind>(values, size, rows);
        if (kKind != kFloats || !part.broken[b]) continue;
        uint8_t *room = bench.values + b * kDeep * size * 4;
        put_whole(values, size, part.broken[b], room);
        part.values[b] = room;
    }
}

// Puts a part in tiles; `next` is what is needed then.
template <int kKind>
static void put_part(const Bench &bench, const Sight &sight, const Part &part, const uint8_t *next) {
    const int64_t size = sight.pages->head_size, first = part.first, last = part.last;
    for (int64_t s = first; s <= last; s += kDeep)
        put_keys<kKind>(keys_at<kKind>(sight, s), size, last + 1 - s,
                        after_keys<kKind>(sight, first, s, last), bench.keys + 4 * (s - first) * size);
    for (int64_t s = first; s <= last; s += kDeep) {
        const bool goes_on = s + kDeep <= last;
        put_values<kKind>(values_at<kKind>(sight, s), size, part.whole((s - first) / kDeep), 0, size,
                          goes_on ? values_at<kKind>(sight, s + kDeep) : next,
                          goes_on ? last + 1 - s - kDeep : kDeep,
                          bench.values + 4 * (s - first) * size);
    }
}

// Where a position's scale stands, of keys or of values.
FW_INLINE f32x16 scale_at(const Sight &sight, int64_t position, bool is_key) {
    return load(scales_of(sight, position / kPage, is_key) + position % kPage);
}

// Which of sixteen positions stand before `end`.
FW_INLINE uint32_t before(int64_t end) { return end > 15 ? 0xffffu : end > 0 ? (1u << end) - 1 : 0; }

// What a query sees of a part: all, what is not ahead of it, or no more than a window of that.
enum class Sees { kAll, kPast, kWindow };

// One query's scores in a part, whose weights take their place. It sees what stands from `begin` to `seen`,
// counted from the first.
template <int kKind, Sees kSees>
struct Weighing {
    const Sight &sight;
    int64_t first, begin, seen;
    float *row;

    float *at(int64_t b, int64_t half) const { return row + (2 * b + half) * kPairs * 16; }

    f32x16 only_seen(int64_t place, f32x16 x, f32x16 other) const {
        const int64_t ahead = place + 15 - seen;
        if (kSees == Sees::kAll || (ahead <= 0 && (kSees == Sees::kPast || place >= begin))) return x;
        uint32_t past = ahead > 15 ? 0 : ahead > 0 ? 0xffffu >> ahead : 0xffffu;
        if constexpr (kSees == Sees::kWindow) past &= ~before(begin - place);
        const auto shown = static_cast<__mmask16>(past);
        return (f32x16)_mm512_mask_mov_ps((__m512)other, shown, (__m512)x);
    }

    // What a score is above `base`; said outright where it is one product and one sum, as in `fma`.
    f32x16 above(int64_t b, int64_t half, f32x16 base) const {
        const int64_t place = kDeep * b + 16 * half;
        f32x16 here = load(at(b, half));
        if (kKind == kBytes && sight.cap == 0)
            here = fma(here, scale_at(sight, first + place, true), -base);
        else
            here -= base;
        return only_seen(place, here, all(-__builtin_inff()));
    }

    float peak(int64_t blocks) const {
        f32x16 most[2] = {all(-__builtin_inff()), all(-__builtin_inff())};
        for (int64_t b = 0; b < blocks; b++)
            each<2>(FW_EACH { most[i] = larger(above(b, i, f32x16{}), most[i]); });
        return highest(larger(most[0], most[1]));
    }

    // Weights relative to the peak, in two parts; returns what they come to.
    float weigh(int64_t blocks, float peak) const {
        const f32x16 base = all(peak == -__builtin_inff() ? 0.0f : peak);
        f32x16 sums[2] = {};
        for (int64_t b = 0; b < blocks; b++) {
            f32x16 weights[2];
            each<2>(FW_EACH {
                weights[i] = two_to(above(b, i, base));
                sums[i] += weights[i];
                if constexpr (kKind != kBytes) return;
                const int64_t place = kDeep * b + 16 * i;
                const f32x16 scale = scale_at(sight, first + place, false);
                weights[i] = only_seen(place, weights[i] * scale, f32x16{});
            });
            put_pairs<true>(weights[0], weights[1], reinterpret_cast<uint8_t *>(at(b, 0)));
        }
        return total(sums[0] + sums[1]);
    }
};

// Queries of two tiles, or of one or a part of one, whose positions rise.
struct Seekers {
    const uint8_t *queries;
    int64_t count;
    int64_t positions[2 * kPairs];
    float *found;
    int64_t apart;  // numbers from one's to the next one's

    // The last position before `end` that one of them sees.
    int64_t last(int64_t end) const {
        const int64_t newest = positions[count - 1];
        return newest < end ? newest : end - 1;
    }
};

static int64_t seekers_of(int64_t left) {
    return left >= 2 * kPairs ? 2 * kPairs : left < kPairs ? left : kPairs;
}

// Of the `b`th 32 positions.
FW_INLINE Sums scores_at(const Bench &bench, int64_t b) {
    return {bench.scores + b * kPairs * kDeep, 64, kSquare, 4 * kScores};
}

// Brings all scores below a cap, those of bytes with the scales of their keys.
template <int kKind>
__attribute__((noinline)) static void cap_all(const Bench &bench, const Sight &sight,
                                              const Seekers &seekers, int64_t first, int64_t blocks) {
    for (int64_t half = 0; half < 2 * blocks; half++)
        for (int64_t i = 0; i < seekers.count; i++) {
            float *at = bench.scores + i / kPairs * kScores + (half * kPairs + i % kPairs) * 16;
            f32x16 here = load(at);
            if constexpr (kKind == kBytes) here *= scale_at(sight, first + 16 * half, true);
            store(at, capped(here, sight.cap * 1.44269504f));
        }
}

// Turns all scores of queries into weights. Peaks come first, so that nobody waits for his own. `meanwhile`
// is done with each query, twice.
template <int kKind, class F>
static void weigh_all(const Bench &bench, const Sight &sight, const Seekers &seekers, int64_t first,
                      int64_t blocks, const F &meanwhile) {
    const auto each_query = [&](const auto &what) __attribute__((always_inline)) {
        for (int64_t i = 0; i < seekers.count; i++) {
            meanwhile();
            float *row = bench.scores + i / kPairs * kScores + i % kPairs * 16;
            const Found found{seekers.found + i * seekers.apart};
            const int64_t position = seekers.positions[i];
            const int64_t seen = position - first, begin = sight.begin(position) - first;
            if (begin > 0)
                what(found, Weighing<kKind, Sees::kWindow>{sight, first, begin, seen, row});
            else if (seen + 1 >= kDeep * blocks)
                what(found, Weighing<kKind, Sees::kAll>{sight, first, begin, seen, row});
            else
                what(found, Weighing<kKind, Sees::kPast>{sight, first, begin, seen, row});
        }
    };
    if (sight.cap != 0) cap_all<kKind>(bench, sight, seekers, first, blocks);
    each_query([&](Found found, const auto &weighing) { found.peak() = weighing.peak(blocks); });
    each_query([&](Found found, const auto &weighing) {
        found.sum() = weighing.weigh(blocks, found.peak());
    });
    written();
}

// Scores of what is broken are no numbers.
static void spoil(const Bench &bench, const Part &part, int64_t blocks, int64_t tiles) {
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t i = 0; part.broken[b] && i < tiles * kPairs; i++)
            for (int64_t half = 0; half < 2; half++)
                _mm512_mask_storeu_ps(bench.scores + i / kPairs * kScores +
                                          (2 * b + half) * kPairs * 16 + i % kPairs * 16,
                                      static_cast<__mmask16>(part.broken[b] >> 16 * half),
                                      _mm512_set1_ps(__builtin_nanf("")));
}

// What T whole tiles of queries, or a part of one, find in keys and values that are in tiles.
template <int kKind, int T>
static void look_in_squares(const Bench &bench, const Sight &sight, const Seekers &seekers,
                            const Part &part) {
    constexpr bool kHasLow = kKind != kBytes;
    const int64_t size = sight.pages->head_size, deep = size / kDeep, first = part.first;
    const int64_t blocks = (seekers.last(part.last + 1) - first) / kDeep + 1;
    const Rows queries{seekers.queries, 64, deep * 2 * kSquare, 2 * kSquare};
    for (int64_t b = 0; b < blocks; b++) {
        const auto keys = [&](int64_t s) { return part.keys[b] + s * 2 * kSquare; };
        multiply_tiles<T, kHasLow>(queries, keys, deep * 2 * kSquare, deep, scores_at(bench, b));
    }
    spoil(bench, part, blocks, T);
    weigh_all<kKind>(bench, sight, seekers, first, blocks, [] {});
    const Rows weights{reinterpret_cast<const uint8_t *>(bench.scores), 64, 4 * kScores, 2 * kSquare};
    for (int64_t k = 0; k < size; k += kDeep) {
        const auto values = [&](int64_t b) { return part.values[b] + k / 16 * 2 * kSquare; };
        const Sums sums{seekers.found + Found::kNumbers + k, 4 * seekers.apart, 64,
                        4 * kPairs * seekers.apart};
        multiply_tiles<T, kHasLow>(weights, values, 2 * kSquare, blocks, sums);
    }
}

// What they find in a part, which some of them may not come to, or have behind them.
template <int kKind>
static void look_in_tiles(const Bench &bench, const Sight &sight, const Seekers &seekers,
                          const Part &part) {
    if (seekers.positions[seekers.count - 1] < part.first || sight.begin(seekers.positions[0]) > part.last) {
        for (int64_t i = 0; i < seekers.count; i++) {
            const Found found{seekers.found + i * seekers.apart};
            found.peak() = -__builtin_inff(), found.sum() = 0;
            for (int64_t k = 0; k < sight.pages->head_size; k += 16) store(found.values() + k, f32x16{});
        }
        return;
    }
    if (seekers.count < kPairs) begin_attention(seekers.count);
    if (seekers.count > kPairs)
        look_in_squares<kKind, 2>(bench, sight, seekers, part);
    else
        look_in_squares<kKind, 1>(bench, sight, seekers, part);
    if (seekers.count < kPairs) begin_attention();
}

// Adds what was found further on, sixteen queries at a time.
static void join_tiles(float *found, const float *next, int64_t apart, int64_t count, int64_t size) {
    for (int64_t from = 0; from < count; from += 16) {
        const int64_t end = count - from < 16 ? count - from : 16;
        float peaks[16] = {}, others[16] = {}, here[16], there[16];
        for (int64_t i = 0; i < end; i++) {
            peaks[i] = found[(from + i) * apart];
            others[i] = next[(from + i) * apart];
        }
        const f32x16 peak = larger(load(others), load(peaks));
        store(here, two_to(load(peaks) - peak));
        store(there, two_to(load(others) - peak));
        for (int64_t i = 0; i < end; i++) {
            const Found a{found + (from + i) * apart};
            const float *b = next + (from + i) * apart;
            if (b[1] == 0.0f) continue;  // it saw nothing there
            a.peak() = peak[i];
            a.sum() = __builtin_fmaf(a.sum(), here[i], b[1] * there[i]);
            for (int64_t k = 0; k < size; k += 16)
                store(a.values() + k, fma(load(a.values() + k), all(here[i]),
                                          load(b + Found::kNumbers + k) * there[i]));
        }
    }
}
