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

// The same for what a block's numbers are worth in scaled tiles.
void put_scales(int32_t kind, const Block &block, int64_t row, uint8_t *scales) {
    const int64_t halves = block_halves(kind);
    for (int64_t h = 0; h < halves; h++)
        std::memcpy(scales + 2 * (h * kRows + row), block.halves[h], 2);
    if (!is_large(kind)) return;
    for (int64_t t = 0; t < 8; t++)
        for (int64_t s = 0; s < 2; s++)
            scales[2 * halves * kRows + (2 * t + s) * kRows + row] = block.small[t][s];
}

double from_half(const uint8_t *bytes) {
    uint16_t half;
    std::memcpy(&half, bytes, 2);
    const int exponent = half >> 10 & 31, rest = half & 1023;
    const double sign = half & 0x8000 ? -1.0 : 1.0;
    if (exponent == 31) return rest ? NAN : sign * INFINITY;
    if (!exponent) return sign * std::ldexp(rest, -24);
    return sign * std::ldexp(rest + 1024, exponent - 25);
}

// What a row's numbers in a tile are multiplied by, and what is added to them.
struct Meant {
    double factor, least;

    double largest(int32_t kind) const {
        if (!has_least(kind)) return 8 * std::abs(factor);
        return std::max(std::abs(least), std::abs(15 * factor + least));
    }
};

Meant meant(int32_t kind, const Block &block) {
    const double factor = from_half(block.halves[0]);
    return {factor, has_least(kind) ? from_half(block.halves[1]) : -8 * factor};
}

// Puts factors of one row for a segment's tiles where its panel has them, and returns their unit.
uint8_t put_factors(int32_t kind, const Meant *tiles, int64_t count, int64_t row, uint8_t *factors) {
    constexpr uint8_t kNotFinite = 255;
    double most = 0;
    for (int64_t t = 0; t < count; t++) {
        const double here = tiles[t].largest(kind);
        if (!std::isfinite(here)) return kNotFinite;
        most = std::max(most, here);
    }
    if (most == 0) return 0;
    int exponent;
    if (std::frexp(most / kLargestWeight, &exponent) == 0.5) exponent--;
    for (int64_t t = 0; t < count; t++) {
        const double factor = std::nearbyint(std::ldexp(tiles[t].factor, -exponent));
        // right for what is halfway between the numbers: they are as far from it on both sides
        const double halfway = std::ldexp(7.5 * tiles[t].factor + tiles[t].least, -exponent);
        const double middle = std::nearbyint(halfway + 0.5 * factor);
        const int16_t both[2] = {static_cast<int16_t>(factor), static_cast<int16_t>(middle)};
        const auto size = static_cast<size_t>(2 * block_halves(kind));
        std::memcpy(factors + t * tile_scales(kind) + row * 2 * block_halves(kind), both, size);
    }
    return static_cast<uint8_t>(127 + 8 + exponent);
}

// Turns one row's blocks into its share of a panel.
void pack_row(int32_t kind, int64_t tiles, const uint8_t *source, int64_t row, uint8_t *panel) {
    uint8_t *scales = panel + tiles * tile_numbers(kind);
    Meant segment[kSegment];
    for (int64_t first = 0; first < tiles; first += block_tiles(kind), source += block_bytes(kind)) {
        Block block;
        read_block(kind, source, &block);
        for (int64_t t = 0; t < block_tiles(kind); t++)
            put_numbers(kind, block.numbers + t * kColumns, row,
                        panel + (first + t) * tile_numbers(kind));
        if (!is_whole(kind)) {
            put_scales(kind, block, row, scales + first * tile_scales(kind));
            continue;
        }
        const int64_t here = first % kSegment;
        segment[here] = meant(kind, block);
        if (here < kSegment - 1 && first < tiles - 1) continue;
        scales[tiles * tile_scales(kind) + first / kSegment * kRows + row] = put_factors(
            kind, segment, here + 1, row, scales + (first - here) * tile_scales(kind));
    }
}

}  // namespace

// Turns rows of GGUF blocks into tiles; `out` has zeros for all panels.
FW_EXPORT void fw_tiles_pack(int64_t kind_number, int64_t rows, int64_t columns,
                             const uint8_t *source, uint8_t *out) {
    const auto kind = static_cast<int32_t>(kind_number);
    const int64_t tiles = columns / kColumns;
    for (int64_t row = 0; row < rows; row++) {
        pack_row(kind, tiles, source, row % kRows, out + row / kRows * panel_bytes(kind, tiles));
        source += tiles / block_tiles(kind) * block_bytes(kind);
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
    Vectors room{nullptr, nullptr, nullptr, count, columns, !is_whole(matrix.kind)};
    std::vector<Line> numbers(static_cast<size_t>(2 * padded(count) * room.pairs()));
    std::vector<BlockSums> sums(static_cast<size_t>(padded(count) * blocks));
    std::vector<float> steps(static_cast<size_t>(padded(count) * room.segments()));
    room.numbers = reinterpret_cast<int8_t *>(numbers.data());
    room.sums = sums.data();
    room.steps = steps.data();
    std::vector<float> products(static_cast<size_t>(count * matrix.rows));
    form->multiply(&matrix, x, count, &room, products.data());
    for (int64_t v = 0; v < count; v++)
        std::copy_n(products.data() + v * matrix.rows, rows, out + v * rows);
    return true;
}
