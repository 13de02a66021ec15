// What adapters add to products: up(down(x)), with few numbers between the two.
//
// Each row goes by the adapter of its own request, or by none. What is added to a row follows from that
// row alone, in one order, so its bits do not depend on who else is in the step.
#pragma once

#include "decoder.h"
#include "lanes.h"

constexpr int64_t kRanks = 4;  // made at once; ranks are whole fours, the last ones may be zeros

static const Low *low_of(const Step &step, int64_t r, int64_t layer, Product product) {
    const Low *adapter = step.row[r].adapter;
    if (!adapter) return nullptr;
    const Low *low = adapter + layer * kProducts + product;
    return low->rank ? low : nullptr;
}

// A vector as a matrix meets it, in floats again.
static void widen(const Vectors &x, int64_t vector, float *out) {
    const Group group = group_here(vector, x.count);
    for (int64_t b = 0; b < x.blocks(); b++) {
        const auto *numbers = reinterpret_cast<const uint8_t *>(x.number(group, vector, b));
        const float step = *x.step(group, vector, b / kSegment);
        for (int64_t i = 0; i < kColumns; i += 16) {
            const f32x16 high = from_bytes(numbers + i);
            const f32x16 low = from_bytes(numbers + kPartBytes * group.room + i);
            store(out + b * kColumns + i, fma(high, all(256.0f), low) * step);
        }
    }
}

static void go_down(const Low &low, const float *x, float *out) {
    for (int64_t j = 0; j < low.rank; j += kRanks) {
        const float *down = low.down + j * low.columns;
        f32x16 sums[kRanks] = {};
        for (int64_t i = 0; i < low.columns; i += 16)
            for (int64_t k = 0; k < kRanks; k++)
                sums[k] = fma(load(down + k * low.columns + i), load(x + i), sums[k]);
        for (int64_t k = 0; k < kRanks; k++) out[j + k] = total(sums[k]);
    }
}

// The stage before a product: each row with an adapter goes down into few numbers.
static void adapt(const Step &step, int64_t layer, Product product, const Vectors &x,
                  int64_t thread) {
    if (!step.most_rank) return;
    float *wide = step.widened + thread * step.widened_room;
    for (int64_t r; (r = step.pool->take(thread, step.rows)) < step.rows;) {
        const Low *low = low_of(step, r, layer, product);
        if (!low) continue;
        widen(x, r, wide);
        go_down(*low, wide, step.low + r * step.most_rank);
    }
    step.pool->barrier();
}

// Sixteen numbers of a row's product, with what its adapter adds.
FW_INLINE f32x16 adapted(const Step &step, int64_t layer, Product product, int64_t r, int64_t panel,
                         f32x16 out) {
    if (!step.most_rank) return out;
    const Low *low = low_of(step, r, layer, product);
    if (!low) return out;
    const float *narrow = step.low + r * step.most_rank;
    const float *up = low->up + panel * low->rank * kRows;
    f32x16 sum = {};
    for (int64_t j = low->spans[2 * panel]; j < low->spans[2 * panel + 1]; j++)
        sum = fma(load(up + j * kRows), all(narrow[j]), sum);
    return out + sum;
}
