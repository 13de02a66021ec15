// The codes of 256 bits that differ from a query in the fewest bits: counting, and keeping the best.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

// One instruction counts the bits of a word, or of eight on machines of the last years.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define FW_COUNTING __attribute__((target_clones("arch=icelake-server", "popcnt", "default")))
#else
#define FW_COUNTING
#endif

// Each kernel file has its own.
namespace {

constexpr int kWords = 4, kBits = 256;
constexpr int64_t kBlock = 256;

struct Near {
    int32_t distance;
    int64_t row;
};

bool nearer(const Near &a, const Near &b) {
    return a.distance != b.distance ? a.distance < b.distance : a.row < b.row;
}

// Returns the least of the distances too.
FW_COUNTING
int32_t distances(const uint64_t *codes, int64_t count, const uint64_t *query, int32_t *out) {
    const uint64_t q0 = query[0], q1 = query[1], q2 = query[2], q3 = query[3];
    int32_t least = kBits;
    for (int64_t i = 0; i < count; i++) {
        const uint64_t *code = codes + kWords * i;
        out[i] = static_cast<int32_t>(
            __builtin_popcountll(code[0] ^ q0) + __builtin_popcountll(code[1] ^ q1) +
            __builtin_popcountll(code[2] ^ q2) + __builtin_popcountll(code[3] ^ q3));
        least = std::min(least, out[i]);
    }
    return least;
}

bool blank(const uint64_t *code) { return !(code[0] | code[1] | code[2] | code[3]); }

// Keeps the k nearest of what it is offered; `limit` is what a new one must stay below.
class Nearest {
  public:
    Nearest(int64_t k, int32_t limit) : k_(k), limit_(limit) {}

    int32_t limit() const { return limit_; }

    void offer(Near one) {
        kept_.push_back(one);
        if (static_cast<int64_t>(kept_.size()) < 2 * k_ + 64) return;
        shrink();
    }

    void shrink() {
        if (static_cast<int64_t>(kept_.size()) < k_) return;
        std::nth_element(kept_.begin(), kept_.begin() + (k_ - 1), kept_.end(), nearer);
        kept_.resize(k_);
        limit_ = kept_[k_ - 1].distance;
    }

    // Writes what was kept, nearest first, and returns how many.
    int64_t write(int64_t *rows, int32_t *distances) {
        shrink();
        std::sort(kept_.begin(), kept_.end(), nearer);
        for (size_t i = 0; i < kept_.size(); i++) {
            rows[i] = kept_[i].row;
            distances[i] = kept_[i].distance;
        }
        return static_cast<int64_t>(kept_.size());
    }

    // Those that were kept, in no order, once it was shrunk.
    const std::vector<Near> &kept() const { return kept_; }

  private:
    int64_t k_;
    // Equal distances are let through: the row decides between them, wherever it lies.
    int32_t limit_;
    std::vector<Near> kept_;
};

// Offers the codes from `first` up to `end` that are allowed; `row_of` says which row a place is.
template <typename RowOf>
void look_through(const uint64_t *codes, int64_t first, int64_t end, const uint64_t *query,
                  const uint8_t *allowed, Nearest &nearest, const RowOf &row_of) {
    int32_t found[kBlock];
    for (; first < end; first += kBlock) {
        const int64_t count = std::min(kBlock, end - first);
        if (distances(codes + kWords * first, count, query, found) > nearest.limit()) continue;
        for (int64_t i = 0; i < count; i++) {
            if (found[i] > nearest.limit() || blank(codes + kWords * (first + i))) continue;
            const int64_t row = row_of(first + i);
            if (!allowed || allowed[row]) nearest.offer({found[i], row});
        }
    }
}

}  // namespace
