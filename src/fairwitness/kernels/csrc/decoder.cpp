// Whole steps of a decoder: any number of tokens of any number of sequences in one call.

#include "decoder.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <vector>

#include "choices.h"
#include "kernel.h"

namespace {

// What a thread of a sweep found; they are kept apart, for nobody shares a line.
struct alignas(64) Found {
    uint64_t sum;
};

struct Sweep {
    std::vector<Matrix> matrices;
    std::vector<Found> found;
};

FW_CLONES
uint64_t summed(const uint64_t *words, int64_t count) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < count; i++) sum += words[i];
    return sum;
}

// Nobody waits longer for a token that is there, or to be seen.
constexpr std::chrono::milliseconds kAlone{20};

constexpr int64_t kMostSplit = 16;  // rows of a step whose runs threads share part by part

struct alignas(64) Line {
    uint8_t bytes[64];
};

// Room for numbers, as large as was ever needed.
template <class T>
T *room(std::vector<T> &held, int64_t size) {
    if (static_cast<size_t>(size) > held.size()) held.resize(static_cast<size_t>(size));
    return held.data();
}

struct Room {
    std::vector<Line> numbers;
    std::vector<BlockSums> sums;
    std::vector<float> steps;

    Vectors of(int64_t count, int64_t columns) {
        static_assert(2 * sizeof(Line) == kPairBytes);
        Vectors out{nullptr, nullptr, nullptr, count, columns, true};
        const int64_t most = padded(count);
        out.numbers = reinterpret_cast<int8_t *>(room(numbers, 2 * most * out.pairs()));
        out.sums = room(sums, most * out.blocks());
        out.steps = room(steps, most * out.segments());
        return out;
    }
};

// Of each row that is wanted its logits, and what `summarise` says of them.
struct Answer {
    float *logits;
    int64_t *likeliest;
    double *log_totals;
};

struct Summing {
    Pool *pool;
    const Answer *answer;
    int64_t rows, vocabulary;
};

void sum_up(void *state, int64_t thread) {
    const auto &told = *static_cast<const Summing *>(state);
    const Answer &answer = *told.answer;
    for (int64_t r; (r = told.pool->take(thread, told.rows)) < told.rows;)
        summarise(answer.logits + r * told.vocabulary, told.vocabulary, answer.likeliest + r,
                  answer.log_totals + r);
}

Matrix matrix_of(const int64_t *told) {
    return {static_cast<int32_t>(told[0]), (told[1] + kRows - 1) / kRows * kRows, told[2],
            reinterpret_cast<const uint8_t *>(told[3])};
}

class Decoder {
  public:
    Decoder(const Form *form, const Network &network, std::vector<Layer> layers, int64_t threads)
        : form_(form), layers_(std::move(layers)), network_(network), pool_(threads) {
        network_.layers = layers_.data();
    }

