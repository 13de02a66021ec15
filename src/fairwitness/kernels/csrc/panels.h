// Panels times all vectors of a span, each as its kind has it.
#pragma once

#include "scaled.h"
#include "whole.h"

// Writes out[v] = the 16 rows of a panel times vector v of a group of T.
template <int kKind, int T>
FW_INLINE void panel_times(const Panel &panel, const Here &here, f32x16 *out) {
    if constexpr (is_whole(kKind)) {
        whole_times<kKind, T>(panel, here, out);
    } else {
        scaled_times<kKind, T>(panel, here, out);
    }
}

// Groups that AMX takes, and other instructions do not have to.
#if FW_AMX
constexpr bool takes_many(int32_t kind) { return kind != kQ6_K; }  // whose half tiles are 16 bytes of 64
#else
constexpr bool takes_many(int32_t) { return false; }
#endif

template <int kKind>
static void panel_times_group(const Panel &panel, const Here &here, int64_t room, f32x16 *out) {
    if constexpr (!takes_many(kKind)) {
        if (kGroup == 16 && room == 16) return panel_times<kKind, kGroup>(panel, here, out);
        if (room == 8) return panel_times<kKind, 8>(panel, here, out);
    }
    if (room == 4) return panel_times<kKind, 4>(panel, here, out);
    if (room == 2) return panel_times<kKind, 2>(panel, here, out);
    panel_times<kKind, 1>(panel, here, out);
}

// Two panels, or the one at both places, times the groups of a span that AMX takes. Returns the first
// vector that is left.
template <int kKind>
static int64_t multiply_many(const Panel *panels, int64_t count, const Vectors &vectors, Span span,
                             Products *out) {
    int64_t end = span.first;
#if FW_AMX
    while (takes_many(kKind) && end < span.end) {
        const Group group = group_here(end, vectors.count);
        if (group.room < 8) break;
        end += group.size;
    }
    if (end == span.first) return end;
    const Span many{span.first, end};
    if constexpr (is_whole(kKind)) {
        if (count == 2) whole_many<kKind, 2>(panels, vectors, many, out);
        if (count == 1) whole_many<kKind, 1>(panels, vectors, many, out);
    } else if constexpr (takes_many(kKind)) {
        for (int64_t p = 0; p < count; p++) scaled_many<kKind>(panels[p], vectors, many, out, p);
    }
#else
    (void)panels, (void)count, (void)vectors, (void)out;
#endif
    return end;
}

// A panel, or two that stand behind each other, times each vector of a span; `out` has room for a
// group more.
static void multiply(const Matrix &matrix, int64_t first, int64_t count, const Vectors &vectors,
                     Span span, Products *out) {
    Panel panels[2] = {panel_of(matrix, first), panel_of(matrix, first + count - 1)};
    for_kind(matrix.kind, [&](auto kind) {
        constexpr int kKind = decltype(kind){};
        for (int64_t r = multiply_many<kKind>(panels, count, vectors, span, out); r < span.end;) {
            const Group group = group_here(r, vectors.count);
            for (int64_t p = 0; p < count; p++) {
                f32x16 here[kGroup];
                panel_times_group<kKind>(panels[p], {vectors, group}, group.room, here);
                panels[p].is_near = true;
                for (int64_t i = 0; i < group.size; i++) out[r + i - span.first].of[p] = here[i];
            }
            r += group.size;
        }
    });
}
