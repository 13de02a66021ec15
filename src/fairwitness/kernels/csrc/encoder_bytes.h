// Products of bytes. Of each row 64 neighbours are whole numbers from -127 to 127 times a step of their own,
// off a middle of their own; weights are such numbers times a scale. Sums of whole numbers are exact, so every
// machine has the same.
//
// A matrix of [given][taken] lies in panels of 16 given: the numbers as `tiles.h` says of them, 128 more than
// they are, and behind them for each 64 taken the 16 scales, and what 16 times 64 weights come to. What it
// meets lies in groups of rows: four numbers of each row, the next four, and so on.

constexpr int64_t kBits = 8;
constexpr int64_t kBlock = 64;                                  // neighbours
constexpr int64_t kBlockBytes = kBlock * kRows, kLine = 64;     // of weights
constexpr int64_t kPanelsMet = FW_WIDE == 512 ? 2 : 1;          // at once, as registers allow
constexpr int64_t kMostRows = FW_WIDE == 512 ? 12 : 4;

// What the numbers of a block of a row are worth.
struct Worth {
    float step, middle;
    int32_t begin;  // the sum of their products with weights begins here
};

// Rows are dealt out to as few groups as there can be, evenly.
struct Rows {
    int64_t first, size;
};
FW_INLINE int64_t groups_of(int64_t tokens) { return (tokens + kMostRows - 1) / kMostRows; }
FW_INLINE Rows rows_of(int64_t group, int64_t tokens) {
    const int64_t groups = groups_of(tokens), first = tokens * group / groups;
    return {first, tokens * (group + 1) / groups - first};
}
FW_INLINE int64_t group_with(int64_t row, int64_t tokens) {
    return ((row + 1) * groups_of(tokens) - 1) / tokens;
}

FW_INLINE int8_t *numbers_of(const Encoding &told, Rows rows, int64_t take) {
    return reinterpret_cast<int8_t *>(told.taken) + rows.first * take;
}
FW_INLINE Worth *worth_of(const Encoding &told, Rows rows, int64_t take) {
    return reinterpret_cast<Worth *>(told.taken + told.rows() * take) + rows.first * (take / kBlock);
}

// 64 floats as whole numbers, and what these are worth.
FW_INLINE Worth put_block(const float *x, int8_t *out) {
    f32x16 most = load(x), least = -most;
    for (int64_t i = 16; i < kBlock; i += 16) {
        most = larger(most, load(x + i));
        least = larger(least, -load(x + i));
    }
    const float top = highest(most), bottom = -highest(least);
    const float middle = 0.5f * (top + bottom), step = (top - bottom) * (1.0f / 254);
    const float inverse = step > 1e-30f ? 1.0f / step : 0;
    for (int64_t i = 0; i < kBlock; i += 16) {
        // 1.5 * 2^23 rounds to whole numbers, which then stand in the lowest bits
        const f32x16 scaled = fma(load(x + i) - middle, all(inverse), all(12582912.0f));
        const i32x16 whole = (i32x16)scaled - 0x4b400000;
#if FW_WIDE == 512
        _mm_storeu_si128(reinterpret_cast<__m128i *>(out + i), _mm512_cvtepi32_epi8((__m512i)whole));
#else
        const i8x16 narrow = __builtin_convertvector(whole, i8x16);
        __builtin_memcpy(out + i, &narrow, 16);
#endif
    }
    const Halves low = halves_of(out), high = halves_of(out + 32);
    return {step, middle, -excess8() * (low.first + low.last + high.first + high.last)};
}

// Puts row r where its group has it.
FW_INLINE void take_row(const Encoding &told, int64_t r, const float *row, int64_t take) {
    const Rows rows = rows_of(group_with(r, told.tokens()), told.tokens());
    int8_t *out = numbers_of(told, rows, take) + 4 * (r - rows.first);
    Worth *worth = worth_of(told, rows, take) + (r - rows.first);
    for (int64_t i = 0; i < take; i += kBlock, worth += rows.size) {
        alignas(64) int8_t block[kBlock];
        *worth = put_block(row + i, block);
        for (int64_t k = 0; k < kBlock; k += 4, out += 4 * rows.size) __builtin_memcpy(out, block + k, 4);
    }
}

static void take_rows(const Encoding &told, const float *x, int64_t take) {
    for (int64_t r = 0; r < told.tokens(); r++) take_row(told, r, x + r * take, take);
}

// A group of R rows times P panels, which are `panel_bytes` apart.
template <int R, int P>
static void group_times(const int8_t *x, const Worth *worth, int64_t take, const uint8_t *panel, int64_t give,
                        float *out) {
    const int64_t panel_bytes = take / kBlock * (kBlockBytes + 2 * kLine);
    const auto *scales = reinterpret_cast<const float *>(panel + take * kRows);
    alignas(64) float room[R * P * 16] = {};
    float *found = room;
    asm("" : "+r"(found));  // stays in memory: registers are for whole numbers
    for (int64_t k = 0; k < take; k += kBlock, worth += R, scales += 2 * kRows) {
        Whole sum[R * P];
        each<R * P>(FW_EACH { sum[i] = begun(worth[i / P].begin); });
        // Written out: GCC 12 else copies each sum to memory and back at every turn.
#pragma GCC unroll 16
        for (int64_t j = 0; j < kBlock; j += 4, x += 4 * R, panel += kLine) {
            Bytes weights[P];
            each<P>(FW_EACH { weights[i] = bytes_of(panel + i * panel_bytes, 128); });
            each<R * P>(FW_EACH { sum[i] = dot(sum[i], weights[i % P], x + i / P * 4); });
        }
        each<R * P>(FW_EACH {
            const float *here = scales + i % P * (panel_bytes / 4);
            const f32x16 off = fma(all(worth[i / P].middle), load(here + kRows), load(found + i * 16));
            store(found + i * 16, fma(floats(sums(sum[i])), load(here) * worth[i / P].step, off));
        });
    }
    for (int64_t i = 0; i < R * P; i++) store(out + i / P * give + i % P * kRows, load(found + i * 16));
}

template <int R>
FW_INLINE void some_rows_times(int64_t size, const int8_t *x, const Worth *worth, int64_t take,
                               const uint8_t *panel, int64_t give, float *out) {
    if (size == R) return group_times<R, kPanelsMet>(x, worth, take, panel, give, out);
    if constexpr (R > 1) some_rows_times<R - 1>(size, x, worth, take, panel, give, out);
}

// While a group goes through panels, its part of the panels behind them comes nearer.
static void times(const Encoding &told, int64_t take, const uint8_t *weights, int64_t give, float *out) {
    const int64_t met_bytes = kPanelsMet * take / kBlock * (kBlockBytes + 2 * kLine);
    const int64_t groups = groups_of(told.tokens()), ahead = (met_bytes / kLine / groups + 1) * kLine;
    for (int64_t g = 0; g < give; g += kPanelsMet * kRows, weights += met_bytes)
        for (int64_t group = 0; group < groups; group++) {
            const Rows rows = rows_of(group, told.tokens());
            ask_from_far(weights + met_bytes + group * ahead, ahead);
            some_rows_times<kMostRows>(rows.size, numbers_of(told, rows, take), worth_of(told, rows, take), take,
                                       weights, give, out + rows.first * give + g);
        }
}
