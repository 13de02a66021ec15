// Quantised matrices: from the blocks of a GGUF file to tiles, and times a few vectors.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

#include "formats.h"
#include "decoder.h"
#include "kernel.h"

namespace {

#if defined(__x86_64__) && defined(__GNUC__)

bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
}

bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq");
}

// Tiles have to be in the processor, kept by the system, and granted to the process when it asks
// (Documentation/arch/x86/xstate.rst in the Linux source).
bool has_amx() {
#if defined(__linux__)
    constexpr int kTile = 1 << 24, kInt8 = 1 << 25, kBf16 = 1 << 22, kAskPermission = 0x1023, kTileData = 18;
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (!(d & kTile) || !(d & kInt8) || !(d & kBf16)) return false;
    return syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
#else
    return false;
#endif
}

#endif

// From any machine's form to the best.
const Form *form_if_here(int64_t number) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (number == 2) return has_avx2() ? form_avx2() : nullptr;
    if (number == 3) return has_avx512() ? form_avx512() : nullptr;
    if (number == 4) return has_amx() ? form_amx() : nullptr;
#endif
    return number == 1 ? form_plain() : nullptr;
}

}  // namespace

const Form *form_numbered(int64_t number) {
    if (number) return form_if_here(number);
    for (number = 4; number > 1; number--)
        if (const Form *form = form_if_here(number)) return form;
    return form_plain();
}

namespace {

// Puts one row's numbers of a tile where its panel has them.
void put_numbers(int32_t kind, const uint8_t *numbers, int64_t row, uint8_t *tile) {
    for (int64_t i = 0; i < (has_bytes(kind) ? kColumns : kColumns / 2); i++) {
        const int both = has_bytes(kind) ? numbers[i] : numbers[i] | numbers[i + 16] << 4;
        tile[i / 4 * 64 + row * 4 + i % 4] = static_cast<uint8_t>(both);
    }
}

float from_half(const uint8_t *bytes) {
    uint16_t half;
    std::memcpy(&half, bytes, 2);
    const int exponent = half >> 10 & 31, rest = half & 1023;
    const float sign = half & 0x8000 ? -1.0f : 1.0f;
    if (exponent == 31) return rest ? NAN : sign * INFINITY;
    if (!exponent) return sign * std::ldexp(static_cast<float>(rest), -24);
    return sign * std::ldexp(static_cast<float>(rest + 1024), exponent - 25);
}

// What a row's numbers in a tile are worth, and what is added to them; in Q6_K what the last sixteen
// are worth.
struct Meant {
    double first, second;
};

Meant meant(int32_t kind, const Block &block, int64_t t) {
    const double d = from_half(block.halves[0]);
    if (kind == kQ6_K)
        return {d * static_cast<int8_t>(block.small[t][0]), d * static_cast<int8_t>(block.small[t][1])};
    const double least = has_middle(kind) ? from_half(block.halves[1]) : 0.0;
    if (!is_large(kind)) return {d, least};
    return {d * block.small[t][0], -least * block.small[t][1]};
}

// The largest that a number of the tile may mean, with a sign or without.
double largest(int32_t kind, const Meant &tile) {
    const double middle = centre(kind);
    if (!has_middle(kind)) return middle * std::max(std::abs(tile.first), std::abs(tile.second));
    return std::max(std::abs(tile.second), std::abs(tile.first * (2 * middle - 1) + tile.second));
}

// Puts factors of one row for a segment's tiles where its panel has them, and returns their scale.
float put_factors(int32_t kind, const Meant *tiles, int64_t count, int64_t row, uint8_t *factors) {
    double most = 0;
    bool is_finite = true;
    for (int64_t t = 0; t < count; t++) {
        const double here = largest(kind, tiles[t]);
        is_finite = is_finite && std::isfinite(here);
        most = std::max(most, here);
    }
    if (!is_finite) return NAN;
    const float scale = static_cast<float>(most / kLargestWeight);
    for (int64_t t = 0; t < count && scale > 0; t++) {
        const double factor = std::nearbyint(tiles[t].first / scale);
        double other = std::nearbyint(tiles[t].second / scale);
        if (has_middle(kind)) {
            // right for what is halfway between the numbers: they are as far from it on both sides
            const double halfway = tiles[t].first * (centre(kind) - 0.5) + tiles[t].second;
            other = std::nearbyint(halfway / scale + 0.5 * factor);
        }
        const int16_t both[2] = {static_cast<int16_t>(factor), static_cast<int16_t>(other)};
        const auto size = static_cast<size_t>(2 * row_factors(kind));
        std::memcpy(factors + t * tile_factors(kind) + row * 2 * row_factors(kind), both, size);
    }
    return scale;
}

}  // namespace

