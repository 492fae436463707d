// Numbers as texts that do not depend on the process's locale.

#ifndef ISSP_DECIMAL_H_
#define ISSP_DECIMAL_H_

#include <locale>
#include <sstream>
#include <string>

namespace issp {

// A number with so many digits after a point.
inline std::string decimal(double number, int digits = 6) {
  std::ostringstream stream;
  stream.imbue(std::locale::classic());
  stream.precision(digits);
  stream << std::fixed << number;
  return stream.str();
}

}  // namespace issp

#endif  // ISSP_DECIMAL_H_
