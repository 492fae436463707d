// Writes the graph of a model as the bytes of a `.tflite` file.

#ifndef ISSP_FILE_WRITER_H_
#define ISSP_FILE_WRITER_H_

#include <cstdint>
#include <vector>

#include "fake_runtime.h"

namespace issp::testing {

struct FileForm {
  // Constants follow the flatbuffer, like in files of more than 2 GB.
  bool data_follows = false;
  int graphs = 1;  // How often the file has the graph.
};

// Uses the tensors and nodes of an interpreter, which tests may have changed.
std::vector<uint8_t> write_file(const Model& model, Interpreter* interpreter,
                                const FileForm& form = {});

std::vector<uint8_t> write_file(const Model& model);

}  // namespace issp::testing

#endif  // ISSP_FILE_WRITER_H_
