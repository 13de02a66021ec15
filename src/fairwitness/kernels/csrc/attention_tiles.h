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

// Puts positions `first` to `last` in tiles; `next` is what is needed then.
template <int kKind>
static void put_part(const Bench &bench, const Sight &sight, int64_t first, int64_t last,
                     const uint8_t *next) {
    const int64_t size = sight.pages->head_size;
    for (int64_t s = first; s <= last; s += kDeep)
        put_keys<kKind>(keys_at<kKind>(sight, s), size, last + 1 - s,
                        after_keys<kKind>(sight, first, s, last), bench.keys + 4 * (s - first) * size);
    for (int64_t s = first; s <= last; s += kDeep) {
        const bool goes_on = s + kDeep <= last;
        put_values<kKind>(values_at<kKind>(sight, s), size, last + 1 - s, 0, size,
                          goes_on ? values_at<kKind>(sight, s + kDeep) : next,
                          goes_on ? last + 1 - s - kDeep : kDeep,
                          bench.values + 4 * (s - first) * size);
    }
    written();
}

// Where a position's scale stands, of keys or of values.
FW_INLINE f32x16 scale_at(const Sight &sight, int64_t position, bool is_key) {
    return load(scales_of(sight, position / kPage, is_key) + position % kPage);
}

// One query's scores in a part, whose weights take their place. `seen` is its position, counted from the
// first.
template <int kKind, bool kIsLast>
struct Weighing {
    const Sight &sight;
    int64_t first, seen;
    float *row;

    float *at(int64_t b, int64_t half) const { return row + (2 * b + half) * kPairs * 16; }

    f32x16 only_seen(int64_t place, f32x16 x, f32x16 other) const {
        const int64_t ahead = place + 15 - seen;
        if (!kIsLast || ahead <= 0) return x;
        const auto shown = static_cast<__mmask16>(ahead > 15 ? 0 : 0xffff >> ahead);
        return (f32x16)_mm512_mask_mov_ps((__m512)other, shown, (__m512)x);
    }

