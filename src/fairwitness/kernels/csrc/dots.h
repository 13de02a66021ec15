// Numbers of tiles times numbers of vectors, in whatever registers the file is compiled for: what
// scaled tiles and whole weights share.
#pragma once

#include "decoder.h"
#include "vectors.h"
#include "watched.h"

#if FW_WIDE == 512

typedef __m512i Bytes;  // four columns of sixteen rows
typedef __m512i Whole;  // a whole number for each row

FW_INLINE Whole begun(int32_t sum) { return _mm512_set1_epi32(sum); }
FW_INLINE Whole dot(Whole sum, Bytes w, const int8_t *x) {
    // GCC 12 would broadcast into a register first
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(w), "m"(*reinterpret_cast<const int32_t *>(x)));
    return sum;
}
FW_INLINE i32x16 sums(Whole sum) { return (i32x16)sum; }
FW_INLINE f32x16 floats(i32x16 x) { return (f32x16)_mm512_cvtepi32_ps((__m512i)x); }

FW_INLINE void unpacked4(const uint8_t *tile, Bytes *w) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (int j = 0; j < 4; j++) {
        const __m512i both = _mm512_loadu_si512(tile + 64 * j);
        w[j] = _mm512_and_si512(both, mask);
        w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    }
}
FW_INLINE Bytes bytes_of(const uint8_t *numbers, uint8_t) { return _mm512_loadu_si512(numbers); }
FW_INLINE int32_t excess8() { return 128; }  // bytes are read as unsigned

#else

#if FW_WIDE == 256
struct Bytes {
    __m256i half[2];
};
struct Whole {
    __m256i half[2];
};
FW_INLINE Whole begun(int32_t sum) { return {{_mm256_set1_epi32(sum), _mm256_set1_epi32(sum)}}; }
// Bytes are signed, and pairs of products fit 16 bits: 128 * 127 * 2.
FW_INLINE Whole dot(Whole sum, Bytes w, const int8_t *x) {
    const __m256i four = _mm256_set1_epi32(*reinterpret_cast<const int32_t *>(x));
    for (int i = 0; i < 2; i++) {
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w.half[i]),
                                                   _mm256_sign_epi8(four, w.half[i]));
        sum.half[i] = _mm256_add_epi32(sum.half[i],
                                       _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    return sum;
}
#else
struct Bytes {
    int8_t byte[64];
};
struct Whole {
    int32_t row[16];
};
FW_INLINE Whole begun(int32_t sum) {
    Whole out;
    for (int32_t &row : out.row) row = sum;
    return out;
}
FW_INLINE Whole dot(Whole sum, const Bytes &w, const int8_t *x) {
    for (int r = 0; r < 16; r++)
        for (int i = 0; i < 4; i++) sum.row[r] += w.byte[4 * r + i] * x[i];
    return sum;
}
#endif

FW_INLINE i32x16 sums(const Whole &sum) {
    i32x16 out;
    __builtin_memcpy(&out, &sum, sizeof(out));
    return out;
}
FW_INLINE f32x16 floats(i32x16 x) { return __builtin_convertvector(x, f32x16); }
FW_INLINE void unpacked4(const uint8_t *tile, Bytes *w) {
    for (int j = 0; j < 4; j++) {
        uint8_t low[64], high[64];
        for (int i = 0; i < 64; i++) low[i] = tile[64 * j + i] & 15;
        for (int i = 0; i < 64; i++) high[i] = tile[64 * j + i] >> 4;
        __builtin_memcpy(&w[j], low, 64);
        __builtin_memcpy(&w[j + 4], high, 64);
    }
}
FW_INLINE Bytes bytes_of(const uint8_t *numbers, uint8_t flip) {
    Bytes out;
    uint8_t bytes[64];
    for (int i = 0; i < 64; i++) bytes[i] = numbers[i] ^ flip;
    __builtin_memcpy(&out, bytes, 64);
    return out;
}
FW_INLINE int32_t excess8() { return 0; }

#endif

// What is needed next is asked for in time. Panels lie one behind the other, so it is what stands a
// little further on.
constexpr int64_t kAhead = 8192;

