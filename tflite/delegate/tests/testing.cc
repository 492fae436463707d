#include "testing.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace issp::testing {
namespace {

constexpr int kMostFailures = 20;

struct Named {
  const char* name;
  void (*run)();
};

// Made at the first use, because tests are registered before `main`.
std::vector<Named>& tests() {
  static std::vector<Named> all;
  return all;
}

int failures = 0;

bool is_asked_for(const char* name, int count, char** arguments) {
  if (count < 2) return true;
  for (int i = 1; i < count; ++i) {
    if (std::strstr(name, arguments[i])) return true;
  }
  return false;
}

double now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(time).count();
}

}  // namespace

// The bytes of a fuzzer come first, and then SplitMix64.
uint64_t Random::bits() {
  if (begin_ < end_) {
    uint32_t taken = 0;
    const size_t left = std::min(size_t(end_ - begin_), sizeof(taken));
    std::memcpy(&taken, begin_, left);
    begin_ += left;
    return taken;
  }
  uint64_t x = state_ += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

double Random::uniform() { return double(bits() >> 11) / double(1LL << 53); }

double Random::number() {
  const double magnitude = 0.05 + 0.95 * uniform();
  return below(2) ? magnitude : -magnitude;
}

int cases(int count) {
  const char* scale = std::getenv("ISSP_TEST_SCALE");
  const double scaled = count * (scale ? std::atof(scale) : 1);
  return scaled < 1 ? 1 : int(scaled);
}

int run_tests(int count, char** arguments) {
  int done = 0;
  for (const Named& test : tests()) {
    if (!is_asked_for(test.name, count, arguments)) continue;
    const int before = failures;
    const double begin = now();
    test.run();
    ++done;
    std::printf("%-7s %6.2f s  %s\n", failures > before ? "FAILED" : "passed",
                now() - begin, test.name);
    std::fflush(stdout);
  }
  std::printf("%d tests, %d failures\n", done, failures);
  return failures || !done;
}

Test::Test(const char* name, void (*run)()) { tests().push_back({name, run}); }

Expectation::Expectation(bool holds, const char* file, int line,
                         const char* text)
    : holds_(holds) {
  if (!holds) message_ << file << ":" << line << ": not " << text << "\n    ";
}

Expectation::~Expectation() {
  if (holds_) return;
  std::fprintf(stderr, "%s\n", message_.str().c_str());
  if (++failures < kMostFailures) return;
  std::fprintf(stderr, "These are enough.\n");
  std::exit(1);
}

}  // namespace issp::testing
