#include "testing.h"

int main(int count, char** arguments) {
  return issp::testing::run_tests(count, arguments);
}
