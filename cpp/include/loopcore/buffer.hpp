// Array, and Buffer: the aligned numbers that workspaces are made of. Workspaces are allocated once per thread
// and passed in; the kernels themselves allocate nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <new>

#include "loopcore/types.hpp"

namespace loopcore {

inline constexpr std::size_t alignment = 64;  // a cache line, and the widest register

/// Memory that begins at a multiple of `alignment`. By hand, with what was allocated noted in front: glibc's
/// aligned allocation splits chunks each time, which took half of a small call.
inline void* allocate_aligned(std::size_t bytes) {
  constexpr std::size_t room = alignment + sizeof(void*);
  auto* const whole = static_cast<std::byte*>(::operator new(bytes + room));
  void* aligned = whole + sizeof(void*);
  std::size_t space = bytes + alignment;
  std::align(alignment, bytes, aligned, space);
  std::memcpy(static_cast<std::byte*>(aligned) - sizeof(void*), &whole, sizeof whole);
  return aligned;
}

struct AlignedDelete {
  void operator()(void* aligned) const {
    void* whole;
    std::memcpy(&whole, static_cast<std::byte*>(aligned) - sizeof(void*), sizeof whole);
    ::operator delete(whole);
  }
};

/// Base of classes with lanes among their members, which `new` would ask glibc to align.
struct Aligned {
  static void* operator new(std::size_t bytes) { return allocate_aligned(bytes); }
  static void operator delete(void* memory) { AlignedDelete{}(memory); }
};

/// `size` values, zeros at first; aligned for any of them.
template <class Value>
class Array {
 public:
  Array() = default;
  explicit Array(Index size) : size_(size) {
    if (size == 0) return;
    if (size < 0 || size > std::numeric_limits<Index>::max() / 2 / Index{sizeof(Value)}) {
      throw std::bad_alloc();
    }
    const std::size_t bytes = static_cast<std::size_t>(size_) * sizeof(Value);
    data_.reset(static_cast<Value*>(allocate_aligned(bytes)));
    std::fill_n(data_.get(), size_, Value{});
  }

  Value* data() { return data_.get(); }
  const Value* data() const { return data_.get(); }
  Index size() const { return size_; }
  Value& operator[](Index k) { return data_.get()[k]; }
  const Value& operator[](Index k) const { return data_.get()[k]; }
  void fill(Value value) { std::fill_n(data_.get(), size_, value); }

 private:
  Index size_ = 0;
  std::unique_ptr<Value, AlignedDelete> data_;
};

using Buffer = Array<double>;

}  // namespace loopcore
