// Sorting, with little code for WebAssembly, where code is downloaded.

#ifndef ISSP_SORT_H_
#define ISSP_SORT_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <vector>

#include "network.h"

namespace issp {

// Sorts elements of which no two are equal.
template <class T, class Less = std::less<T>>
void sort(std::vector<T>* all, const Less& less = Less()) {
#ifdef __wasm__
  // `std::sort` needs 5000 bytes for each order. So this is a merge sort.
  const size_t size = all->size();
  std::vector<T> merged(size);
  for (size_t run = 1; run < size; run *= 2) {
    for (size_t begin = 0; begin < size; begin += 2 * run) {
      const auto at = [&](size_t place) {
        return std::make_move_iterator(all->begin() + std::min(place, size));
      };
      std::merge(at(begin), at(begin + run), at(begin + run),
                 at(begin + 2 * run), merged.begin() + begin, less);
    }
    all->swap(merged);
  }
#else
  std::sort(all->begin(), all->end(), less);
#endif
}

// Sorts weights as kernels read them: by output, row, channel and column.
void sort_weights(std::vector<Nonzero>* weights);

}  // namespace issp

#endif  // ISSP_SORT_H_
