// What the stages of a step share: who does what, what is made whole for the next product, and how
// threads meet.
#pragma once

#include "decoder.h"
#include "panels.h"

constexpr int64_t kMostAsked = 4;      // rows, for which weights are asked for before they are needed
constexpr int64_t kAsked = 1024;       // bytes, at once
constexpr int64_t kMostAhead = 131072;  // bytes, before a product begins
constexpr int64_t kPanelsAtOnce = 2;    // a piece of work; half a microsecond for one vector

static int64_t chunks_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

static void normalise(const float *x, const float *scale, float epsilon, const Vectors &out,
                      int64_t vector) {
    const float inverse = unit_of(x, out.columns, epsilon);
    for (int64_t s = 0; s < out.segments(); s++) {
        const int64_t first = s * kSegment, left = out.blocks() - first;
        const int64_t blocks = left < kSegment ? left : kSegment;
        float segment[kSegment * kColumns];
        for (int64_t i = 0; i < blocks * kColumns; i += 16) {
            const int64_t c = first * kColumns + i;
            store(segment + i, load(x + c) * inverse * load(scale + c));
        }
        quantise(segment, blocks, out, vector, s);
    }
}

// Vectors of `rows` rows, to meet a matrix of some kind, and perhaps of another. Few rows each thread
// makes for itself: that is sooner done than meeting.
struct Meets {
    int32_t kind, other;
};
template <class Make>
static Vectors made(const Step &step, Vectors out, int64_t rows, Meets meets, int64_t thread,
                    const Make &make) {
    out.count = rows;
    out.meets_scaled = !is_whole(meets.kind) || !is_whole(meets.other);
    if (rows > kLonely) {
        for (int64_t r; (r = step.pool->take(thread, rows)) < rows;) make(out, r);
        step.pool->barrier();
        return out;
    }
    const Vectors own = out.from(thread * kLonely);
    for (int64_t r = 0; r < rows; r++) make(own, r);
    return own;
}

// What a product gives goes into the residual stream, or is to be normed before.
struct Gift {
    const float *bias, *post_norm;
};

// x / (1 + e to the -y), where y is x, or what makes that gelu by tanh.
FW_INLINE f32x16 activated(Activation activation, f32x16 x) {
    f32x16 y = x;
    if (activation == Activation::kGelu)
        y = x * fma(x * x, all(0.0713548163f), all(1.5957691216f));  // 2 sqrt(2 / pi) (x + 0.044715 x^3)
    const f32x16 bounded = y < -80.0f ? all(-80.0f) : y;
    return x / (1.0f + exponential(-bounded));
}

// Meets the others, and asks for the weights that this thread reads first of the product behind: few rows
// wait for memory, which should not be idle while threads are.
static void meet(const Step &step, const uint8_t *bytes) {
    Pool &pool = *step.pool;
    if (step.rows > kMostAsked) return pool.barrier();
    int64_t asked = 0;
    const auto ask = [&] {
        ask_from_far(bytes + asked, kAsked);
        asked += kAsked;
    };
    pool.barrier([&] {
        if (asked < kMostAhead) ask();
    });
    while (asked < kFar) ask();
}

// The same, of a product of `pieces` of `panels` panels each.
static void meet(const Step &step, int64_t thread, const Matrix &matrix, int64_t pieces,
                 int64_t panels) {
    meet(step, matrix.panel(step.pool->first_of(thread, pieces) * panels));
}

// Where a thread's processor time goes, for one who asks; waiting counts for the stage behind it.
class Watch {
    static constexpr auto kStages = static_cast<int64_t>(Stage::kCount);

  public:
    Watch(const Step &step, int64_t thread)
        : spent_ns_(step.spent_ns ? step.spent_ns + thread * kStages : nullptr),
          seen_ns_(spent_ns_ ? thread_ns() : 0) {}

    void ends(Stage stage) {
        if (!spent_ns_) return;
        const int64_t now_ns = thread_ns();
        spent_ns_[static_cast<int64_t>(stage)] += now_ns - seen_ns_;
        seen_ns_ = now_ns;
    }

  private:
    int64_t *spent_ns_;
    int64_t seen_ns_;
};
