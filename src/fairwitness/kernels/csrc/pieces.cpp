// Texts into pieces of a vocabulary, and pieces into one vector a text.
//
// A character becomes a label (a table decides, so folding costs one load), a run of labels between
// boundaries is a chunk, and a chunk becomes the sequence of pieces whose scores add up to most
// (Viterbi, as in sentencepiece's unigram model, which the space before a word also comes from).
// All sums are of integers, so the plain twin comes to exactly the same.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "kernel.h"
#include "utf8.h"

namespace {

constexpr uint16_t kBoundary = 0, kSkipped = 1, kSpace = 2;

struct Node {
    int32_t base;   // children of this node lie at base + label
    int32_t check;  // the node whose child this is, -1 when free
    int32_t piece;  // the piece that ends here, -1 when none does
    int32_t score;  // its score
};

struct Vocabulary {
    const uint16_t *labels;
    uint32_t labelled;
    const Node *nodes;
    int64_t nodes_count;
    int32_t space_score;
    int32_t unknown_score;

    int32_t child(int32_t node, uint16_t label) const {
        const int64_t at = static_cast<int64_t>(nodes[node].base) + label;
        return at < nodes_count && nodes[at].check == node ? static_cast<int32_t>(at) : -1;
    }
};

bool is_blank(uint8_t byte) { return byte <= ' '; }

bool begins_link(const uint8_t *at, const uint8_t *end) {
    const auto starts = [&](const char *with, int64_t size) {
        return end - at >= size && std::memcmp(at, with, size) == 0;
    };
    return starts("http://", 7) || starts("https://", 8);
}

class Segmenter {
  public:
    explicit Segmenter(const Vocabulary &vocabulary) : vocabulary_(vocabulary) {}

    // Appends the pieces of one text to `found`.
    void segment(const uint8_t *at, const uint8_t *end, int64_t chars_max,
                 std::vector<int32_t> &found) {
        chunk_.clear();
        for (int64_t seen = 0; at < end && seen < chars_max; seen++) {
            if (*at == 'h' && begins_link(at, end)) {
                finish_chunk(found);
                while (at < end && !is_blank(*at)) at++;
                continue;
            }
            const uint32_t point = read_point(at);
            const uint16_t label =
                point < vocabulary_.labelled ? vocabulary_.labels[point] : kBoundary;
            if (label == kSkipped) continue;
            if (label == kBoundary) {
                finish_chunk(found);
            } else {
                chunk_.push_back(label);
            }
        }
        finish_chunk(found);
    }

  private:
    void finish_chunk(std::vector<int32_t> &found) {
        if (chunk_.empty()) return;
        const int32_t whole = whole_word();
        if (whole >= 0) {
            found.push_back(whole);
        } else {
            best_path(found);
        }
        chunk_.clear();
    }

    // The piece that is the whole chunk with a space before it: nearly always the best path too.
    int32_t whole_word() const {
        int32_t node = vocabulary_.child(0, kSpace);
        for (size_t i = 0; i < chunk_.size() && node >= 0; i++) {
            node = vocabulary_.child(node, chunk_[i]);
        }
        return node >= 0 ? vocabulary_.nodes[node].piece : -1;
    }

    void best_path(std::vector<int32_t> &found) {
        const size_t size = chunk_.size();
        steps_.assign(size + 1, Step{INT64_MIN, 0, -1});
        steps_[0].score = vocabulary_.space_score;
        walk(vocabulary_.child(0, kSpace), 0, 0);
        for (size_t start = 0; start < size; start++) {
            const int64_t score = steps_[start].score;
            offer(start, start + 1, score + vocabulary_.unknown_score, -1);
            walk(0, start, score);
        }
        const size_t first = found.size();
        for (size_t at = size; at > 0; at = steps_[at].start) {
            if (steps_[at].piece >= 0) found.push_back(steps_[at].piece);
        }
        for (size_t i = first, j = found.size(); i + 1 < j; i++, j--) {
            std::swap(found[i], found[j - 1]);
        }
    }

