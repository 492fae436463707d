// Reads the graph of a `.tflite` file.

#ifndef ISSP_FILE_READER_H_
#define ISSP_FILE_READER_H_

#include <string>

#include "flatbuffer.h"
#include "graph_copy.h"

namespace issp::engine {

// Reads the main graph. `graph` must be empty, and the bytes must outlive it.
// Returns the error, or an empty string.
std::string read_file(Bytes file, GraphCopy* graph);

}  // namespace issp::engine

#endif  // ISSP_FILE_READER_H_
