// Memory for the images of running plans. Plans that run one after the other
// share it.

#ifndef ISSP_ARENA_H_
#define ISSP_ARENA_H_

#include <cstddef>
#include <set>

#include "mutex.h"

namespace issp {

class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Hold this while using the memory and while calling the functions below.
  Mutex& mutex() { return mutex_; }

  // Adds a user of `bytes` bytes. The contents are lost. Returns false if
  // memory is missing.
  bool add(size_t bytes);

  // Removes a user. Frees the memory after the last one.
  void remove(size_t bytes);

  char* data() const { return data_; }

 private:
  void release();

  Mutex mutex_;
  std::multiset<size_t> users_;
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

// A user of an arena, which the destructor removes.
class Reservation {
 public:
  Reservation() = default;
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // Call this once, and hold the arena's mutex. Returns false if memory is
  // missing.
  bool make(Arena* arena, size_t bytes);

 private:
  Arena* arena_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace issp

#endif  // ISSP_ARENA_H_
