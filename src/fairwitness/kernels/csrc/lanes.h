// Sixteen floats at a time, in whatever registers the file is compiled for. Nothing of the standard
// library is used here: its inline functions would be compiled for those registers too, and the
// linker might give them to everyone.
#pragma once

#if FW_WIDE >= 256
#include <immintrin.h>
#endif

typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint16_t u16x16 __attribute__((vector_size(32)));
typedef float f32x16 __attribute__((vector_size(64)));
typedef int32_t i32x16 __attribute__((vector_size(64)));
typedef uint32_t u32x16 __attribute__((vector_size(64)));
typedef float f32x16_loose __attribute__((vector_size(64), aligned(4), may_alias));
#define FW_INLINE static inline __attribute__((always_inline))


// Runs `f` for 0 to N - 1, written out before the compiler gives out registers: what an array holds
// for each of them then stays in registers. A loop would be written out too late for that.
template <int N>
struct Index {
    constexpr operator int() const { return N; }
};
template <int N, class F>
FW_INLINE void each(const F &f) {
    if constexpr (N > 0) {
        each<N - 1>(f);
        f(Index<N - 1>{});
    }
}
#define FW_EACH [&](auto i) __attribute__((always_inline))

FW_INLINE f32x16 all(float x) { return x - f32x16{}; }
FW_INLINE f32x16 load(const float *p) { return *reinterpret_cast<const f32x16_loose *>(p); }
FW_INLINE void store(float *p, f32x16 x) { *reinterpret_cast<f32x16_loose *>(p) = x; }

// a * b + c, rounded once where the machine can. Said outright, so that every caller, however many
// vectors it handles at once, gets the same bits.
FW_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
#if FW_WIDE == 512
    return (f32x16)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif FW_WIDE == 256
    union Both {
        f32x16 whole;
        __m256 half[2];
    } x{a}, y{b}, z{c};
    for (int i = 0; i < 2; i++) z.half[i] = _mm256_fmadd_ps(x.half[i], y.half[i], z.half[i]);
    return z.whole;
#else
    return a * b + c;
#endif
}

// The second where one of them is not a number.
FW_INLINE f32x16 larger(f32x16 a, f32x16 b) {
#if FW_WIDE == 512
    return (f32x16)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return a > b ? a : b;
#endif
}

FW_INLINE float highest(f32x16 x) {
#if FW_WIDE == 512
    return _mm512_reduce_max_ps((__m512)x);
#else
    float most = x[0];
    for (int i = 1; i < 16; i++) most = x[i] > most ? x[i] : most;
    return most;
#endif
}

// Upper half to lower half, and again: the order in which wide machines have it.
FW_INLINE float total(f32x16 x) {
#if FW_WIDE == 512
    return _mm512_reduce_add_ps((__m512)x);
#else
    float lanes[16];
    store(lanes, x);
    for (int width = 8; width; width /= 2)
        for (int i = 0; i < width; i++) lanes[i] += lanes[i + width];
    return lanes[0];
#endif
}

// What brings a vector to a mean square of one.
FW_INLINE float unit_of(const float *x, int64_t width, float epsilon) {
    f32x16 squares = {};
    for (int64_t i = 0; i < width; i += 16) squares = fma(load(x + i), load(x + i), squares);
    const float mean = total(squares) / static_cast<float>(width);
    return 1.0f / __builtin_sqrtf(mean + epsilon);
}

// e to the x within 2 units in the last place; 0 below -87, and x is at most 88.
FW_INLINE f32x16 exponential(f32x16 x) {
    const f32x16 shift = all(12582912.0f);  // 1.5 * 2^23: what is added to it is rounded to whole
    const f32x16 shifted = fma(x, all(1.44269504f), shift);
    const f32x16 n = shifted - shift;
    f32x16 r = fma(n, all(-0.693359375f), x);
    r = fma(n, all(2.12194440e-4f), r);
    f32x16 p = all(1.9875691500e-4f);
    p = fma(p, r, all(1.3981999507e-3f));
    p = fma(p, r, all(8.3334519073e-3f));
    p = fma(p, r, all(4.1665795894e-2f));
    p = fma(p, r, all(1.6666665459e-1f));
    p = fma(p, r, all(5.0000001201e-1f));
    p = fma(p, r * r, r + 1.0f);
    const u32x16 exponent = (u32x16)shifted << 23;  // without a sign, for it may wrap below -87
    const f32x16 scaled = (f32x16)((u32x16)p + exponent);
    return x < -87.0f ? f32x16{} : scaled;
}