    // Returns the residual stream after the last layer, rows * width; valid until the next run.
    const float *run(const std::vector<Row> &rows, int64_t most_rank, const Pages &pages,
                     const int64_t *wants, int64_t wanted, const Answer &answer) {
        const Shape &shape = network_.shape;
        const auto count = static_cast<int64_t>(rows.size());
        const std::vector<Run> runs = runs_of(rows);
        int64_t last = 0;
        for (const Row &row : rows) last = std::max(last, row.position);
        Step step{};
        step.network = &network_;
        step.pool = &pool_;
        step.rows = count;
        step.runs = static_cast<int64_t>(runs.size());
        step.wanted = wanted;
        step.row = rows.data();
        step.run = runs.data();
        step.wants = wants;
        step.x = room(x_, count * shape.width);
        step.q = room(q_, count * shape.queries());
        step.turns = room(turns_, kWaves * count * shape.head_size);
        step.given = room(given_, count * shape.width);
        step.pages = pages;
        step.found_room = form_->run_rows * shape.sharing() * shape.found();
        step.found = room(found_, 2 * pool_.threads() * step.found_room);
        // Few shares would leave threads without work.
        const int64_t shares = step.runs * shape.kv_heads;
        const bool is_split = last >= kPart && count <= kMostSplit && shares < 8 * pool_.threads();
        step.parts = is_split ? last / kPart + 1 : 0;
        step.part_found = room(part_found_, count * shape.query_heads * step.parts * shape.found());
        step.parts_done = room(parts_done_, shares);
        step.share_bytes = form_->share_bytes(shape);
        // which not every form asks for
        step.share_room = reinterpret_cast<uint8_t *>(room(shares_, pool_.threads() * step.share_bytes / 64));
        const int64_t columns = std::max({shape.width, shape.queries(), shape.hidden});
        // each thread keeps few rows to itself
        const int64_t vectors = std::max(count, kLonely * pool_.threads());
        const int64_t used = network_.mixture.used, sent = used * std::max(2 * count, pool_.threads());
        step.normed = normed_.of(std::max(vectors, sent), shape.width);
        step.whole_mixed = whole_mixed_.of(vectors, shape.queries());
        step.whole_hidden = whole_hidden_.of(std::max(vectors, sent), shape.hidden);
        step.scores = room(scores_, count * network_.mixture.count);
        step.slots = room(slots_, pool_.threads() * 2 * count * used);
        step.crowds = room(crowds_, pool_.threads() * network_.mixture.count);
        step.counts = room(counts_, pool_.threads() * network_.mixture.count);
        step.mixed = room(mixed_, count * shape.queries());
        step.hidden = room(hidden_, count * std::max<int64_t>(used, 1) * shape.hidden);
        step.most_rank = most_rank;
        step.low = room(low_, count * most_rank);
        step.widened_room = columns;
        step.widened = room(widened_, most_rank ? pool_.threads() * columns : 0);
        step.logits = answer.logits;
        step.spent_ns = spent_ns_;
        pool_.run(form_->step, &step);
        Summing summing{&pool_, &answer, wanted, shape.vocabulary};
        if (wanted) pool_.run(sum_up, &summing);
        return step.x;
    }

    // Runs a row, and then what is likeliest behind it, at most `most` tokens; returns how many it took.
    // It ends with a token in `ends`, with logits that are not finite, after a while, or once there is
    // news.
    int64_t go_on(Row row, int64_t most_rank, const Pages &pages, const std::vector<int64_t> &ends,
                  const int32_t *news, int64_t most, int64_t *tokens, double *logprobs) {
        const auto until = std::chrono::steady_clock::now() + kAlone;
        const int64_t first = 0;
        float *logits = room(logits_, network_.shape.vocabulary);
        for (int64_t i = 0;;) {
            double log_total;
            run({row}, most_rank, pages, &first, 1, {logits, tokens + i, &log_total});
            row.token = tokens[i];
            row.position++;
            logprobs[i] = logits[row.token] - log_total;
            const bool is_end = std::find(ends.begin(), ends.end(), row.token) != ends.end();
            if (++i == most || is_end || std::isnan(log_total)) return i;
            if (__atomic_load_n(news, __ATOMIC_RELAXED)) return i;
            if (std::chrono::steady_clock::now() > until) return i;
        }
    }

    // Reads every weight that a step of one token reads, each thread its share, and does nothing else.
    uint64_t sweep() {
        Sweep sweep{{network_.head}, std::vector<Found>(static_cast<size_t>(pool_.threads()))};
        for (const Layer &layer : layers_)
            sweep.matrices.insert(
                sweep.matrices.end(),
                {layer.query_key, layer.value, layer.out, once(layer.gate_up), once(layer.down)});
        pool_.run(
            [](void *state, int64_t thread) {
                auto &told = *static_cast<Sweep *>(state);
                const auto threads = static_cast<int64_t>(told.found.size());
                uint64_t sum = 0;
                for (const Matrix &matrix : told.matrices) {
                    const auto *words = reinterpret_cast<const uint64_t *>(matrix.data);
                    const int64_t count = matrix.bytes() / 8;
                    const int64_t first = count * thread / threads;
                    sum += summed(words + first, count * (thread + 1) / threads - first);
                }
                told.found[static_cast<size_t>(thread)].sum = sum;
            },
            &sweep);
        uint64_t sum = 0;
        for (const Found &found : sweep.found) sum += found.sum;
        return sum;
    }