FW_INLINE void ask_for(const uint8_t *bytes, int64_t size) {
    for (int64_t i = 0; i < size; i += 64) __builtin_prefetch(bytes + i);
}

// Few vectors wait for memory. More lines can be on their way to the second cache than to the first, so
// weights come there from far and then from nearby.
constexpr int64_t kFar = 16384, kNearby = 4096;

FW_INLINE void ask_from_far(const uint8_t *bytes, int64_t size) {
    for (int64_t i = 0; i < size; i += 64) __builtin_prefetch(bytes + i, 0, 2);
}

// What stands behind a tile that is about to be used.
FW_INLINE void ask_behind(const uint8_t *tile, int64_t size) {
    ask_from_far(tile + kFar, size);
    ask_for(tile + kNearby, size);
}

// The numbers of a tile as `dot` takes them.
template <int kKind>
FW_INLINE void unpacked(const uint8_t *tile, Bytes *w) {
    if constexpr (has_bytes(kKind)) {
        for (int j = 0; j < 8; j++) w[j] = bytes_of(tile + 64 * j, kKind == kQ8_0 ? 128 : 0);
    } else {
        unpacked4(tile, w);
    }
}

// Does `what` with the kind as a constant.
template <class What>
FW_INLINE void for_kind(int32_t kind, const What &what) {
    switch (kind) {
        case kQ4_0: return what(Index<kQ4_0>{});
        case kQ4_1: return what(Index<kQ4_1>{});
        case kQ4_K: return what(Index<kQ4_K>{});
        case kQ5_K: return what(Index<kQ5_K>{});
        case kQ6_K: return what(Index<kQ6_K>{});
        default: return what(Index<kQ8_0>{});
    }
}

// A panel that vectors are about to go through; it is near once some of them have.
struct Panel {
    int32_t kind;
    int64_t blocks;
    const uint8_t *packed;
    bool is_near = false;

    // What its numbers are worth.
    const uint8_t *scales() const { return packed + blocks * tile_numbers(kind); }
    const uint8_t *units() const { return scales() + blocks * tile_scales(kind); }
};

static Panel panel_of(const Matrix &matrix, int64_t index) {
    return {matrix.kind, matrix.blocks(), matrix.panel(index)};
}

// What a panel or two give for a vector.
struct Products {
    f32x16 of[2];
};

// The vectors of one group.
struct Here {
    const int8_t *numbers;
    const BlockSums *sums;
    const float *steps;

    Here(const Vectors &vectors, Group group)
        : numbers(vectors.number(group, group.first, 0)),
          sums(vectors.sum(group, group.first, 0)),
          steps(vectors.step(group, group.first, 0)) {}
};

// Where the high parts of the `b`th block of the first of T vectors stand.
template <int T>
FW_INLINE const int8_t *block_at(const Here &here, int64_t b) {
    return here.numbers + b / 2 * T * kPairBytes + b % 2 * kColumns;
}

#if FW_AMX

constexpr int64_t kTileBytes = 16 * 64;  // that AMX holds

// The shapes of the eight tiles, as `ldtilecfg` reads them.
struct TileShapes {
    uint8_t palette = 1, row = 0;
    uint8_t reserved[14] = {};
    uint16_t row_bytes[16] = {};
    uint8_t rows[16] = {};

    // GCC 12's intrinsic says that it reads 8 of these bytes, so that the rest may never be written.
    void take_effect() const {
        watch(row_bytes, rows);
        asm volatile("ldtilecfg\t%0" : : "m"(*this));
    }
};

// All tiles are as large as they may be.
static void begin_tiles() {
    TileShapes told;
    for (int i = 0; i < 8; i++) {
        told.row_bytes[i] = 64;
        told.rows[i] = 16;
    }
    told.take_effect();
}
static void end_tiles() { _tile_release(); }

// Tells the compiler that tiles are about to be read from memory, which their instructions do not say.
FW_INLINE void written() { asm volatile("" : : : "memory"); }

#else

static void begin_tiles() {}
static void end_tiles() {}

#endif