// cap * tanh(x / cap), within 1e-7 of the cap; what is not finite is no number.
FW_INLINE f32x16 capped(f32x16 x, float cap) {
    const f32x16 twice = x * (2.0f / cap), size = twice < 0.0f ? -twice : twice;
    const f32x16 e = exponential(-size);
    const f32x16 near = (1.0f - e) / (1.0f + e) * cap;
    return (x < 0.0f ? -near : near) + x * 0.0f;
}

// 16 whole numbers of 8 bits.
FW_INLINE f32x16 from_bytes(const uint8_t *numbers) {
    i8x16 bytes;
    __builtin_memcpy(&bytes, numbers, 16);
#if FW_WIDE == 512
    return (f32x16)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)bytes));
#else
    return __builtin_convertvector(__builtin_convertvector(bytes, i32x16), f32x16);
#endif
}

// Half precision: 16 numbers.
FW_INLINE f32x16 widened(const uint16_t *halves) {
#if FW_WIDE == 512
    return (f32x16)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(halves)));
#elif FW_WIDE == 256
    union {
        f32x16 whole;
        __m256 half[2];
    } out;
    for (int i = 0; i < 2; i++)
        out.half[i] = _mm256_cvtph_ps(
            _mm_loadu_si128(reinterpret_cast<const __m128i *>(halves + 8 * i)));
    return out.whole;
#else
    f32x16 out;
    for (int i = 0; i < 16; i++) {
        // Shifted into a float's place the exponent is 112 too small: a multiplication mends it,
        // subnormal numbers too. Infinity and NaN keep theirs.
        const uint32_t sign = (halves[i] & 0x8000u) << 16, rest = (halves[i] & 0x7fffu) << 13;
        union {
            uint32_t bits;
            float number;
        } x;
        x.bits = rest;
        x.number *= 5.192296858534828e33f;  // 2^112
        if (rest >= 0x7c00u << 13) x.bits = rest | 0x7f800000u;
        x.bits |= sign;
        out[i] = x.number;
    }
    return out;
#endif
}

// And back, to the nearest; what is too large becomes the largest that there is.
FW_INLINE void narrowed(f32x16 x, uint16_t *halves) {
    x = x > 65504.0f ? all(65504.0f) : x;
    x = x < -65504.0f ? all(-65504.0f) : x;
#if FW_WIDE == 512
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(halves), _mm512_cvtps_ph((__m512)x, 0));
#elif FW_WIDE == 256
    union {
        f32x16 whole;
        __m256 half[2];
    } in{x};
    for (int i = 0; i < 2; i++)
        _mm_storeu_si128(reinterpret_cast<__m128i *>(halves + 8 * i),
                         _mm256_cvtps_ph(in.half[i], 0));
#else
    for (int i = 0; i < 16; i++) {
        union {
            float number;
            uint32_t bits;
        } in, out;
        in.number = x[i];
        const uint32_t sign = in.bits >> 16 & 0x8000u;
        in.bits &= 0x7fffffffu;
        // Beside a number that is 2^13 times as large as the last place that halves have, a float
        // rounds there; for the smallest ones that place is 2^-24.
        out.bits = (in.bits & 0x7f800000u) + (13u << 23);
        if (in.bits < 113u << 23) out.bits = 126u << 23;
        const bool is_number = in.bits <= 0x7f800000u;
        const float kept = is_number ? (in.number + out.number) - out.number : 0;
        out.number = kept * 1.925929944387236e-34f;  // 2^-112
        halves[i] = static_cast<uint16_t>(sign | (is_number ? out.bits >> 13 : 0x7e00u));
    }
#endif
}
