// Runs a fuzzer without libFuzzer, on inputs that are the same on all machines.
//
//     fuzz_engine [INPUTS [SEED]]

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "fuzzing.h"

using issp::testing::Random;

namespace {

constexpr size_t kMostBytes = 1 << 16;
constexpr int kInputs = 20000;

Random mutations(0);

}  // namespace

extern "C" {
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most,
                               unsigned seed);
}

// Changes some bytes or words.
size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most) {
  const int changes = mutations.between(1, 4);
  for (int i = 0; i < changes && size > 0; ++i) {
    const size_t at = size_t(mutations.below(int(size)));
    switch (mutations.below(6)) {
      case 0:
        data[at] = uint8_t(mutations.bits());
        break;
      case 1:
        data[at] ^= uint8_t(1 << mutations.below(8));
        break;
      case 2:
        data[at] = uint8_t(data[at] + mutations.of<int>({-4, -1, 1, 4}));
        break;
      case 3: {
        const int number = mutations.of<int>(
            {0, 1, 2, -1, 127, 255, 65535, 1 << 24, 1 << 30, -(1 << 30)});
        const size_t word = at / sizeof(number) * sizeof(number);
        if (word + sizeof(number) > size) break;
        std::memcpy(data + word, &number, sizeof(number));
        break;
      }
      case 4:
        if (mutations.below(8) == 0) size = at + 1;
        break;
      case 5: {
        const size_t more = size_t(mutations.between(1, 16));
        if (mutations.below(8) || size + more > most) break;
        std::memmove(data + at + more, data + at, size - at);
        size += more;
      }
    }
  }
  return size;
}

int main(int count, char** arguments) {
  const int inputs = issp::testing::cases(
      count > 1 ? std::atoi(arguments[1]) : kInputs);
  const unsigned seed = count > 2 ? unsigned(std::atoi(arguments[2])) : 0;
  mutations = Random(seed);
  for (int i = 0; i < inputs; ++i) {
    std::vector<uint8_t> data(kMostBytes);
    const unsigned number = seed + unsigned(i);
    // Two thirds of the inputs are changed after they are made.
    size_t size = LLVMFuzzerCustomMutator(data.data(), 0, kMostBytes, number);
    if (i % 3) size = LLVMFuzzerMutate(data.data(), size, kMostBytes);
    // Without bytes behind it, so that sanitizers find reads there.
    const std::vector<uint8_t> input(data.begin(), data.begin() + long(size));
    LLVMFuzzerTestOneInput(input.data(), input.size());
  }
  std::printf("%d inputs\n", inputs);
  return 0;
}
