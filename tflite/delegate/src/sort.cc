#include "sort.h"

#include <tuple>

namespace issp {

void sort_weights(std::vector<Nonzero>* weights) {
  sort(weights, [](const Nonzero& a, const Nonzero& b) {
    return std::tie(a.output, a.row, a.channel, a.column) <
           std::tie(b.output, b.row, b.channel, b.column);
  });
}

}  // namespace issp
