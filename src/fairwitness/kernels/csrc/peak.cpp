// What the processor's multiply instructions do in a second: the roof over every product of a form.
//
// Loops are written as instructions, for a compiler would see that nobody wants what they give. They
// touch no memory, and their chains of sums are more than any machine needs to begin a product
// whenever it can.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "decoder.h"
#include "kernel.h"

namespace {

enum class Multiplied : int64_t { kBytes, kFloats, kPairs };

// `products` of numbers, each with its sum, in each of `times` turns.
struct Loop {
    void (*run)(int64_t times);
    int64_t times;  // some hundred microseconds
    double products;
};

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)

constexpr int64_t kTimes = 100'000, kTileTimes = 10'000;

#define FW_TWELVE(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11)
#define FW_SIX(do) do(0) do(1) do(2) do(3) do(4) do(5)
#define FW_REGISTERS                                                                           \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",   \
        "xmm11", "xmm12", "xmm13"
#define FW_ZEROS(i) "vpxor %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
#define FW_LOOP(body)                                                                          \
    asm volatile(FW_TWELVE(FW_ZEROS) FW_ZEROS(12) FW_ZEROS(13) "1:\n\t" body                   \
                 "dec %0\n\tjnz 1b\n\tvzeroupper"                                              \
                 : "+r"(times)                                                                 \
                 :                                                                             \
                 : "cc", FW_REGISTERS)

// Their sums are left out, for which other units have time.
#define FW_MADDUBS(i) "vpmaddubsw %%ymm12, %%ymm13, %%ymm" #i "\n\t"
void bytes_avx2(int64_t times) { FW_LOOP(FW_TWELVE(FW_MADDUBS)); }

#define FW_DPBUSD(i) "vpdpbusd %%zmm12, %%zmm13, %%zmm" #i "\n\t"
void bytes_avx512(int64_t times) { FW_LOOP(FW_TWELVE(FW_DPBUSD)); }

#define FW_FMA_YMM(i) "vfmadd231ps %%ymm12, %%ymm13, %%ymm" #i "\n\t"
void floats_avx2(int64_t times) { FW_LOOP(FW_TWELVE(FW_FMA_YMM)); }

#define FW_FMA_ZMM(i) "vfmadd231ps %%zmm12, %%zmm13, %%zmm" #i "\n\t"
void floats_avx512(int64_t times) { FW_LOOP(FW_TWELVE(FW_FMA_ZMM)); }

// Eight tiles of sixteen rows of 64 bytes, as `ldtilecfg` reads them.
struct alignas(64) WholeTiles {
    uint8_t palette = 1, reserved[15] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(WholeTiles) == 64);

#define FW_NO_TILE(i) "tilezero %%tmm" #i "\n\t"
#define FW_TILE_LOOP(body)                                                                     \
    const WholeTiles told;                                                                     \
    asm volatile("ldtilecfg %1\n\t" FW_SIX(FW_NO_TILE) FW_NO_TILE(6) FW_NO_TILE(7) "1:\n\t"    \
                 body "dec %0\n\tjnz 1b\n\ttilerelease"                                        \
                 : "+r"(times)                                                                 \
                 : "m"(told)                                                                   \
                 : "cc")

#define FW_DPBSSD(i) "tdpbssd %%tmm7, %%tmm6, %%tmm" #i "\n\t"
void bytes_amx(int64_t times) { FW_TILE_LOOP(FW_SIX(FW_DPBSSD)); }

#define FW_DPBF16(i) "tdpbf16ps %%tmm7, %%tmm6, %%tmm" #i "\n\t"
void pairs_amx(int64_t times) { FW_TILE_LOOP(FW_SIX(FW_DPBF16)); }

Loop loop_of(const Form *form, Multiplied what) {
    const bool is_amx = form == form_amx(), is_wide = is_amx || form == form_avx512();
    if (what == Multiplied::kPairs)
        return is_amx ? Loop{pairs_amx, kTileTimes, 6 * 16 * 16 * 32} : Loop{};
    if (what == Multiplied::kBytes && is_amx) return {bytes_amx, kTileTimes, 6 * 16 * 16 * 64};
    const bool is_bytes = what == Multiplied::kBytes;
    if (is_wide) return {is_bytes ? bytes_avx512 : floats_avx512, kTimes, 12.0 * (is_bytes ? 64 : 16)};
    if (form != form_avx2()) return {};
    return {is_bytes ? bytes_avx2 : floats_avx2, kTimes, 12.0 * (is_bytes ? 32 : 8)};
}

#else

// What a compiler makes of the plain form is no roof.
Loop loop_of(const Form *, Multiplied) { return {}; }

#endif

constexpr int64_t kRounds = 30;

// Apart, for nobody shares a line.
struct alignas(64) Spent {
    int64_t ns;
};

struct Race {
    Loop loop;
    Spent *spent;  // of each thread, in the last round
};

void run_loop(void *state, int64_t thread) {
    const auto &race = *static_cast<const Race *>(state);
    const int64_t started = thread_ns();
    race.loop.run(race.loop.times);
    race.spent[thread].ns = thread_ns() - started;
}

}  // namespace

// Products a second that `threads` together can, of bytes, floats, or pairs of bfloat16: 0, 1, 2; each
// with its sum. 0 where this machine has no such form, or the form none of such instructions. It is
// the middle of some rounds, by the processor's clock: that others want the machine too changes little.
FW_EXPORT double fw_peak(int64_t form_number, int64_t what, int64_t threads) {
    const Form *form = form_numbered(form_number);
    const Loop loop = form ? loop_of(form, static_cast<Multiplied>(what)) : Loop{};
    if (!loop.run) return 0;
    Pool pool(threads);
    std::vector<Spent> spent(static_cast<size_t>(threads));
    Race race{loop, spent.data()};
    std::vector<double> rates;
    for (int64_t i = 0; i < kRounds; i++) {
        pool.run(run_loop, &race);
        double rate = 0;
        for (const Spent &own : spent)
            rate += loop.products * static_cast<double>(loop.times) * 1e9 / static_cast<double>(own.ns);
        rates.push_back(rate);
    }
    std::nth_element(rates.begin(), rates.begin() + kRounds / 2, rates.end());
    return rates[kRounds / 2];
}
