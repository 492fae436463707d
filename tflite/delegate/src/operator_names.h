// The names of TFLite's operators.

#ifndef ISSP_OPERATOR_NAMES_H_
#define ISSP_OPERATOR_NAMES_H_

#include <string>

namespace issp {

// The name of an operator in TFLite's files.
std::string name_of_operator(int code);

}  // namespace issp

#endif  // ISSP_OPERATOR_NAMES_H_
