// Reads a flatbuffer without trusting it. It never reads outside of the bytes,
// and it records broken data.

#ifndef ISSP_FLATBUFFER_H_
#define ISSP_FLATBUFFER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace issp::engine {

// Bytes that the caller owns.
struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

// The bytes of a file, and whether anything in them is broken.
class Buffer {
 public:
  explicit Buffer(Bytes bytes);

  bool is_broken() const { return is_broken_; }
  Bytes bytes() const { return bytes_; }

  // Whether `size` bytes follow from `place` on. If not, marks the file as
  // broken.
  bool has(uint64_t place, uint64_t size);

  // Counts `size` bytes as read. A limit on the total bounds the time for files
  // in which many tables share the same bytes.
  bool spend(uint64_t size);

  // A little-endian number; 0 outside of the file.
  template <class Number>
  Number number(uint64_t place) {
    Number number{};
    if (has(place, sizeof(number))) {
      std::memcpy(&number, bytes_.data + place, sizeof(number));
    }
    return number;
  }

  void fail() { is_broken_ = true; }

 private:
  Bytes bytes_;
  uint64_t budget_;
  bool is_broken_ = false;
};

// A table: numbered fields. Any field may be missing.
class Table {
 public:
  // A table without fields.
  Table() = default;
  // The table at `place` in the file.
  Table(Buffer* buffer, uint64_t place);
  static Table root(Buffer* buffer);

  bool exists() const { return buffer_ != nullptr; }

  template <class Number>
  Number number(int field, Number otherwise = {}) const {
    const uint64_t place = place_of(field, sizeof(Number));
    return place ? buffer_->number<Number>(place) : otherwise;
  }

  Table table(int field) const;
  std::vector<Table> tables(int field) const;
  std::string text(int field) const;
  // A vector of bytes.
  Bytes bytes(int field) const;

  template <class Number>
  std::vector<Number> numbers(int field) const {
    const Bytes all = vector(field, sizeof(Number));
    std::vector<Number> numbers(all.size / sizeof(Number));
    if (!numbers.empty()) std::memcpy(numbers.data(), all.data, all.size);
    return numbers;
  }

 private:
  uint64_t place_of(int field, size_t size) const;
  uint64_t pointed(uint64_t place) const;
  Bytes vector(int field, size_t size, bool spends = true) const;

  Buffer* buffer_ = nullptr;
  uint64_t place_ = 0;
  uint64_t fields_ = 0;  // Place of the list of field offsets.
  int field_count_ = 0;
  int size_ = 0;
};

}  // namespace issp::engine

#endif  // ISSP_FLATBUFFER_H_
