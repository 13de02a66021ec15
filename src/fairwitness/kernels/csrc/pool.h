// A few threads that run one function together, with a barrier for its stages.
//
// Stages are microseconds long, so a thread that waits looks again for a while before it sleeps; the
// while is bounded, for the machine may be shared. Nobody spins between two runs for longer either.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// The processor time that this thread has had.
inline int64_t thread_ns() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// A number that threads wait on to change.
class Bell {
  public:
    uint32_t now() const { return number_.load(std::memory_order_acquire); }

    void ring() {
        number_.fetch_add(1, std::memory_order_seq_cst);
#if defined(__linux__)
        if (sleepers_.load(std::memory_order_seq_cst))
            syscall(SYS_futex, &number_, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0);
#endif
    }

    // `meanwhile` is done again and again, as long as the thread does not sleep.
    template <class Meanwhile>
    void wait(uint32_t heard, const Meanwhile &meanwhile) {
        for (int i = 0; i < kSpins; i++) {
            if (now() != heard) return;
            meanwhile();
            relax();
        }
        while (now() == heard) {
#if defined(__linux__)
            sleepers_.fetch_add(1, std::memory_order_seq_cst);
            syscall(SYS_futex, &number_, FUTEX_WAIT_PRIVATE, heard, nullptr, nullptr, 0);
            sleepers_.fetch_sub(1, std::memory_order_relaxed);
#else
            std::this_thread::yield();
#endif
        }
    }

  private:
    static constexpr int kSpins = 2000;  // about 50 us
    alignas(64) std::atomic<uint32_t> number_{0};
    std::atomic<uint32_t> sleepers_{0};
};

class Pool {
  public:
    using Work = void (*)(void *state, int64_t thread);

    explicit Pool(int64_t threads) : threads_(threads) {
        for (std::vector<Taken> &taken : taken_) taken = std::vector<Taken>(static_cast<size_t>(threads));
        for (int64_t i = 1; i < threads; i++) others_.emplace_back([this, i] { serve(i); });
    }

    ~Pool() {
        work_ = nullptr;
        begin_.ring();
        for (std::thread &other : others_) other.join();
    }

    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;

    int64_t threads() const { return threads_; }

    // Runs `work` on all threads, this one is thread 0. Only one caller at a time.
    void run(Work work, void *state) {
        work_ = work;
        state_ = state;
        begin_.ring();
        work(state, 0);
        barrier();
    }

    // Returns when all threads have come here; `meanwhile` as in `Bell::wait`.
    template <class Meanwhile>
    void barrier(const Meanwhile &meanwhile) {
        const uint32_t heard = met_.now();
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < threads_) {
            met_.wait(heard, meanwhile);
            return;
        }
        arrived_.store(0, std::memory_order_relaxed);
        for (Taken &taken : taken_[(stage_ + 2) % 3]) taken.count.store(0, std::memory_order_relaxed);
        stage_++;
        met_.ring();
    }

    void barrier() {
        barrier([] {});
    }

    // Shares out the pieces of the stage that is running, each of `pieces` to one thread; `pieces` when
    // none is left. A thread's own stand together, for what it reads ahead should be its own; when it
    // has done them it helps the others.
    int64_t take(int64_t thread, int64_t pieces) {
        for (int64_t i = 0; i < threads_; i++) {
            const int64_t owner = thread + i < threads_ ? thread + i : thread + i - threads_;
            const int64_t first = first_of(owner, pieces), end = first_of(owner + 1, pieces);
            std::atomic<int64_t> &count = taken_[stage_ % 3][static_cast<size_t>(owner)].count;
            const int64_t piece = first + count.fetch_add(1, std::memory_order_relaxed);
            if (piece < end) return piece;
        }
        return pieces;
    }

    // The first of a thread's own pieces.
    int64_t first_of(int64_t thread, int64_t pieces) const { return pieces * thread / threads_; }

  private:
    struct alignas(64) Taken {
        std::atomic<int64_t> count{0};
    };

    void serve(int64_t thread) {
        for (uint32_t heard = 0;;) {
            begin_.wait(heard, [] {});
            heard = begin_.now();
            if (!work_) return;
            work_(state_, thread);
            barrier();
        }
    }

    const int64_t threads_;
    Work work_ = nullptr;
    void *state_ = nullptr;
    Bell begin_, met_;
    alignas(64) std::atomic<int64_t> arrived_{0};
    uint64_t stage_ = 0;
    std::vector<Taken> taken_[3];  // a thread's pieces that are taken, of this stage and its neighbours
    std::vector<std::thread> others_;
};
