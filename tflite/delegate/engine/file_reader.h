// Reads the graph of a `.tflite` file.

#ifndef ISSP_FILE_READER_H_
#define ISSP_FILE_READER_H_

#include <string>

#include "flatbuffer.h"
#include "graph_copy.h"

namespace issp::engine {

// Reads the main graph. The bytes must outlive `graph`, which is empty before.
// Returns what is wrong with them, or nothing.
std::string read_file(Bytes file, GraphCopy* graph);

}  // namespace issp::engine

#endif  // ISSP_FILE_READER_H_
