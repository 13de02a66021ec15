// Threads of a pool that read in each stage what all of them wrote in the one before, for the thread
// sanitizer: `make sanitize` compiles and runs it.

#include "../../src/fairwitness/kernels/csrc/pool.h"

#include <cstdio>

namespace {

constexpr int STAGES = 4, ROUNDS = 1'000;

struct State {
    Pool *pool;
    int64_t pieces;
    std::vector<int64_t> told[STAGES];
};

int64_t sum_of(const std::vector<int64_t> &numbers) {
    int64_t sum = 0;
    for (const int64_t number : numbers) sum += number;
    return sum;
}

void work(void *raw, int64_t thread) {
    State &state = *static_cast<State *>(raw);
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage) state.pool->barrier();
        for (int64_t piece; (piece = state.pool->take(thread, state.pieces)) < state.pieces;)
            state.told[stage][piece] = piece + (stage ? sum_of(state.told[stage - 1]) : 1);
    }
}

bool is_right(const State &state) {
    int64_t before = 1;
    for (const std::vector<int64_t> &told : state.told) {
        for (int64_t piece = 0; piece < state.pieces; piece++)
            if (told[piece] != piece + before) return false;
        before = sum_of(told);
    }
    return true;
}

}  // namespace

int main() {
    for (int64_t threads = 1; threads <= 4; threads++) {
        Pool pool(threads);
        for (int round = 0; round < ROUNDS; round++) {
            State state{&pool, round % 13, {}};
            for (std::vector<int64_t> &told : state.told) told.assign(state.pieces, 0);
            pool.run(work, &state);
            if (!is_right(state)) return std::printf("%d threads: round %d is wrong\n", int(threads), round), 1;
        }
    }
    std::printf("a pool of up to 4 threads: %d rounds each\n", ROUNDS);
}