    // Adds up in `spent_ns`, [thread][stage], where each thread's time goes.
    void watch(int64_t *spent_ns) { spent_ns_ = spent_ns; }

    const Shape &shape() const { return network_.shape; }

  private:
    // As much of all experts' matrices as a row uses.
    Matrix once(Matrix matrix) const {
        const Mixture &mixture = network_.mixture;
        if (mixture.count) matrix.rows = matrix.rows / mixture.count * mixture.used;
        return matrix;
    }

    std::vector<Run> runs_of(const std::vector<Row> &rows) const {
        std::vector<Run> runs;
        for (int64_t r = 0; r < static_cast<int64_t>(rows.size()); r++) {
            const bool goes_on = !runs.empty() && runs.back().count < form_->run_rows &&
                                 rows[r].table == rows[r - 1].table;
            if (goes_on) runs.back().count++;
            if (!goes_on) runs.push_back({r, 1});
        }
        return runs;
    }

    const Form *form_;
    std::vector<Layer> layers_;
    Network network_;
    Pool pool_;
    Room normed_, whole_mixed_, whole_hidden_;
    std::vector<Line> shares_;
    std::vector<float> x_, q_, turns_, given_, mixed_, hidden_, found_, part_found_, low_, widened_, logits_, scores_;
    std::vector<Slot> slots_;
    std::vector<Crowd> crowds_;
    std::vector<int64_t> counts_;
    std::vector<int32_t> parts_done_;
    int64_t *spent_ns_ = nullptr;
};

}  // namespace

namespace {

Network network_of(const int64_t *size, const float *number, const int64_t *ways,
                   const int64_t *matrices, const int64_t *vectors) {
    const auto vector = [&](int64_t i) { return reinterpret_cast<const float *>(vectors[i]); };
    Network network{};
    network.shape = {size[0], size[1], size[2], size[3], size[4], size[5], size[6]};
    network.epsilon = number[0];
    network.query_scale = number[1];
    network.score_cap = number[2];
    network.logits_cap = number[3];
    network.embedding_scale = number[4];
    network.activation = static_cast<Activation>(ways[0]);
    network.mixture = {ways[1], ways[2], ways[3] != 0, number[5 + kWaves]};
    for (int64_t w = 0; w < kWaves; w++) network.waves[w] = {vector(1 + w), number[5 + w]};
    network.norm = vector(0);
    network.embedding = matrix_of(matrices);
    network.head = matrix_of(matrices + 4);
    return network;
}

// In the order of `LayerWeights` in stack.py.
std::vector<Layer> layers_of(int64_t count, const int64_t *matrices, const int64_t *vectors,
                             const int64_t *reaches) {
    std::vector<Layer> layers;
    for (int64_t l = 0; l < count; l++) {
        const int64_t *matrix = matrices + 8 + 20 * l, *own = vectors + 1 + kWaves + 9 * l;
        const auto vector = [&](int64_t i) { return reinterpret_cast<const float *>(own[i]); };
        layers.push_back({vector(0), vector(1), matrix_of(matrix), matrix_of(matrix + 4),
                          matrix_of(matrix + 8), matrix_of(matrix + 12), matrix_of(matrix + 16),
                          vector(2), vector(3), vector(4), vector(5), vector(6), vector(7),
                          std::min(reaches[2 * l], kFar), reaches[2 * l + 1], vector(8)});
    }
    return layers;
}

}  // namespace

