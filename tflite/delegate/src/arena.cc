#include "arena.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace issp {
namespace {

// The alignment of vectors, and the size of a huge page.
constexpr size_t kLine = 64;
constexpr size_t kHugePage = 2 << 20;

}  // namespace

Arena::~Arena() { release(); }

bool Arena::add(size_t bytes) {
  if (bytes > bytes_) {
    const size_t alignment = bytes < kHugePage ? kLine : kHugePage;
    if (bytes > SIZE_MAX - alignment) return false;
    const size_t whole = (bytes + alignment) / alignment * alignment;
    // Android only has std::aligned_alloc since API 28.
    void* data = nullptr;
    // If this fails, other users keep their memory.
    if (posix_memalign(&data, alignment, whole)) return false;
    release();
    data_ = static_cast<char*>(data);
    bytes_ = whole;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == kHugePage) madvise(data_, whole, MADV_HUGEPAGE);
#endif
    // Tiles are timed with this memory, and denormal numbers would slow them.
    // The system fills large memory with zeros.
    if (alignment == kLine) std::memset(data_, 0, whole);
  }
  users_.insert(bytes);
  return true;
}

void Arena::remove(size_t bytes) {
  users_.erase(users_.find(bytes));
  if (users_.empty()) release();
}

void Arena::release() {
  std::free(data_);
  data_ = nullptr;
  bytes_ = 0;
}

Reservation::~Reservation() {
  if (!arena_) return;
  const Lock lock(arena_->mutex());
  arena_->remove(bytes_);
}

bool Reservation::make(Arena* arena, size_t bytes) {
  if (!arena->add(bytes)) return false;
  arena_ = arena;
  bytes_ = bytes;
  return true;
}

}  // namespace issp
