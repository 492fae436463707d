// What the standard library calls where it finds an error. Its own function
// would print a text, and bring `printf` with it.

#include <__verbose_abort>

void std::__libcpp_verbose_abort(const char*, ...) noexcept {
  __builtin_trap();
}
