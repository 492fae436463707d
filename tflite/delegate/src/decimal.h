// Numbers as texts that do not depend on the process's locale.

#ifndef ISSP_DECIMAL_H_
#define ISSP_DECIMAL_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace issp {

// A number with so many digits after a point, at most 6.
inline std::string decimal(double number, int digits = 6) {
  int64_t ones = 1;
  for (int i = 0; i < digits; ++i) ones *= 10;
  // What is too large, or no number, is as large as there is room for.
  constexpr double kMost = 9e12;
  const double size = std::abs(number) < kMost ? std::abs(number) : kMost;
  const int64_t all = std::llround(size * double(ones));
  std::string text = number < 0 && all ? "-" : "";
  text += std::to_string(all / ones);
  if (!digits) return text;
  const std::string rest = std::to_string(all % ones);
  return text + "." + std::string(size_t(digits) - rest.size(), '0') + rest;
}

}  // namespace issp

#endif  // ISSP_DECIMAL_H_
