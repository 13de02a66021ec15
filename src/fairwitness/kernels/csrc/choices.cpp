// From logits to a token: the likeliest, how likely all are together, and seeded draws with their
// cuts. kernels/choices.py has the twins, which give the same bits: so no product and sum become one.

#include "choices.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "kernel.h"

#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace {

typedef float f32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));  // without a sign, for it may wrap below -87

#define FW_INLINE __attribute__((always_inline)) inline

constexpr int64_t kLanes = 16;
constexpr int64_t kBlock = 512;  // numbers that are summed before they join the others
constexpr int64_t kFew = 256;    // the likeliest tokens, which nearly always have most of the weight
constexpr float kNone = -std::numeric_limits<float>::infinity();

// Sixteen numbers, fewer at the end, where `kNone` stands for those that are missing.
FW_INLINE f32x16 taken(const float *numbers, int64_t place, int64_t count) {
    f32x16 out;
    if (place + kLanes <= count) {
        __builtin_memcpy(&out, numbers + place, sizeof out);
        return out;
    }
    for (int64_t i = 0; i < kLanes; i++) out[i] = place + i < count ? numbers[place + i] : kNone;
    return out;
}

// e to the x, of x that is 0 at most; 0 below -87. It is 1 at 0 and within 2e-7 of itself near that,
// within 4e-6 at -87. The polynomial is that of degree 5 which is nearest to 2 to the f.
FW_INLINE f32x16 exponential(f32x16 x) {
    const f32x16 power = x * 1.44269504f;
    const f32x16 shifted = power + 12582912.0f;  // 1.5 * 2^23: it is rounded to whole
    const f32x16 f = power - (shifted - 12582912.0f);
    f32x16 p = f * 1.3264727313e-3f + 9.6715129912e-3f;
    p = p * f + 5.5507335812e-2f;
    p = p * f + 2.4022242427e-1f;
    p = p * f + 6.9314700365e-1f;
    p = p * f + 1.0f;
    const f32x16 scaled = (f32x16)((u32x16)p + ((u32x16)shifted << 23));
    return x < -87.0f ? f32x16{} : scaled;
}

// Upper half to lower half, and again.
FW_INLINE float total(f32x16 sums) {
    float lanes[kLanes];
    __builtin_memcpy(lanes, &sums, sizeof lanes);
    for (int64_t width = kLanes / 2; width; width /= 2)
        for (int64_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
    return lanes[0];
}

// The highest of each block; whether all of `numbers` are finite.
FW_CLONES
bool find_peaks(const float *numbers, int64_t count, float *peak_of_block) {
    f32x16 strange = {};
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t end = std::min(first + kBlock, count);
        f32x16 highest = kNone - f32x16{};
        for (int64_t i = first; i < end; i += kLanes) {
            const f32x16 x = taken(numbers, i, count);
            highest = highest > x ? highest : x;
            strange += i + kLanes <= count ? x - x : f32x16{};
        }
        float peak = highest[0];
        for (int64_t i = 1; i < kLanes; i++) peak = peak > highest[i] ? peak : highest[i];
        peak_of_block[first / kBlock] = peak;
    }
    for (int64_t i = count / kLanes * kLanes; i < count; i++) strange[0] += numbers[i] - numbers[i];
    float sum = 0;
    for (int64_t i = 0; i < kLanes; i++) sum += strange[i];
    return sum == 0;
}

// e to the (score - peak) / temperature of each, in `weights` if that is not null, and their sum in
// each block.
FW_CLONES
void weigh(const float *scores, int64_t count, float peak, float temperature, float *weights,
           double *sum_of_block) {
    for (int64_t first = 0; first < count; first += kBlock) {
        const int64_t end = std::min(first + kBlock, count);
        f32x16 sums = {};
        for (int64_t i = first; i < end; i += kLanes) {
            const f32x16 x = taken(scores, i, count) - peak;
            const f32x16 weight = exponential(temperature == 1.0f ? x : x / temperature);
            sums += weight;
            if (weights) __builtin_memcpy(weights + i, &weight, sizeof weight);
        }
        sum_of_block[first / kBlock] = total(sums);
    }
}

int64_t blocks_of(int64_t count) { return (count + kBlock - 1) / kBlock; }

// Where the highest stands first, by the highest of each block.
int64_t first_highest(const float *scores, const std::vector<float> &peaks) {
    const auto block = std::max_element(peaks.begin(), peaks.end());
    const float *place = scores + (block - peaks.begin()) * kBlock;
    while (*place != *block) place++;
    return place - scores;
}

