#include "flatbuffer.h"

namespace issp::engine {
namespace {

// The limit of bytes to read: `kTimes` times the size of the file, because
// vectors may share bytes, plus `kLeastBudget` for small files.
constexpr uint64_t kTimes = 4;
constexpr uint64_t kLeastBudget = 1 << 16;

constexpr int kFirstField = 4;  // Bytes of a list of fields before the first.

}  // namespace

Buffer::Buffer(Bytes bytes)
    : bytes_(bytes), budget_(kTimes * bytes.size + kLeastBudget) {}

bool Buffer::has(uint64_t place, uint64_t size) {
  if (place <= bytes_.size && size <= bytes_.size - place) return true;
  is_broken_ = true;
  return false;
}

bool Buffer::spend(uint64_t size) {
  if (size > budget_) is_broken_ = true;
  budget_ -= size > budget_ ? budget_ : size;
  return !is_broken_;
}

Table::Table(Buffer* buffer, uint64_t place) : buffer_(buffer), place_(place) {
  const int64_t fields =
      int64_t(place) - buffer->number<int32_t>(place);
  const bool is_inside = fields >= 0 && buffer->has(uint64_t(fields), 4);
  const int bytes = is_inside ? buffer->number<uint16_t>(fields) : 0;
  size_ = is_inside ? buffer->number<uint16_t>(fields + 2) : 0;
  if (!buffer->spend(sizeof(Table)) || bytes < kFirstField ||
      !buffer->has(uint64_t(fields), bytes) || !buffer->has(place, size_)) {
    buffer->fail();
    buffer_ = nullptr;
    return;
  }
  fields_ = uint64_t(fields) + kFirstField;
  field_count_ = (bytes - kFirstField) / 2;
}

Table Table::root(Buffer* buffer) {
  return {buffer, buffer->number<uint32_t>(0)};
}

// The place of a field of `size` bytes; 0 if the field is missing.
uint64_t Table::place_of(int field, size_t size) const {
  if (!buffer_ || field >= field_count_) return 0;
  const int offset = buffer_->number<uint16_t>(fields_ + 2 * field);
  if (!offset) return 0;
  if (offset + int(size) > size_) {
    buffer_->fail();
    return 0;
  }
  return place_ + offset;
}

// The place to which the offset at `place` points.
uint64_t Table::pointed(uint64_t place) const {
  return place + buffer_->number<uint32_t>(place);
}

Table Table::table(int field) const {
  const uint64_t place = place_of(field, sizeof(uint32_t));
  return place ? Table(buffer_, pointed(place)) : Table();
}

// The elements of a vector.
Bytes Table::vector(int field, size_t size, bool spends) const {
  const uint64_t place = place_of(field, sizeof(uint32_t));
  if (!place) return {};
  const uint64_t start = pointed(place);
  const uint64_t bytes = uint64_t{buffer_->number<uint32_t>(start)} * size;
  if (!buffer_->has(start, 4) || !buffer_->has(start + 4, bytes) ||
      (spends && !buffer_->spend(bytes))) {
    return {};
  }
  return {buffer_->bytes().data + start + 4, size_t(bytes)};
}

Bytes Table::bytes(int field) const { return vector(field, 1, false); }

std::string Table::text(int field) const {
  const Bytes all = vector(field, 1);
  return {reinterpret_cast<const char*>(all.data), all.size};
}

std::vector<Table> Table::tables(int field) const {
  const Bytes offsets = vector(field, sizeof(uint32_t));
  std::vector<Table> tables;
  for (size_t i = 0; i < offsets.size; i += sizeof(uint32_t)) {
    const uint64_t place = uint64_t(offsets.data - buffer_->bytes().data) + i;
    tables.emplace_back(buffer_, pointed(place));
    if (buffer_->is_broken()) return {};
  }
  return tables;
}

}  // namespace issp::engine
