#include "bands.h"

#include <cstdint>

namespace issp {

namespace {

Slice whole(const Network& network, const Layout& layout, int begin, int end) {
  Slice slice;
  for (int i = begin; i < end; ++i) {
    slice.begin.push_back(0);
    slice.end.push_back(layout.rows_of(network.operations[i]));
  }
  slice.reach = slice.end;
  return slice;
}

}  // namespace

Bands::Bands(const Network& network, const Layout& layout,
             const std::vector<Life>& lives, int begin, int end)
    : Bands(network, layout, lives, begin, end,
            whole(network, layout, begin, end)) {}

Bands::Bands(const Network& network, const Layout& layout,
             const std::vector<Life>& lives, int begin, int end,
             const Slice& slice)
    : network_(network),
      layout_(layout),
      lives_(lives),
      begin_(begin),
      end_(end),
      slice_(slice),
      done_(end),
      need_(end),
      producer_(network.values.size(), -1),
      users_(network.values.size()),
      retained_(network.values.size()),
      largest_(network.values.size()),
      passes_(network.values.size()) {
  for (int i = begin; i < end; ++i) {
    done_[i] = first_row(i);
    const Operation& of = network.operations[i];
    visit_operands(of, [&](int value, const Post*) {
      users_[value].push_back(i);
    });
    if (of.output < 0) continue;
    producer_[of.output] = i;
    passes_[of.output] = lives[of.output].last < end;
  }
}

int Bands::height(int operation) const {
  return layout_.rows_of(network_.operations[operation]);
}

int Bands::first_read(int operation, int row) const {
  return row * network_.operations[operation].stride.height -
         layout_.paddings[operation].top;
}

int Bands::first_needed(int value) const {
  const Image& image = layout_.images[value];
  int first = image.size.height + image.bottom;
  for (int i : users_[value]) {
    if (done_[i] >= last_row(i)) continue;
    const Operation& of = network_.operations[i];
    visit_operands(of, [&](int operand, const Post* post) {
      if (operand != value) return;
      const int row = !post ? first_read(i, done_[i])
                            : done_[i] * (post->shuffled ? of.block : 1);
      first = std::min(first, row);
    });
  }
  return std::max(first, -image.top);
}

int Bands::made(int operation, int done) const {
  const Operation& of = network_.operations[operation];
  if (of.kind == Operation::kMean) return done == height(operation);
  return done * of.block;
}

int Bands::end_of_rows(int operation, int done) const {
  const Operation& of = network_.operations[operation];
  const Image& image = layout_.images[of.output];
  const int rows = made(operation, done);
  return rows == image.size.height ? rows + image.bottom : rows;
}

uint64_t Bands::bytes() const {
  uint64_t kept = 0;
  std::vector<uint64_t> passing(end_);  // By operation.
  for (size_t value = 0; value < retained_.size(); ++value) {
    const uint64_t bytes =
        uint64_t(retained_[value]) * layout_.images[value].row;
    if (!passes_[value]) {
      kept += bytes;
      continue;
    }
    const Life& life = lives_[value];
    for (int i = life.first; i <= life.last; ++i) passing[i] += bytes;
  }
  return kept + *std::max_element(passing.begin(), passing.end());
}

std::vector<int> Bands::reach() {
  const std::vector<int>& need = needed(last_row(end_ - 1));
  return {need.begin() + begin_, need.begin() + end_};
}

// The rows that each operation needs for rows of the last one.
const std::vector<int>& Bands::needed(int done) {
  const int last = last_row(end_ - 1);
  std::fill(need_.begin(), need_.end(), 0);
  for (int i = end_ - 1; i >= begin_; --i) {
    const Operation& of = network_.operations[i];
    int& need = need_[i];
    if (done == last) {
      need = std::max(need, last_row(i));
    } else if (of.output < 0 || users_[of.output].empty()) {
      const int64_t share = int64_t(last_row(i)) * done;
      need = std::max(need, int((share + last - 1) / last));
    }
    need = std::min(need, height(i));
    const int made = std::min(need, last_row(i));
    if (made == 0) continue;
    visit_operands(of, [&](int value, const Post* post) {
      require(value, post ? made * (post->shuffled ? of.block : 1)
                          : first_read(i, made - 1) +
                                (of.kernel.height - 1) * of.dilation.height +
                                1);
    });
  }
  return need_;
}

void Bands::require(int value, int rows) {
  const int producer = producer_[value];
  if (producer < 0) return;
  const int block = network_.operations[producer].block;
  need_[producer] =
      std::max(need_[producer], (std::max(rows, 0) + block - 1) / block);
}

void Bands::note(int operation, int done) {
  const int value = network_.operations[operation].output;
  if (value < 0) return;
  const int end = end_of_rows(operation, done);
  const int first = std::min(first_needed(value), end);
  retained_[value] = std::max(retained_[value], end - first);
  const int before = end_of_rows(operation, done_[operation]);
  largest_[value] = std::max(largest_[value], end - before);
}

void Bands::note_passing() {
  for (size_t value = 0; value < passes_.size(); ++value) {
    const int i = producer_[value];
    if (!passes_[value] || done_[i] == 0) continue;
    passes_[value] = first_needed(int(value)) >= end_of_rows(i, done_[i]);
  }
}

}  // namespace issp