    // What a score is above `base`; said outright where it is one product and one sum, as in `fma`.
    f32x16 above(int64_t b, int64_t half, f32x16 base) const {
        const int64_t place = kDeep * b + 16 * half;
        f32x16 here = load(at(b, half));
        if constexpr (kKind == kBytes) here = fma(here, scale_at(sight, first + place, true), -base);
        if constexpr (kKind != kBytes) here -= base;
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
            put_pairs<true>(weights[0], weights[1], reinterpret_cast<uint8_t *>(at(b, 0)), kSquare);
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

// Turns all scores of queries into weights. Peaks come first, so that nobody waits for his own.
template <int kKind>
static void weigh_all(const Bench &bench, const Sight &sight, const Seekers &seekers, int64_t first,
                      int64_t blocks) {
    const auto each_query = [&](const auto &what) __attribute__((always_inline)) {
        for (int64_t i = 0; i < seekers.count; i++) {
            float *row = bench.scores + i / kPairs * kScores + i % kPairs * 16;
            const Found found{seekers.found + i * seekers.apart};
            const int64_t seen = seekers.positions[i] - first;
            if (seen + 1 >= kDeep * blocks)
                what(found, Weighing<kKind, false>{sight, first, seen, row});
            else
                what(found, Weighing<kKind, true>{sight, first, seen, row});
        }
    };
    each_query([&](Found found, const auto &weighing) { found.peak() = weighing.peak(blocks); });
    each_query([&](Found found, const auto &weighing) {
        found.sum() = weighing.weigh(blocks, found.peak());
    });
    written();
}

// The same in T whole tiles, or a part of one, of keys and values that are in tiles already.
template <int kKind, int T>
static void look_in_squares(const Bench &bench, const Sight &sight, const Seekers &seekers,
                            int64_t first, int64_t end) {
    constexpr bool kHasLow = kKind != kBytes;
    const int64_t size = sight.pages->head_size, deep = size / kDeep;
    const int64_t blocks = (seekers.last(end) - first) / kDeep + 1;
    const Rows queries{seekers.queries, kSquare, 64, deep * 2 * kSquare, 2 * kSquare};
    for (int64_t b = 0; b < blocks; b++) {
        const Columns keys{bench.keys + b * 2 * deep * 2 * kSquare, kSquare, deep * 2 * kSquare,
                           2 * kSquare};
        multiply_tiles<T, kHasLow>(queries, keys, deep, scores_at(bench, b));
    }
    weigh_all<kKind>(bench, sight, seekers, first, blocks);
    const Rows weights{reinterpret_cast<const uint8_t *>(bench.scores), kSquare, 64, 4 * kScores,
                       2 * kSquare};
    for (int64_t k = 0; k < size; k += kDeep) {
        const Columns values{bench.values + k / 16 * 2 * kSquare, kSquare, 2 * kSquare,
                             size / 16 * 2 * kSquare};
        const Sums sums{seekers.found + Found::kNumbers + k, 4 * seekers.apart, 64,
                        4 * kPairs * seekers.apart};
        multiply_tiles<T, kHasLow>(weights, values, blocks, sums);
    }
}

// Sums of one tile of weights times 32 positions of two or four tiles of values, added in tiles 0 to 3.
template <bool kHasLow, bool kIsFour>
FW_INLINE void add_values(const uint8_t *weights, const uint8_t *values) {
    _tile_loadd(4, weights, 64);
    _tile_loadd(5, weights + kSquare, 64);
    if constexpr (kHasLow) {
        _tile_loadd(6, values + kSquare, 64);
        _tile_loadd(7, values + 3 * kSquare, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
    }
    _tile_loadd(6, values, 64);
    _tile_loadd(7, values + 2 * kSquare, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(0, 5, 6);
    _tile_dpbf16ps(1, 5, 7);
    if constexpr (!kIsFour) return;
    if constexpr (kHasLow) {
        _tile_loadd(6, values + 5 * kSquare, 64);
        _tile_loadd(7, values + 7 * kSquare, 64);
        _tile_dpbf16ps(2, 4, 6);
        _tile_dpbf16ps(3, 4, 7);
    }
    _tile_loadd(6, values + 4 * kSquare, 64);
    _tile_loadd(7, values + 6 * kSquare, 64);
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(3, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

// The values of few queries, as far as they are made at once: 64 numbers, or the last 32.
template <int kKind, bool kIsFour>
static void gather_few(const Bench &bench, const Sight &sight, const Seekers &seekers,
                       int64_t first, int64_t last, const uint8_t *next, int64_t from) {
    constexpr int64_t kNumbers = kIsFour ? 64 : 32;
    const int64_t size = sight.pages->head_size;
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kIsFour) _tile_zero(2);
    if constexpr (kIsFour) _tile_zero(3);
    const float *weights = bench.scores;
    for (int64_t s = first; s <= last; s += kDeep, weights += kPairs * kDeep) {
        uint8_t *here = bench.values + s / kDeep % 2 * kNumbers / 16 * 2 * kSquare;
        const bool goes_on = s + kDeep <= last;
        put_values<kKind>(values_at<kKind>(sight, s), size, last + 1 - s, from, from + kNumbers,
                          goes_on ? values_at<kKind>(sight, s + kDeep) : next,
                          goes_on ? last + 1 - s - kDeep : kDeep, here);
        written();
        add_values<kKind != kBytes, kIsFour>(reinterpret_cast<const uint8_t *>(weights), here);
    }
    float *out = seekers.found + Found::kNumbers + from;
    _tile_stored(0, out, 4 * seekers.apart);
    _tile_stored(1, out + 16, 4 * seekers.apart);
    if constexpr (kIsFour) _tile_stored(2, out + 32, 4 * seekers.apart);
    if constexpr (kIsFour) _tile_stored(3, out + 48, 4 * seekers.apart);
}

// What at most sixteen queries find: keys and values are used as soon as they are put in tiles, for to
// write them all would take longer than the rest.
template <int kKind>
static void look_as_few(const Bench &bench, const Sight &sight, const Seekers &seekers,
                        int64_t first, int64_t end, const uint8_t *next) {
    const int64_t size = sight.pages->head_size, deep = size / kDeep;
    const int64_t last = seekers.last(end);
    const Rows queries{seekers.queries, kSquare, 64, 0, 2 * kSquare};
    begin_attention(seekers.count);
    for (int64_t b = 0; b <= (last - first) / kDeep; b++) {
        const int64_t place = first + b * kDeep;
        uint8_t *here = bench.keys + b % 2 * 4 * kDeep * size;
        put_keys<kKind>(keys_at<kKind>(sight, place), size, last + 1 - place,
                        after_keys<kKind>(sight, first, place, last), here);
        written();
        const Columns keys{here, kSquare, deep * 2 * kSquare, 2 * kSquare};
        multiply_tiles<1, kKind != kBytes>(queries, keys, deep, scores_at(bench, b));
    }
    weigh_all<kKind>(bench, sight, seekers, first, (last - first) / kDeep + 1);
    int64_t k = 0;
    for (; k + 64 <= size; k += 64)
        gather_few<kKind, true>(bench, sight, seekers, first, last, next, k);
    if (k < size) gather_few<kKind, false>(bench, sight, seekers, first, last, next, k);
}

// What they find in the part from `first` to `end`.
template <int kKind>
static void look_in_tiles(const Bench &bench, const Sight &sight, const Seekers &seekers,
                          int64_t first, int64_t end) {
    if (seekers.positions[seekers.count - 1] < first) {
        for (int64_t i = 0; i < seekers.count; i++)
            Found{seekers.found + i * seekers.apart}.peak() = -__builtin_inff();
        return;
    }
    if (seekers.count < kPairs) begin_attention(seekers.count);
    if (seekers.count > kPairs)
        look_in_squares<kKind, 2>(bench, sight, seekers, first, end);
    else
        look_in_squares<kKind, 1>(bench, sight, seekers, first, end);
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
            if (others[i] == -__builtin_inff()) continue;  // it saw nothing there
            const Found a{found + (from + i) * apart};
            const float *b = next + (from + i) * apart;
            a.peak() = peak[i];
            a.sum() = __builtin_fmaf(a.sum(), here[i], b[1] * there[i]);
            for (int64_t k = 0; k < size; k += 16)
                store(a.values() + k, fma(load(a.values() + k), all(here[i]),
                                          load(b + Found::kNumbers + k) * there[i]));
        }
    }
}