    void walk(int32_t node, size_t start, int64_t score) {
        for (size_t at = start; node >= 0 && at < chunk_.size(); at++) {
            node = vocabulary_.child(node, chunk_[at]);
            if (node < 0) return;
            const Node &here = vocabulary_.nodes[node];
            if (here.piece >= 0) offer(start, at + 1, score + here.score, here.piece);
        }
    }

    void offer(size_t start, size_t end, int64_t score, int32_t piece) {
        if (score > steps_[end].score) steps_[end] = {score, start, piece};
    }

    struct Step {
        int64_t score;
        size_t start;
        int32_t piece;
    };
    const Vocabulary vocabulary_;
    std::vector<uint16_t> chunk_;
    std::vector<Step> steps_;
};

constexpr int64_t kRowsAhead = 6;  // rows that are asked for before they are needed

FW_CLONES
void add_row(int32_t *__restrict sum, const int8_t *__restrict row, int32_t weight, int64_t dims) {
    for (int64_t i = 0; i < dims; i++) sum[i] += weight * row[i];
}

void write_code(const int32_t *sum, int64_t dims, uint8_t *code) {
    for (int64_t byte = 0; byte < dims / 8; byte++) {
        uint8_t bits = 0;
        for (int bit = 0; bit < 8; bit++) bits |= (sum[byte * 8 + bit] > 0) << (7 - bit);
        code[byte] = bits;
    }
}

void write_vector(const int32_t *sum, int64_t dims, float *vector) {
    double square = 0;
    for (int64_t i = 0; i < dims; i++) square += static_cast<double>(sum[i]) * sum[i];
    const double scale = square > 0 ? 1.0 / std::sqrt(square) : 0.0;
    for (int64_t i = 0; i < dims; i++) vector[i] = static_cast<float>(sum[i] * scale);
}

// Lays the pieces, sorted by their labels, into one array of nodes.
class TrieBuilder {
  public:
    TrieBuilder(const uint16_t *labels, const int64_t *ends, const int32_t *scores, Node *nodes,
                int64_t room)
        : labels_(labels), ends_(ends), scores_(scores), nodes_(nodes), room_(room),
          further_(room) {
        for (int64_t i = 0; i < room; i++) {
            nodes_[i] = {0, -1, -1, 0};
            further_[i] = i + 1;
        }
    }

    // Returns how many nodes are in use, -1 when there is no room for all.
    int64_t build(int64_t pieces) {
        nodes_[0].check = 0;
        used_ = 1;
        return place(0, 0, pieces, 0) ? used_ : -1;
    }

  private:
    int64_t begin(int64_t piece) const { return piece ? ends_[piece - 1] : 0; }

    bool place(int32_t node, int64_t low, int64_t high, int64_t depth) {
        if (low < high && begin(low) + depth == ends_[low]) {
            nodes_[node].piece = static_cast<int32_t>(low);
            nodes_[node].score = scores_[low];
            low++;
        }
        if (low == high) return true;
        std::vector<uint16_t> children;
        std::vector<int64_t> starts;
        for (int64_t i = low; i < high; i++) {
            const uint16_t label = labels_[begin(i) + depth];
            if (children.empty() || children.back() != label) {
                children.push_back(label);
                starts.push_back(i);
            }
        }
        starts.push_back(high);
        const int64_t base = free_base(children);
        if (base < 0) return false;
        nodes_[node].base = static_cast<int32_t>(base);
        for (const uint16_t label : children) nodes_[base + label].check = node;
        used_ = std::max(used_, base + children.back() + 1);
        for (size_t i = 0; i < children.size(); i++) {
            const auto child = static_cast<int32_t>(base + children[i]);
            if (!place(child, starts[i], starts[i + 1], depth + 1)) return false;
        }
        return true;
    }

