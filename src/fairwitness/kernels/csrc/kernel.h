// What every kernel file begins with.
#pragma once

#include <cstddef>
#include <cstdint>

// A function that Python calls: `FW_EXPORT void fw_words(...)`, all of them `extern "C"`.
#define FW_EXPORT extern "C" __attribute__((visibility("default")))

// Put before a loop that wide vectors make faster: it is compiled three times, and the machine that
// it runs on chooses. Elsewhere than on x86 Linux the compiler's own baseline has to do.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define FW_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define FW_CLONES
#endif
