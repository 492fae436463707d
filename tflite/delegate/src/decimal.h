// Formats numbers as text. The result does not depend on the locale.

#ifndef ISSP_DECIMAL_H_
#define ISSP_DECIMAL_H_

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace issp {

// Formats a number with `digits` digits after the point, at most 6.
inline std::string decimal(double number, int digits = 6) {
  int64_t ones = 1;
  for (int i = 0; i < digits; ++i) ones *= 10;
  // Larger numbers and NaN become this number.
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