// Turns rows of GGUF blocks into tiles; `out` has zeros for all panels.
FW_EXPORT void fw_tiles_pack(int64_t kind_number, int64_t rows, int64_t columns,
                             const uint8_t *source, uint8_t *out) {
    const auto kind = static_cast<int32_t>(kind_number);
    const int64_t tiles = columns / kColumns, together = block_tiles(kind);
    std::vector<Meant> means(static_cast<size_t>(tiles));
    for (int64_t row = 0; row < rows; row++) {
        uint8_t *panel = out + row / kRows * panel_bytes(kind, tiles);
        uint8_t *factors = panel + tiles * tile_numbers(kind);
        for (int64_t first = 0; first < tiles; first += together, source += block_bytes(kind)) {
            Block block;
            read_block(kind, source, &block);
            for (int64_t t = 0; t < together; t++) {
                means[static_cast<size_t>(first + t)] = meant(kind, block, t);
                put_numbers(kind, block.numbers + t * kColumns, row % kRows,
                            panel + (first + t) * tile_numbers(kind));
            }
        }
        uint8_t *scales = panel + panel_bytes(kind, tiles) - segments_of(tiles) * 4 * kRows;
        for (int64_t s = 0; s < segments_of(tiles); s++) {
            const int64_t first = s * kSegment, count = std::min(kSegment, tiles - first);
            const float scale = put_factors(kind, means.data() + first, count, row % kRows,
                                            factors + first * tile_factors(kind));
            std::memcpy(scales + 4 * (s * kRows + row % kRows), &scale, 4);
        }
    }
}

namespace {

struct alignas(64) Line {
    uint8_t bytes[64];
};

}  // namespace

// out[v][r] = row r of the matrix times vector v. False where this machine has no such form.
FW_EXPORT bool fw_matmul(int64_t form_number, int64_t kind, int64_t rows, int64_t columns,
                         const uint8_t *tiles, const float *x, int64_t count, float *out) {
    const Form *form = form_numbered(form_number);
    if (!form) return false;
    const int64_t panels = (rows + kRows - 1) / kRows, blocks = columns / kColumns;
    const Matrix matrix{static_cast<int32_t>(kind), panels * kRows, columns, tiles};
    Vectors room{nullptr, nullptr, nullptr, count, columns};
    std::vector<Line> numbers(static_cast<size_t>(2 * padded(count) * room.pairs()));
    std::vector<Sums> sums(static_cast<size_t>(padded(count) * blocks));
    std::vector<float> steps(static_cast<size_t>(padded(count) * room.segments()));
    room.numbers = reinterpret_cast<int8_t *>(numbers.data());
    room.sums = sums.data();
    room.steps = steps.data();
    std::vector<float> products(static_cast<size_t>(count * matrix.rows));
    std::vector<Line> panel(static_cast<size_t>(panel_room(columns) / 64));
    form->multiply(&matrix, x, count, &room, panel.data()->bytes, products.data());
    for (int64_t v = 0; v < count; v++)
        std::copy_n(products.data() + v * matrix.rows, rows, out + v * rows);
    return true;
}
