// What at most sixteen queries find in tiles. They wait for memory, so what they come to is asked for ahead.
#pragma once

#include "attention_tiles.h"

// Keys or values of 32 positions as they lie in a page: tiles, of which some rows are needed.
struct Block {
    const uint8_t *at;
    int64_t squares, rows;

    void ask(int64_t square) const {
        if (square >= squares) return;
        for (int64_t i = 0; i < rows; i++) __builtin_prefetch(at + square * kSquare + i * 64, 0, 2);
    }
};

constexpr int64_t kBlocksAhead = 3;

// What lies before queries: a part's keys, its values, the keys of the part behind; of the next share
// behind the last part.
struct Road {
    const Sight &sight;
    Part &part;
    int64_t newest;
    const Sight &then;
    int64_t then_first, then_newest;

    static Block keys(const Sight &sight, int64_t place, int64_t newest) {
        const int64_t squares = sight.pages->head_size / kPairs, left = newest + 1 - place;
        if (left <= 0) return {};
        return {keys_at<kFloats>(sight, place), left <= kPairs ? squares : 2 * squares, kPairs};
    }

    Block block(int64_t index) const {
        const int64_t blocks = part.blocks(), place = part.first + index * kDeep;
        if (index < blocks) return keys(sight, place, newest);
        if (index < 2 * blocks) {
            return {values_at<kFloats>(sight, place - blocks * kDeep), sight.pages->head_size / 8,
                    part.rows(index - blocks)};
        }
        const int64_t further = (index - 2 * blocks) * kDeep;
        if (part.last < newest) return keys(sight, part.last + 1 + further, newest);
        return keys(then, then_first / kDeep * kDeep + further, then_newest);
    }
};

