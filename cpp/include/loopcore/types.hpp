// The index type, and views of one task as it lies in memory: nothing here owns or copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace loopcore {

using Index = std::int64_t;

/// Reads `count` elements, `stride` bytes apart, into doubles. One such function per storage type, so
/// that the kernels see only doubles and an array of any type, stride, byte order or alignment can be
/// read without a copy of the whole.
using Load = void (*)(const std::byte* source, Index stride, Index count, double* out);

template <class S, bool Swapped = false>
void load(const std::byte* source, Index stride, Index count, double* out) {
  const auto element = [source](Index offset) {
    std::byte bytes[sizeof(S)];
    std::memcpy(bytes, source + offset, sizeof(S));
    if constexpr (Swapped) {
      for (std::size_t b = 0; b < sizeof(S) / 2; ++b) {
        const std::byte low = bytes[b];
        bytes[b] = bytes[sizeof(S) - 1 - b];
        bytes[sizeof(S) - 1 - b] = low;
      }
    }
    S value;
    std::memcpy(&value, bytes, sizeof(S));
    return static_cast<double>(value);
  };
  constexpr Index packed = sizeof(S);
  if (stride == packed) {  // a loop of its own: with the stride known the compiler vectorises it
    for (Index i = 0; i < count; ++i) out[i] = element(i * packed);
  } else {
    for (Index i = 0; i < count; ++i) out[i] = element(i * stride);
  }
}

/// A strided vector of any storage type; strides are in bytes and may be zero or negative.
struct VectorView {
  const std::byte* data = nullptr;
  Index stride = 0;
  Load load = nullptr;

  void read(Index begin, Index count, double* out) const {
    load(data + begin * stride, stride, count, out);
  }

  /// True where it is `double[]` in place.
  bool is_native() const {
    return load == &loopcore::load<double> && stride == sizeof(double) &&
           reinterpret_cast<std::uintptr_t>(data) % alignof(double) == 0;
  }
};

/// A strided matrix of any storage type.
struct MatrixView {
  const std::byte* data = nullptr;
  Index row_stride = 0;
  Index column_stride = 0;
  Load load = nullptr;

  void read_row(Index row, Index columns, double* out) const {
    load(data + row * row_stride, column_stride, columns, out);
  }
  MatrixView transposed() const { return {data, column_stride, row_stride, load}; }
  bool operator==(const MatrixView&) const = default;

  /// True where a row is `double[d]` in place, so that no copy is needed to compute with it.
  bool has_native_rows() const {
    return load == &loopcore::load<double> && column_stride == sizeof(double) &&
           row_stride % static_cast<Index>(alignof(double)) == 0 &&
           reinterpret_cast<std::uintptr_t>(data) % alignof(double) == 0;
  }
};

/// `values` as a contiguous vector, or a contiguous matrix of so many columns.
template <class S>
VectorView vector_view(const S* values) {
  return {reinterpret_cast<const std::byte*>(values), sizeof(S), &load<S>};
}
template <class S>
MatrixView matrix_view(const S* values, Index columns) {
  constexpr auto size = static_cast<Index>(sizeof(S));
  return {reinterpret_cast<const std::byte*>(values), size * columns, size, &load<S>};
}

/// One prompt: the context (X, y), the value alpha to generate, and where the loop starts.
struct Task {
  Index n = 0;    // context rows
  Index d = 0;    // input dimension
  MatrixView X;   // (n, d)
  VectorView y;   // (n,)
  VectorView q0;  // (d,); data == nullptr means q(0) = 0
  double alpha = 0;
};

}  // namespace loopcore
