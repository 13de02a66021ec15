// Layers of an encoder over one text, every token of which sees every other: all of them in one call, with
// AMX. Weights and what meets them are bfloat16, sums and the rest floats; a row's numbers are the same in
// whatever company it goes. `layers.py` calls it, `models/encoder.py` is the same in numpy.
//
// A matrix of [given][taken] lies as tiles of 16 given by 32 taken, two neighbours of these to a word, the
// tiles of one panel of 16 given behind each other.
#include "decoder.h"
#include "kernel.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

#include <immintrin.h>

#include <cstring>  // which watched.h needs, before the namespace begins
#include <vector>

// After all inline functions of others, which must not be compiled for this machine.
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c,bmi2,amx-tile,amx-int8,amx-bf16")
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // inside immintrin.h
#define FW_WIDE 512
#define FW_AMX 1

namespace {

#include "lanes.h"
#include "watched.h"

constexpr int64_t kTile = 16, kDeep = 32, kTileNumbers = kTile * kDeep, kHead = 32;

// A layer, as `layers.py` lists its parts.
struct Product {
    const uint16_t *weights;
    const float *bias;
};
struct Norm {
    const float *scale, *bias;
};
struct EncoderLayer {
    Product heads, output;
    Norm seen;
    Product up, down;
    Norm thought;
};
static_assert(sizeof(EncoderLayer) == 12 * sizeof(void *), "no gaps");

struct Sizes {
    int64_t tokens, width, inner, heads;
    float epsilon;

    int64_t rows() const { return (tokens + kTile - 1) / kTile * kTile; }
};

struct Shapes {
    uint8_t palette = 1, row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};

    void take_effect() {
        for (int i = 0; i < 8; i++) row_bytes[i] = 64, rows[i] = 16;
        watch(row_bytes, rows);
        asm volatile("ldtilecfg\t%0" : : "m"(*this));
    }
};

