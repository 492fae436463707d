// Reads a flatbuffer without trusting it. It never reads outside of the bytes,
// and notes broken data.

#ifndef ISSP_FLATBUFFER_H_
#define ISSP_FLATBUFFER_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace issp::engine {

// Bytes that someone else owns.
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

  // Whether there are so many bytes from `place` on; else the file is broken.
  bool has(uint64_t place, uint64_t size);

  // Notes that so many bytes are read. Whoever lets many tables have the same
  // bytes must not make a reader work for ever.
  bool spend(uint64_t size);

  // A number in little endian; 0 outside the file.
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

// A table: fields by number, of which any can be missing.
class Table {
 public:
  // One without fields.
  Table() = default;
  // The one that is in a file from `place` on.
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
  // The numbers of a vector, one byte each.
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
  uint64_t fields_ = 0;  // Where it is written where the fields are.
  int field_count_ = 0;
  int size_ = 0;
};

}  // namespace issp::engine

#endif  // ISSP_FLATBUFFER_H_