// `shape` is vocabulary, width, layers, query heads, kv heads, head size, hidden. `numbers` are epsilon,
// the scale of queries, the caps of scores and of logits, the scale of embeddings, the amplitudes of waves,
// the cap of a router's scores. `ways` are the activation, experts, how many a row uses, whether only those share.
// `matrices` has kind, rows, columns and address of the embedding, the head, then of each layer query and
// key, value, out, gate and up, down. `vectors` has addresses, 0 for what there is not: the last norm, the
// frequencies of waves, then of each layer what `layers_of` puts in its place. `reaches` has window and wave
// of each layer.
// All that these addresses point to stays the caller's and has to outlive the decoder. Null where this
// machine has no such form.
FW_EXPORT void *fw_decoder_new(int64_t form_number, const int64_t *shape, const float *numbers,
                               const int64_t *ways, const int64_t *matrices, const int64_t *vectors,
                               const int64_t *reaches, int64_t threads) {
    const Form *form = form_numbered(form_number);
    if (!form) return nullptr;
    return new Decoder(form, network_of(shape, numbers, ways, matrices, vectors),
                       layers_of(shape[2], matrices, vectors, reaches), threads);
}

FW_EXPORT void fw_decoder_free(void *decoder) { delete static_cast<Decoder *>(decoder); }

namespace {

Row row_of(const int64_t *told) {
    return {told[0], told[1], reinterpret_cast<const int32_t *>(told[2]),
            reinterpret_cast<const Low *>(told[3])};
}

Pages pages_of(const Shape &shape, void *data, int64_t kind) {
    Pages pages{static_cast<uint8_t *>(data), static_cast<int32_t>(kind), shape.head_size,
                shape.kv_heads, 0};
    pages.page_bytes = pages.offset(shape.layers, 0);
    return pages;
}

}  // namespace

// Runs tokens, each told as itself, its position, and the addresses of its sequence's table of pages
// and of its adapter, which may be null; those of one sequence stand together in order. No adapter has
// a higher rank than `most_rank`. `kind` is that of the numbers in the pages. Writes the logits of rows
// `wants`, one below the other, with what `summarise` says of each; and what comes out of the last
// layer for rows `shows`.
FW_EXPORT void fw_decoder_step(void *decoder, const int64_t *told, int64_t rows, int64_t most_rank,
                               void *pages, int64_t kind, const int64_t *wants, int64_t wanted,
                               float *logits, int64_t *likeliest, double *log_totals,
                               const int64_t *shows, int64_t shown, float *hidden) {
    std::vector<Row> row;
    for (const int64_t *one = told; one < told + 4 * rows; one += 4) row.push_back(row_of(one));
    auto *self = static_cast<Decoder *>(decoder);
    const Shape &shape = self->shape();
    const Pages held = pages_of(shape, pages, kind);
    const float *x = self->run(row, most_rank, held, wants, wanted, {logits, likeliest, log_totals});
    for (int64_t i = 0; i < shown; i++)
        std::copy_n(x + shows[i] * shape.width, shape.width, hidden + i * shape.width);
}

// Runs a token as `fw_decoder_step` has it, then what is likeliest behind it, and so on; writes each
// likeliest token and its log-probability, and returns how many they are.
FW_EXPORT int64_t fw_decoder_go_on(void *decoder, const int64_t *told, int64_t most_rank, void *pages,
                                   int64_t kind, const int64_t *ends, int64_t ended,
                                   const int32_t *news, int64_t most, int64_t *tokens,
                                   double *logprobs) {
    auto *self = static_cast<Decoder *>(decoder);
    return self->go_on(row_of(told), most_rank, pages_of(self->shape(), pages, kind),
                       {ends, ends + ended}, news, most, tokens, logprobs);
}

// Reads all weights once and returns the sum of their words: how fast that goes is what bounds a step
// of one token.
FW_EXPORT uint64_t fw_decoder_sweep(void *decoder) {
    return static_cast<Decoder *>(decoder)->sweep();
}

// From now on each step adds its nanoseconds to `spent_ns`, zeros of [thread][stage], which stays the
// caller's.
FW_EXPORT void fw_decoder_watch(void *decoder, int64_t *spent_ns) {
    static_cast<Decoder *>(decoder)->watch(spent_ns);
}
