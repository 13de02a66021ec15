// Products of bfloat16 in AMX's tiles. A matrix of [given][taken] lies as tiles of 16 given by 32 taken, two
// neighbours of these to a word, the tiles of one panel of 16 given behind each other. What it meets lies row
// by row.

constexpr int64_t kBits = 16;
constexpr int64_t kTile = 16, kDepth = 32, kTileNumbers = kTile * kDepth;

// Sixteen floats to the nearest bfloat16.
FW_INLINE void put_halves(f32x16 x, uint16_t *out) {
    const __m512i rounded = _mm512_add_epi32((__m512i)x, _mm512_set1_epi32(0x8000));
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(out),
                        _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
}

FW_INLINE void take_row(const Encoding &told, int64_t r, const float *row, int64_t take) {
    auto *out = reinterpret_cast<uint16_t *>(told.taken) + r * take;
    for (int64_t i = 0; i < take; i += 16) put_halves(load(row + i), out + i);
}

static void take_rows(const Encoding &told, const float *x, int64_t take) {
    for (int64_t r = 0; r < told.tokens(); r++) take_row(told, r, x + r * take, take);
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
    for (int64_t k = 0; k < take; k += kDepth, weights += kTileNumbers, other += kTileNumbers) {
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

static void times(const Encoding &told, int64_t take, const uint8_t *bytes, int64_t give, float *out) {
    const auto *x = reinterpret_cast<const uint16_t *>(told.taken);
    const auto *weights = reinterpret_cast<const uint16_t *>(bytes);
    written();
    for (int64_t g = 0; g < give; g += 2 * kTile)
        for (int64_t r = 0; r < told.rows(); r += 2 * kTile) {
            const uint16_t *here = x + r * take, *panel = weights + g * take;
            float *there = out + r * give + g;
            if (r + kTile < told.rows()) times_panels<2>(here, take, panel, give, there);
            else times_panels<1>(here, take, panel, give, there);
        }
    written();
}