// The highest of each of many small sets that are apart, sixteen numbers each at most.
FW_CLONES
void find_heights(const float *scores, int64_t count, float *heights) {
    for (int64_t first = 0; first < count; first += kLanes * kLanes) {
        const int64_t end = std::min(first + kLanes * kLanes, count);
        f32x16 highest = kNone - f32x16{};
        for (int64_t i = first; i < end; i += kLanes) {
            const f32x16 x = taken(scores, i, count);
            highest = highest > x ? highest : x;
        }
        __builtin_memcpy(heights + first / kLanes, &highest, sizeof highest);
    }
}

// A score and its place as one number: the higher the score the smaller it is, of equals the first.
uint64_t ranked(float score, int64_t place) {
    const float told = score + 0.0f;  // there is one zero
    uint32_t bits;
    __builtin_memcpy(&bits, &told, sizeof bits);
    const uint32_t rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<uint64_t>(~rising) << 32 | static_cast<uint64_t>(place);
}

// The places of the `few` highest scores, highest first, of equals the first.
std::vector<int64_t> likeliest(const float *scores, int64_t count, int64_t few) {
    const int64_t sets = (count + kLanes * kLanes - 1) / (kLanes * kLanes) * kLanes;
    std::vector<float> heights(static_cast<size_t>(sets));
    find_heights(scores, count, heights.data());
    // Of so many sets that are as high, each has one at least that is: no fewer can be the answer.
    float least = kNone;
    if (few <= sets) {
        std::vector<float> order = heights;
        std::nth_element(order.begin(), order.begin() + (few - 1), order.end(), std::greater<>());
        least = order[static_cast<size_t>(few - 1)];
    }
    std::vector<uint64_t> found;
    for (int64_t set = 0; set < sets; set++) {
        if (heights[static_cast<size_t>(set)] < least) continue;
        const int64_t first = set / kLanes * kLanes * kLanes + set % kLanes;
        const int64_t end = std::min(first + kLanes * kLanes, count);
        for (int64_t i = first; i < end; i += kLanes)
            if (scores[i] >= least) found.push_back(ranked(scores[i], i));
    }
    const auto kept = found.begin() + std::min(few, static_cast<int64_t>(found.size()));
    if (kept != found.end()) std::nth_element(found.begin(), kept, found.end());
    std::sort(found.begin(), kept);
    std::vector<int64_t> places;
    for (auto one = found.begin(); one != kept; one++)
        places.push_back(static_cast<int64_t>(*one & 0xffffffffu));
    return places;
}

// The first number in [0, 1) of Philox 4x64 with ten rounds (Salmon and others, SC 2011), as NumPy
// counts: its first block is that of the counter 1.
double uniform(uint64_t seed, uint64_t place) {
    uint64_t counter[4] = {1, 0, 0, 0}, key[2] = {seed, place};
    for (int round = 0; round < 10; round++) {
        const auto first = static_cast<unsigned __int128>(0xD2E7470EE14C6C93u) * counter[0];
        const auto second = static_cast<unsigned __int128>(0xCA5A826395121157u) * counter[2];
        const uint64_t mixed[4] = {
            static_cast<uint64_t>(second >> 64) ^ counter[1] ^ key[0], static_cast<uint64_t>(second),
            static_cast<uint64_t>(first >> 64) ^ counter[3] ^ key[1], static_cast<uint64_t>(first)};
        std::copy_n(mixed, 4, counter);
        key[0] += 0x9E3779B97F4A7C15u;
        key[1] += 0xBB67AE8584CAA73Bu;
    }
    return static_cast<double>(counter[0] >> 11) * 0x1p-53;
}

struct Cuts {
    float temperature;
    int64_t top_k;
    double top_p;
    float min_p;
};

// Scores with their weights: the highest weighs 1.
struct Weighed {
    const float *scores, *weights;
    const std::vector<double> &sums;
    int64_t count;
};

// The fewest of the `most` likeliest tokens that have `top_p` of their weight together. Sorting all
// would take longer than the model: it is tried with few, then with more.
std::vector<int64_t> nucleus(const Weighed &told, int64_t most, double top_p) {
    double whole = 0;
    for (const double sum : told.sums) whole += sum;
    int64_t few = most == told.count ? std::min(kFew, most) : most;
    for (;; few = std::min(8 * few, most)) {
        std::vector<int64_t> order = likeliest(told.scores, told.count, few);
        double reached = 0;
        for (const int64_t place : order) reached += told.weights[place];
        if (few == most) whole = reached;
        if (reached < top_p * whole) continue;
        size_t kept = 0;
        for (reached = 0; kept < order.size();) {
            reached += told.weights[order[kept++]];
            if (reached >= top_p * whole) break;
        }
        order.resize(kept);
        return order;
    }
}

