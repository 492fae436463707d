#include "cost.h"

#include <vector>

namespace issp {
double sparsity(const Network& network) {
  double dense = 0, kept = 0;
  for (const Operation& of : network.operations) {
    dense += of.dense;
    if (of.dense > 0) kept += double(of.weights.size());
  }
  return dense > 0 ? 1 - kept / dense : 0;
}

// The unit is a multiply-add of a dense kernel. The numbers were measured on a
// CPU with AVX-512, where dense kernels have the largest advantage; they do
// not depend on the machine, so that the same parts are taken everywhere.
double speedup(const Network& network) {
  constexpr double kProduct = 1.5;   // A multiply-add of a sparse kernel.
  constexpr double kSum = 6;         // A sum that begins and ends.
  constexpr double kConversion = 40;  // A number in another layout.
  constexpr double kDenseValue = 8;  // A number that a dense operation makes.
  double dense = 0, sparse = 0;
  std::vector<double> areas(network.values.size(), 1);
  for (const Operation& of : network.operations) {
    if (of.has_tiles()) {
      const double area = areas[of.input] / of.stride.width / of.stride.height;
      const double outputs = double(of.bias.size());
      areas[of.output] = area * of.block * of.block;
      dense += area * (of.dense / of.dense_speed + kDenseValue * outputs *
                                      (1 + of.posts.size() + (of.block > 1)));
      sparse += area * (kProduct * of.weights.size() +
                        kSum * outputs * (1 + 0.5 * of.posts.size()));
      if (of.kind == Operation::kAcross) {
        // It is one that a dense runtime computes as well.
        dense += kAcrossCosts[of.across] * area * outputs;
        sparse += kAcrossCosts[of.across] * area * outputs;
      }
    } else if (of.kind == Operation::kMean) {
      const double work = areas[of.input] * network.values[of.input].channels;
      areas[of.output] = 1e-4 * areas[of.input];
      dense += kDenseValue * work;
      sparse += kSum * work;
    } else {
      const int value = of.kind == Operation::kInput ? of.output : of.input;
      sparse += kConversion * areas[value] * network.values[value].channels;
    }
  }
  return sparse > 0 ? dense / sparse : 0;
}

}  // namespace issp