// Sixteen floats to the nearest bfloat16.
FW_INLINE void put_halves(f32x16 x, uint16_t *out) {
    const __m512i rounded = _mm512_add_epi32((__m512i)x, _mm512_set1_epi32(0x8000));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

// The halves of `rows` rows of x times two panels, T tiles of rows at a time; `out` has `give` numbers a row.
template <int T>
FW_INLINE void times_panels(const uint16_t *x, int64_t take, const uint16_t *weights, int64_t give,
                            float *out) {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (T == 2) {
        _tile_zero(2);
        _tile_zero(3);
    }
    const uint16_t *other = weights + kTile * take;
    for (int64_t k = 0; k < take; k += kDeep, weights += kTileNumbers, other += kTileNumbers) {
        _tile_loadd(4, x + k, 2 * take);
        _tile_loadd(6, weights, 64);
        _tile_loadd(7, other, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        if constexpr (T == 2) {
            _tile_loadd(5, x + kTile * take + k, 2 * take);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, out, 4 * give);
    _tile_stored(1, out + kTile, 4 * give);
    if constexpr (T == 2) {
        _tile_stored(2, out + kTile * give, 4 * give);
        _tile_stored(3, out + kTile * give + kTile, 4 * give);
    }
}

void times(const uint16_t *x, int64_t rows, int64_t take, const uint16_t *weights, int64_t give, float *out) {
    asm volatile("" : : : "memory");  // tiles are read from memory, which their instructions do not say
    for (int64_t g = 0; g < give; g += 2 * kTile)
        for (int64_t r = 0; r < rows; r += 2 * kTile) {
            const uint16_t *here = x + r * take, *panel = weights + g * take;
            float *there = out + r * give + g;
            if (r + kTile < rows) times_panels<2>(here, take, panel, give, there);
            else times_panels<1>(here, take, panel, give, there);
        }
    asm volatile("" : : : "memory");
}

FW_INLINE f32x16 magnitude(f32x16 x) {
    return (f32x16)_mm512_abs_ps((__m512)x);
}

// x times the share of a normal distribution below x; the error function by 7.1.26 of Abramowitz and Stegun.
FW_INLINE f32x16 gelu(f32x16 x) {
    const f32x16 far = magnitude(x) * 0.70710678f;
    const f32x16 near = 1.0f / fma(all(0.3275911f), far, all(1.0f));
    f32x16 tail = fma(near, all(1.061405429f), all(-1.453152027f));
    tail = fma(tail, near, all(1.421413741f));
    tail = fma(tail, near, all(-0.284496736f));
    tail = fma(tail, near, all(0.254829592f)) * near;
    const f32x16 beyond = 0.5f * tail * exponential(-(far * far));
    return x * (x < 0.0f ? beyond : 1.0f - beyond);
}

// x and what a product gave, brought to mean 0 and spread 1, scaled and shifted; in halves too.
void join(const Sizes &sizes, const float *product, const float *bias, const Norm &norm, float *x,
          uint16_t *halves) {
    const int64_t width = sizes.width;
    for (int64_t r = 0; r < sizes.tokens; r++, x += width, product += width, halves += width) {
        f32x16 sum{}, squares{};
        for (int64_t i = 0; i < width; i += 16) {
            const f32x16 here = load(x + i) + load(product + i) + load(bias + i);
            store(x + i, here);
            sum += here;
        }
        const f32x16 mean = all(total(sum) / static_cast<float>(width));
        for (int64_t i = 0; i < width; i += 16) {
            const f32x16 away = load(x + i) - mean;
            squares = fma(away, away, squares);
        }
        const float spread = total(squares) / static_cast<float>(width) + sizes.epsilon;
        const f32x16 part = all(1.0f / __builtin_sqrtf(spread));
        for (int64_t i = 0; i < width; i += 16) {
            const f32x16 here = fma((load(x + i) - mean) * part, load(norm.scale + i), load(norm.bias + i));
            store(x + i, here);
            put_halves(here, halves + i);
        }
    }
}

// Sixteen numbers and their part of a bias.
FW_INLINE f32x16 with(const float *numbers, const float *bias) { return load(numbers) + load(bias); }

// What each token sees through one head; `made` has query, key and value of a token behind each other.
void look(const Sizes &sizes, int64_t head, const float *made, const float *bias, float *turned,
          float *scores, uint16_t *out) {
    const int64_t width = sizes.width, step = 3 * width, rows = sizes.rows(), at = head * kHead;
    const float *key_bias = bias + width + at, *value_bias = key_bias + width;
    const float *keys = made + width + at, *values = keys + width;
    for (int64_t s = 0; s < rows; s++)
        for (int64_t i = 0; i < kHead; i++)
            turned[i * rows + s] = s < sizes.tokens ? keys[s * step + i] + key_bias[i] : 0;
    for (int64_t t = 0; t < sizes.tokens; t++) {
        float query[kHead];
        for (int64_t i = 0; i < kHead; i += 16)
            store(query + i, with(made + t * step + at + i, bias + at + i) * 0.17677670f);  // 1 / sqrt(32)
        f32x16 most = all(-__builtin_inff()), sum{};
        for (int64_t s = 0; s < rows; s += 16) {
            f32x16 score{}, other{};
            for (int64_t i = 0; i < kHead; i += 2) {
                score = fma(all(query[i]), load(turned + i * rows + s), score);
                other = fma(all(query[i + 1]), load(turned + (i + 1) * rows + s), other);
            }
            score += other;
            for (int64_t i = sizes.tokens - s; i < 16; i++) score[i < 0 ? 0 : i] = -__builtin_inff();
            store(scores + s, score);
            most = larger(most, score);
        }
        const f32x16 top = all(highest(most));
        for (int64_t s = 0; s < rows; s += 16) {
            const f32x16 weight = exponential(load(scores + s) - top);
            store(scores + s, weight);
            sum += weight;
        }
        const f32x16 share = all(1.0f / total(sum));
        f32x16 first{}, second{};
        for (int64_t s = 0; s < sizes.tokens; s++) {
            first = fma(all(scores[s]), load(values + s * step), first);
            second = fma(all(scores[s]), load(values + s * step + 16), second);
        }
        put_halves(fma(first, share, load(value_bias)), out + t * width + at);
        put_halves(fma(second, share, load(value_bias + 16)), out + t * width + at + 16);
    }
}

void read_layer(const Sizes &sizes, const EncoderLayer &layer, float *x, uint16_t *halves, uint16_t *wide_halves,
                float *wide, float *room) {
    const int64_t rows = sizes.rows(), width = sizes.width, inner = sizes.inner;
    times(halves, rows, width, layer.heads.weights, 3 * width, wide);
    for (int64_t head = 0; head < sizes.heads; head++)
        look(sizes, head, wide, layer.heads.bias, room, room + kHead * rows, wide_halves);
    times(wide_halves, rows, width, layer.output.weights, width, wide);
    join(sizes, wide, layer.output.bias, layer.seen, x, halves);
    times(halves, rows, width, layer.up.weights, inner, wide);
    for (int64_t r = 0; r < sizes.tokens; r++)
        for (int64_t i = 0; i < inner; i += 16)
            put_halves(gelu(with(wide + r * inner + i, layer.up.bias + i)), wide_halves + r * inner + i);
    times(wide_halves, rows, inner, layer.down.weights, width, wide);
    join(sizes, wide, layer.down.bias, layer.thought, x, halves);
}

}  // namespace

// Takes the states of a text's tokens through `count` layers, in place. False on a machine without AMX.
FW_EXPORT bool fw_encode(const void *layers, int64_t count, int64_t tokens, int64_t width, int64_t inner,
                         int64_t heads, float epsilon, float *x) {
    if (!form_numbered(4)) return false;
    const Sizes sizes{tokens, width, inner, heads, epsilon};
    const auto rows = static_cast<size_t>(sizes.rows());
    const auto widest = static_cast<size_t>(inner > 3 * width ? inner : 3 * width);
    std::vector<uint16_t> halves(rows * static_cast<size_t>(width)), wide_halves(rows * widest);
    std::vector<float> wide(rows * widest), room((kHead + 1) * rows);
    for (int64_t i = 0; i < tokens * width; i += 16) put_halves(load(x + i), halves.data() + i);
    Shapes().take_effect();
    const auto *told = static_cast<const EncoderLayer *>(layers);
    for (int64_t i = 0; i < count; i++)
        read_layer(sizes, told[i], x, halves.data(), wide_halves.data(), wide.data(), room.data());
    _tile_release();
    return true;
}

#else

FW_EXPORT bool fw_encode(const void *, int64_t, int64_t, int64_t, int64_t, int64_t, float, float *) {
    return false;
}

#endif
