// Buffer: the aligned doubles that workspaces are made of. Workspaces are allocated once per thread
// and passed in; the kernels themselves allocate nothing.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>

#include "loopcore/types.hpp"

namespace loopcore {

inline constexpr std::size_t alignment = 64;  // a cache line, and the widest register

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete(memory, std::align_val_t{alignment}); }
};

class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Index size) : size_(std::max<Index>(size, 1)) {
    if (size_ > std::numeric_limits<Index>::max() / static_cast<Index>(sizeof(double))) {
      throw std::bad_alloc();
    }
    const std::size_t bytes = static_cast<std::size_t>(size_) * sizeof(double);
    data_.reset(static_cast<double*>(::operator new(bytes, std::align_val_t{alignment})));
    std::fill_n(data_.get(), size_, 0.0);
  }

  double* data() { return data_.get(); }
  const double* data() const { return data_.get(); }
  Index size() const { return size_; }
  double& operator[](Index k) { return data_.get()[k]; }
  double operator[](Index k) const { return data_.get()[k]; }
  void fill(double value) { std::fill_n(data_.get(), size_, value); }

 private:
  Index size_ = 0;
  std::unique_ptr<double, AlignedDelete> data_;
};

}  // namespace loopcore