// Where the running sum of weights passes `share` of all: by sums of blocks, then within one.
int64_t drawn_of_all(const Weighed &told, double share) {
    double whole = 0, before = 0;
    for (const double sum : told.sums) whole += sum;
    size_t block = 0;
    while (block + 1 < told.sums.size() && before + told.sums[block] <= share * whole)
        before += told.sums[block++];
    const int64_t first = static_cast<int64_t>(block) * kBlock;
    const int64_t end = std::min(first + kBlock, told.count);
    int64_t last = 0;
    for (int64_t i = first; i < end; i++) {
        before += told.weights[i];
        if (told.weights[i] > 0) last = i;
        if (before > share * whole) return i;
    }
    return last;
}

// The same among some, in the order of their places.
int64_t drawn_of(const Weighed &told, std::vector<int64_t> places, double share) {
    std::sort(places.begin(), places.end());
    double whole = 0, reached = 0;
    for (const int64_t place : places) whole += told.weights[place];
    for (const int64_t place : places) {
        reached += told.weights[place];
        if (reached > share * whole) return place;
    }
    return places.back();
}

int64_t drawn(const Weighed &told, const Cuts &cuts, double share) {
    int64_t most = cuts.top_k ? std::min(cuts.top_k, told.count) : told.count;
    if (cuts.min_p > 0) {
        int64_t near = 0;
        for (int64_t i = 0; i < told.count; i++) near += told.weights[i] >= cuts.min_p;
        most = std::min(most, near);
    }
    if (cuts.top_p < 1) return drawn_of(told, nucleus(told, most, cuts.top_p), share);
    if (most == told.count) return drawn_of_all(told, share);
    return drawn_of(told, likeliest(told.scores, told.count, most), share);
}

}  // namespace

void summarise(const float *logits, int64_t count, int64_t *highest, double *log_total) {
    const auto blocks = static_cast<size_t>(blocks_of(count));
    std::vector<float> peaks(blocks);
    std::vector<double> sums(blocks);
    if (!find_peaks(logits, count, peaks.data())) {
        *highest = 0;
        *log_total = std::numeric_limits<double>::quiet_NaN();
        return;
    }
    *highest = first_highest(logits, peaks);
    weigh(logits, count, logits[*highest], 1.0f, nullptr, sums.data());
    double whole = 0;
    for (const double sum : sums) whole += sum;
    *log_total = logits[*highest] + std::log(whole);
}

// `summarise` for each of `rows` rows of `count` logits.
FW_EXPORT void fw_choices_summarise(const float *logits, int64_t rows, int64_t count,
                                    int64_t *likeliest, double *log_totals) {
    for (int64_t r = 0; r < rows; r++)
        summarise(logits + r * count, count, likeliest + r, log_totals + r);
}

// Writes the places of the `few` highest of `count` scores, highest first, of equals the first.
FW_EXPORT void fw_choices_likeliest(const float *scores, int64_t count, int64_t few,
                                    int64_t *places) {
    const std::vector<int64_t> found = likeliest(scores, count, few);
    std::copy(found.begin(), found.end(), places);
}

// Chooses one of `count` tokens by their scores, which are finite; of those that `allowed` has, if it
// is not null, one at least. Temperature 0 takes the likeliest; else `seed` and `place` draw.
FW_EXPORT int64_t fw_choices_choose(const float *scores, const uint8_t *allowed, int64_t count,
                                    float temperature, int64_t top_k, double top_p, float min_p,
                                    uint64_t seed, uint64_t place) {
    const auto blocks = static_cast<size_t>(blocks_of(count));
    std::unique_ptr<float[]> kept;
    if (allowed) {
        kept.reset(new float[static_cast<size_t>(count)]);
        for (int64_t i = 0; i < count; i++) kept[i] = allowed[i] ? scores[i] : kNone;
        scores = kept.get();
    }
    std::vector<float> peaks(blocks);
    find_peaks(scores, count, peaks.data());
    const int64_t highest = first_highest(scores, peaks);
    if (temperature == 0) return highest;
    std::vector<double> sums(blocks);
    const std::unique_ptr<float[]> weights(new float[blocks * kBlock]);
    weigh(scores, count, scores[highest], temperature, weights.get(), sums.data());
    return drawn({scores, weights.get(), sums, count}, {temperature, top_k, top_p, min_p},
                 uniform(seed, place));
}
