// Looks for the codes nearest to a query in some lists of many slices; kernels/lists.py says how they
// lie and has the plain twin.

#include "kernel.h"
#include "nearest.h"

namespace {

constexpr int64_t kStretchRows = 1 << 16;

// As kernels/lists.py lays it out.
struct Lists {
    const uint64_t *codes;
    const uint16_t *list_of;  // of each row, where codes are in the order of rows; else null
    const int64_t *starts;    // of each stretch of rows in each list, where codes are list by list
    const uint16_t *rows;     // there, which of its stretch each is
    int64_t size, lists, stretches;
};

// Where codes stand list by list.
void look_sorted(const Lists &lists, const int64_t *chosen, int64_t count, const uint64_t *query,
                 const uint8_t *allowed, Nearest &nearest) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t *starts = lists.starts + chosen[i] * lists.stretches;
        const auto row_of = [&](int64_t place) {
            const int64_t *after = std::upper_bound(starts, starts + lists.stretches, place);
            return (after - starts - 1) * kStretchRows + lists.rows[place];
        };
        look_through(lists.codes, starts[0], starts[lists.stretches], query, allowed, nearest,
                     row_of);
    }
}

// Where they stand row by row: one of many is looked at, so each is fetched before it is needed.
void look_listed(const Lists &lists, const int64_t *chosen, int64_t count, const uint64_t *query,
                 const uint8_t *allowed, Nearest &nearest) {
    if (count == lists.lists)
        return look_through(lists.codes, 0, lists.size, query, allowed, nearest,
                            [](int64_t place) { return place; });
    std::vector<uint8_t> wanted(lists.lists);
    for (int64_t i = 0; i < count; i++) wanted[chosen[i]] = 1;
    int64_t waiting[2 * kBlock];
    int64_t found = 0;
    const auto look = [&] {
        for (int64_t i = 0; i < found; i++) {
            const uint64_t *code = lists.codes + kWords * waiting[i];
            int32_t distance;
            distances(code, 1, query, &distance);
            if (distance <= nearest.limit() && !blank(code)) nearest.offer({distance, waiting[i]});
        }
        found = 0;
    };
    for (int64_t first = 0; first < lists.size; first += kBlock) {
        const int64_t end = std::min(first + kBlock, lists.size), before = found;
        // Not by a branch, for nobody could guess it.
        for (int64_t row = first; row < end; row++) {
            waiting[found] = row;
            found += wanted[lists.list_of[row]] & (allowed ? allowed[row] : 1);
        }
        for (int64_t i = before; i < found; i++)
            __builtin_prefetch(lists.codes + kWords * waiting[i]);
        if (found >= kBlock / 4 && end < lists.size) look();
    }
    look();
}

// Which distance a code must not pass to be among the k nearest of those whose distances are known;
// `limit` where these are fewer.
int32_t limit_of(std::vector<int32_t> &known, int64_t k, int32_t limit) {
    if (static_cast<int64_t>(known.size()) < k) return limit;
    std::nth_element(known.begin(), known.begin() + (k - 1), known.end());
    known.resize(k);
    return known[k - 1];
}

}  // namespace

// Looks, the last place first, through the `counts[i]` lists of place i, whose numbers are in
// `chosen`, one place after the other. What one place had is a limit for the next, as `limit` is for
// all. `allowed` has, of each place, a byte a row or null. Of place i at most k rows are written from
// i * k on, nearest first, of equals the lowest, and into `found` how many.
FW_EXPORT void fw_lists_nearest(const Lists *const *places, const uint8_t *const *allowed,
                                int64_t places_count, const int64_t *chosen, const int64_t *counts,
                                const uint8_t *query, int64_t k, int64_t limit, int64_t *found,
                                int64_t *rows_out, int32_t *distances_out) {
    uint64_t asked[kWords];
    std::memcpy(asked, query, sizeof asked);
    std::vector<int32_t> known;
    for (int64_t i = 0; i < places_count; i++) chosen += counts[i];
    for (int64_t i = places_count - 1; i >= 0; i--) {
        chosen -= counts[i];
        Nearest nearest(k, limit_of(known, k, static_cast<int32_t>(limit)));
        const auto look = places[i]->list_of ? look_listed : look_sorted;
        look(*places[i], chosen, counts[i], asked, allowed[i], nearest);
        found[i] = nearest.write(rows_out + i * k, distances_out + i * k);
        for (const Near &near : nearest.kept()) known.push_back(near.distance);
    }
}
