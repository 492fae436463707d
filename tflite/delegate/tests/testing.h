// A small test framework. Each file of the folder has some tests.
//
//     TEST(name_of_what_is_promised) { EXPECT(1 + 1 == 2) << "a message"; }
//
// A program runs all its tests, or those whose names contain its arguments. The
// environment variable ISSP_TEST_SCALE multiplies the number of random cases,
// so that slow tools can run only a few of them.

#ifndef ISSP_TESTING_H_
#define ISSP_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace issp::testing {

// Random numbers that are the same on all machines, unlike those of <random>.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 2 + 1) {}
  // Uses these bytes first.
  Random(const uint8_t* begin, size_t size)
      : state_(1), begin_(begin), end_(begin + size) {}

  uint64_t bits();
  int below(int count) { return int(bits() % uint64_t(count)); }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool chance(double probability) { return uniform() < probability; }
  double uniform();               // 0 to 1.
  double number();                // -1 to 1, and never 0.

  template <class T>
  const T& of(const std::vector<T>& all) {
    return all[size_t(below(int(all.size())))];
  }

 private:
  uint64_t state_;
  const uint8_t* begin_ = nullptr;
  const uint8_t* end_ = nullptr;
};

// `count` times the environment's scale, and at least one.
int cases(int count);

// Runs the tests that the arguments name. Returns the exit status.
int run_tests(int count, char** arguments);

struct Test {
  Test(const char* name, void (*run)());
};

// Its destructor reports a failure if the expectation is not met.
class Expectation {
 public:
  Expectation(bool holds, const char* file, int line, const char* text);
  ~Expectation();

  template <class T>
  Expectation& operator<<(const T& what) {
    if (!holds_) message_ << what;
    return *this;
  }

 private:
  const bool holds_;
  std::ostringstream message_;
};

}  // namespace issp::testing

#define TEST(name)                                             \
  static void name();                                          \
  static const ::issp::testing::Test test_of_##name(#name, name); \
  static void name()

#define EXPECT(...)                                                       \
  ::issp::testing::Expectation(bool(__VA_ARGS__), __FILE__, __LINE__, \
                               #__VA_ARGS__)

#endif  // ISSP_TESTING_H_