    // Lone children fill the gaps near the front. Families look from `front_` on, which moves behind
    // a stretch that is too crowded for them: a few nodes stay empty and building stays fast.
    int64_t free_base(const std::vector<uint16_t> &children) {
        const bool alone = children.size() == 1;
        int tries = 0;
        int64_t at = next_free(std::max<int64_t>(alone ? 1 : front_, children[0] + 1));
        for (; at < room_; at = next_free(at + 1)) {
            const int64_t base = at - children[0];
            if (base + children.back() >= room_) return -1;
            const auto taken = [&](uint16_t label) { return nodes_[base + label].check >= 0; };
            if (std::none_of(children.rbegin(), children.rend(), taken)) return base;
            if (++tries % 16 == 0) front_ = at;
        }
        return -1;
    }

    // The first free node at or after `at`; taken ones learn a shorter way to it.
    int64_t next_free(int64_t at) {
        while (at < room_ && nodes_[at].check >= 0) {
            const int64_t next = further_[at];
            if (next < room_) further_[at] = further_[next];
            at = next;
        }
        return at;
    }

    const uint16_t *labels_;
    const int64_t *ends_;
    const int32_t *scores_;
    Node *nodes_;
    int64_t room_;
    int64_t used_ = 0;
    int64_t front_ = 1;
    std::vector<int64_t> further_;
};

}  // namespace

// Fills `nodes` (room of them, 4 int32 each) from pieces sorted by labels; the nodes used, or -1.
FW_EXPORT int64_t fw_pieces_build(const uint16_t *labels, const int64_t *ends,
                                  const int32_t *scores, int64_t pieces, int32_t *nodes,
                                  int64_t room) {
    TrieBuilder builder(labels, ends, scores, reinterpret_cast<Node *>(nodes), room);
    return builder.build(pieces);
}

// Writes the pieces of all texts, one text after the other, and where each text's end.
// A text has at most as many pieces as bytes, so `pieces_out` must hold as many as the blob.
FW_EXPORT void fw_pieces_segment(const uint8_t *blob, const int64_t *ends, int64_t texts,
                                 int64_t chars_max, const uint16_t *labels, int64_t labelled,
                                 const int32_t *nodes, int64_t nodes_count, int32_t space_score,
                                 int32_t unknown_score, int32_t *pieces_out, int64_t *ends_out) {
    const Vocabulary vocabulary{labels,
                                static_cast<uint32_t>(labelled),
                                reinterpret_cast<const Node *>(nodes),
                                nodes_count,
                                space_score,
                                unknown_score};
    Segmenter segmenter(vocabulary);
    std::vector<int32_t> found;
    int64_t begin = 0, written = 0;
    for (int64_t text = 0; text < texts; begin = ends[text++]) {
        found.clear();
        segmenter.segment(blob + begin, blob + ends[text], chars_max, found);
        std::copy(found.begin(), found.end(), pieces_out + written);
        written += static_cast<int64_t>(found.size());
        ends_out[text] = written;
    }
}

// Adds up the rows of each text's pieces: codes (texts, dims / 8) of signs, and where `vectors` is
// not null, unit vectors (texts, dims).
FW_EXPORT void fw_pieces_pool(const int32_t *pieces, const int64_t *ends, int64_t texts,
                              const int8_t *rows, const int16_t *weights, int64_t dims,
                              uint8_t *codes, float *vectors) {
    std::vector<int32_t> sum(dims);
    const int64_t count = texts ? ends[texts - 1] : 0;
    int64_t at = 0;
    for (int64_t text = 0; text < texts; text++) {
        std::fill(sum.begin(), sum.end(), 0);
        for (; at < ends[text]; at++) {
            const int32_t piece = pieces[at];
            if (at + kRowsAhead < count) {
                const int8_t *ahead = rows + pieces[at + kRowsAhead] * dims;
                for (int64_t line = 0; line < dims; line += 64) __builtin_prefetch(ahead + line);
            }
            add_row(sum.data(), rows + piece * dims, weights[piece], dims);
        }
        write_code(sum.data(), dims, codes + text * (dims / 8));
        if (vectors) write_vector(sum.data(), dims, vectors + text * dims);
    }
}
