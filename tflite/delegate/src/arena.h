// Memory for images in work, which plans that run one after the other share.

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

  // To be held by who uses the memory, and around the following.
  Mutex& mutex() { return mutex_; }

  // Makes room for one more user of so many bytes; what is there is lost.
  // Returns whether there is memory.
  bool add(size_t bytes);

  // Takes a user away, and gives the memory back with the last.
  void remove(size_t bytes);

  char* data() const { return data_; }

 private:
  void release();

  Mutex mutex_;
  std::multiset<size_t> users_;
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

// Memory of an arena, given back at the end.
class Reservation {
 public:
  Reservation() = default;
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  // To be called once, while the arena's mutex is held. Returns whether there
  // is memory.
  bool make(Arena* arena, size_t bytes);

 private:
  Arena* arena_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace issp

#endif  // ISSP_ARENA_H_