// Sums of one tile of weights times 32 positions of two or four tiles of values, added in tiles 0 to 3.
template <bool kHasLow, bool kIsFour, class F>
FW_INLINE void add_values(const uint8_t *weights, const uint8_t *values, const F &ask) {
    _tile_loadd(4, weights, 64);
    _tile_loadd(5, weights + kSquare, 64);
    if constexpr (kHasLow) {
        ask(0);
        _tile_loadd(6, values + kSquare, 64);
        ask(1);
        _tile_loadd(7, values + 3 * kSquare, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
    }
    ask(2);
    _tile_loadd(6, values, 64);
    ask(3);
    _tile_loadd(7, values + 2 * kSquare, 64);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(0, 5, 6);
    _tile_dpbf16ps(1, 5, 7);
    if constexpr (!kIsFour) return;
    if constexpr (kHasLow) {
        ask(4);
        _tile_loadd(6, values + 5 * kSquare, 64);
        ask(5);
        _tile_loadd(7, values + 7 * kSquare, 64);
        _tile_dpbf16ps(2, 4, 6);
        _tile_dpbf16ps(3, 4, 7);
    }
    ask(6);
    _tile_loadd(6, values + 4 * kSquare, 64);
    ask(7);
    _tile_loadd(7, values + 6 * kSquare, 64);
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(3, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
}

template <bool kIsFour>
FW_INLINE void put_sums(float *out, int64_t apart) {
    _tile_stored(0, out, apart);
    _tile_stored(1, out + 16, apart);
    if constexpr (kIsFour) _tile_stored(2, out + 32, apart);
    if constexpr (kIsFour) _tile_stored(3, out + 48, apart);
}

template <bool kIsFour>
FW_INLINE void take_sums(const float *out, int64_t apart) {
    _tile_loadd(0, out, apart);
    _tile_loadd(1, out + 16, apart);
    if constexpr (kIsFour) _tile_loadd(2, out + 32, apart);
    if constexpr (kIsFour) _tile_loadd(3, out + 48, apart);
}

// The values of few queries, as far as they are taken at once: 64 numbers, or the last 32. `make(b, from,
// numbers)` says where their tiles stand, `ask(b, square)` asks for one ahead. The last tiles have `rows`
// rows of pairs: a new shape throws sums away, so they are put down meanwhile.
template <bool kHasLow, bool kIsFour, class Make, class Ask>
static void gather_few(const Bench &bench, const Seekers &seekers, int64_t blocks, int64_t rows,
                       int64_t from, const Make &make, const Ask &ask) {
    float *out = seekers.found + Found::kNumbers + from;
    const int64_t apart = 4 * seekers.apart, square = from / 8;
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (kIsFour) _tile_zero(2);
    if constexpr (kIsFour) _tile_zero(3);
    for (int64_t b = 0; b < blocks; b++) {
        if (b == blocks - 1 && rows < kPairs) {
            put_sums<kIsFour>(out, apart);
            begin_attention(seekers.count, rows);
            take_sums<kIsFour>(out, apart);
        }
        const uint8_t *here = make(b, from, kIsFour ? 64 : 32);
        written();
        const auto *weights = reinterpret_cast<const uint8_t *>(bench.scores + b * kPairs * kDeep);
        add_values<kHasLow, kIsFour>(weights, here,
                                     [&](int64_t i) __attribute__((always_inline)) { ask(b, square + i); });
    }
    put_sums<kIsFour>(out, apart);
    if (rows < kPairs) begin_attention(seekers.count);
}

template <bool kHasLow, class Make, class Ask>
static void gather_all(const Bench &bench, const Seekers &seekers, int64_t size, int64_t blocks,
                       int64_t rows, const Make &make, const Ask &ask) {
    int64_t k = 0;
    for (; k + 64 <= size; k += 64)
        gather_few<kHasLow, true>(bench, seekers, blocks, rows, k, make, ask);
    if (k < size) gather_few<kHasLow, false>(bench, seekers, blocks, rows, k, make, ask);
}

// Scores of 32 positions, or of the first 16, in the order that `multiply_tiles` has.
FW_INLINE void score_few(const uint8_t *queries, const uint8_t *keys, int64_t deep, bool is_half,
                         const Block &ahead, Sums sums) {
    _tile_zero(0);
    _tile_zero(1);
    for (int64_t s = 0; s < deep; s++) {
        const uint8_t *first = keys + s * 2 * kSquare, *second = first + deep * 2 * kSquare;
        _tile_loadd(4, queries + s * 2 * kSquare, 64);
        _tile_loadd(5, queries + s * 2 * kSquare + kSquare, 64);
        ahead.ask(4 * s);
        _tile_loadd(6, first + kSquare, 64);
        ahead.ask(4 * s + 1);
        _tile_loadd(7, first, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(0, 4, 7);
        _tile_dpbf16ps(0, 5, 7);
        ahead.ask(4 * s + 2);
        ahead.ask(4 * s + 3);
        if (is_half) continue;
        _tile_loadd(6, second + kSquare, 64);
        _tile_loadd(7, second, 64);
        _tile_dpbf16ps(1, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(1, 5, 7);
    }
    auto *out = reinterpret_cast<uint8_t *>(sums.out);
    _tile_stored(0, out, sums.row);
    if (!is_half) _tile_stored(1, out + sums.beside, sums.row);
}

// In pages that hold pairs.
static void look_along(const Bench &bench, const Seekers &seekers, const Road &road) {
    Part &part = road.part;
    const int64_t size = road.sight.pages->head_size, blocks = part.blocks();
    begin_attention(seekers.count);
    const Block tail = road.block(2 * blocks - 1);  // which is looked through before it is used
    for (int64_t i = 0; i < tail.squares; i++) tail.ask(i);
    for (int64_t b = 0; b < blocks; b++)
        score_few(seekers.queries, part.keys[b], size / kDeep,
                  part.last < part.first + b * kDeep + kPairs, road.block(b + kBlocksAhead),
                  scores_at(bench, b));
    look_through<kFloats, true>(bench, road.sight, seekers.positions[0], road.newest, part);
    spoil(bench, part, blocks, 1);
    const Block one = road.block(blocks + kBlocksAhead);
    int64_t asked = 0;
    weigh_all<kFloats>(bench, road.sight, seekers, part.first, blocks,
                       [&]() __attribute__((always_inline)) { one.ask(asked++); });
    while (asked < one.squares) one.ask(asked++);
    const auto make = [&](int64_t b, int64_t from, int64_t) {
        return part.values[b] + from / 16 * 2 * kSquare;
    };
    Block ahead[kBlocks];
    for (int64_t b = 0; b < blocks; b++) ahead[b] = road.block(blocks + b + kBlocksAhead + 1);
    const int64_t rows = part.rows(blocks - 1);  // no others are read
    gather_all<true>(bench, seekers, size, blocks, rows, make,
                     [&](int64_t b, int64_t square) __attribute__((always_inline)) {
                         ahead[b].ask(square);
                     });
}

// In others: what has to be put in tiles is used as soon as it is there, for to write all of it would take
// longer than the rest.
template <int kKind>
static void look_as_few(const Bench &bench, const Sight &sight, const Seekers &seekers,
                        const Part &part, const uint8_t *next) {
    constexpr bool kHasLow = kKind != kBytes;
    const int64_t size = sight.pages->head_size, deep = size / kDeep;
    const Rows queries{seekers.queries, 64, 0, 2 * kSquare};
    begin_attention(seekers.count);
    for (int64_t b = 0; b < part.blocks(); b++) {
        const int64_t place = part.first + b * kDeep;
        uint8_t *here = bench.keys + b % 2 * 4 * kDeep * size;
        put_keys<kKind>(keys_at<kKind>(sight, place), size, part.last + 1 - place,
                        after_keys<kKind>(sight, part.first, place, part.last), here);
        written();
        const auto keys = [&](int64_t s) { return here + s * 2 * kSquare; };
        multiply_tiles<1, kHasLow>(queries, keys, deep * 2 * kSquare, deep, scores_at(bench, b));
    }
    spoil(bench, part, part.blocks(), 1);
    weigh_all<kKind>(bench, sight, seekers, part.first, part.blocks(), [] {});
    const auto make = [&](int64_t b, int64_t from, int64_t numbers) __attribute__((always_inline)) {
        const int64_t place = part.first + b * kDeep;
        uint8_t *room = bench.values + b % 2 * numbers / 16 * 2 * kSquare;
        const bool goes_on = place + kDeep <= part.last;
        put_values<kKind>(values_at<kKind>(sight, place), size, part.whole(b), from, from + numbers,
                          goes_on ? values_at<kKind>(sight, place + kDeep) : next,
                          goes_on ? part.last + 1 - place - kDeep : kDeep, room);
        return static_cast<const uint8_t *>(room);
    };
    gather_all<kHasLow>(bench, seekers, size, part.blocks(), kPairs, make,
                        [](int64_t, int64_t) {});
}
