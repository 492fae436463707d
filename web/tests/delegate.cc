// The delegate in WebAssembly, for tests: they bring a runtime of their own.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>

#include "runtime_check.h"

// The standard library ends the program where it would throw.
extern "C" {
void* __cxa_allocate_exception(size_t) { __builtin_trap(); }
void __cxa_free_exception(void*) { __builtin_trap(); }
void __cxa_throw(void*, void*, void*) { __builtin_trap(); }
void* __cxa_begin_catch(void*) { __builtin_trap(); }
void __cxa_end_catch() { __builtin_trap(); }
}

namespace issp {

// That of the tests is compiled with the structures that the delegate knows.
std::string check_runtime(tflite::Context*) { return ""; }

}  // namespace issp

// So are these structures those of 32 bits.
#undef __SIZEOF_POINTER__
#define __SIZEOF_POINTER__ 8
#include "plugin.cc"
