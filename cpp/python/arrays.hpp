// Arrays: NumPy's side of the border. Operands are read where they lie, whatever their type, stride,
// byte order or alignment, and broadcast over their leading axes; results are made or checked here.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <span>
#include <string>

#include "errors.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/types.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace loopcore::python {

/// A few sizes or strides, one an axis, without a heap allocation; NumPy has at most 64 axes.
class Axes {
 public:
  Axes() = default;
  explicit Axes(std::span<const py::ssize_t> values) {
    for (const py::ssize_t value : values) push_back(value);
  }

  void push_back(Index value) { values_[static_cast<std::size_t>(size_++)] = value; }
  void resize(Index size, Index value) {
    for (Index k = size_; k < size; ++k) values_[static_cast<std::size_t>(k)] = value;
    size_ = size;
  }
  Index size() const { return size_; }
  Index& operator[](Index k) { return values_[static_cast<std::size_t>(k)]; }
  Index operator[](Index k) const { return values_[static_cast<std::size_t>(k)]; }
  const Index* begin() const { return values_.data(); }
  const Index* end() const { return values_.data() + size_; }
  bool operator==(const Axes& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  Index size_ = 0;
  std::array<Index, 72> values_;  // not initialised: most calls use one or two
};

inline Axes shape_of(const py::array& array) {
  return Axes({array.shape(), static_cast<std::size_t>(array.ndim())});
}
inline Axes strides_of(const py::array& array) {
  return Axes({array.strides(), static_cast<std::size_t>(array.ndim())});
}

// ---- storage types -----------------------------------------------------------------------------

inline bool is_native(const py::dtype& type) {
  const char order = type.byteorder();
  constexpr char other = std::endian::native == std::endian::little ? '>' : '<';
  return order != other;
}

template <class S>
Load loader(bool native) {
  return native ? &loopcore::load<S, false> : &loopcore::load<S, true>;
}

/// Booleans, integers and floating-point numbers up to 64 bits; nullptr for everything else.
inline Load find_loader(const py::dtype& type) {
  const bool native = is_native(type);
  switch (type.kind()) {
    case 'f':
      switch (type.itemsize()) {
        case 2: return loader<Eigen::half>(native);
        case 4: return loader<float>(native);
        case 8: return loader<double>(native);
        default: return nullptr;
      }
    case 'i':
      switch (type.itemsize()) {
        case 1: return loader<std::int8_t>(native);
        case 2: return loader<std::int16_t>(native);
        case 4: return loader<std::int32_t>(native);
        case 8: return loader<std::int64_t>(native);
        default: return nullptr;
      }
    case 'b':
    case 'u':
      switch (type.itemsize()) {
        case 1: return loader<std::uint8_t>(native);
        case 2: return loader<std::uint16_t>(native);
        case 4: return loader<std::uint32_t>(native);
        case 8: return loader<std::uint64_t>(native);
        default: return nullptr;
      }
    default: return nullptr;
  }
}

inline bool is_float32(const py::dtype& type) { return type.kind() == 'f' && type.itemsize() == 4; }

/// Any array-like as an array; never a copy of an array.
inline py::array as_array(py::handle value, const char* name) {
  const bool is_array = py::isinstance<py::array>(value);
  if (is_array && Py_TYPE(value.ptr()) == py::detail::npy_api::get().PyArray_Type_) {
    return py::reinterpret_borrow<py::array>(value);
  }
  if (is_array && py::isinstance(value, py::module_::import("numpy.ma").attr("MaskedArray"))) {
    type_error(
        name, "expected an array without a mask, got MaskedArray; fill or drop the masked entries");
  }
  try {
    return py::module_::import("numpy").attr("asarray")(value);
  } catch (py::error_already_set& error) {
    const std::string reason = py::str(error.value());
    if (error.matches(PyExc_ValueError))
      value_error(name, "expected an array of numbers: ", reason);
    if (!error.matches(PyExc_TypeError) && !error.matches(PyExc_RuntimeError)) throw;
    type_error(name, "expected an array of numbers, got ", type_name(value), ": ", reason);
  }
}

// ---- operands ----------------------------------------------------------------------------------

/// An input of some core axes, the last ones, under any number of leading axes. With a null array it is
/// a Python number.
class Operand {
 public:
  Operand() = default;

  Operand(py::handle value, const char* name, Index core_axes) : name_(name) {
    if (core_axes == 0 && read_number(value)) return;
    array_ = as_array(value, name);
    load_ = find_loader(array_.dtype());
    if (load_ == nullptr) {
      type_error(name, "expected real numbers of at most 64 bits, got dtype ",
                 std::string(py::str(array_.dtype())));
    }
    float32_ = is_float32(array_.dtype());
    data_ = static_cast<const std::byte*>(array_.data());
    shape_ = shape_of(array_);
    strides_ = strides_of(array_);
    core_axes_ = std::min(core_axes, shape_.size());
  }

  explicit operator bool() const { return name_ != nullptr; }
  const char* name() const { return name_; }
  const py::array& array() const { return array_; }
  bool float32() const { return float32_; }
  Load load() const { return load_; }
  const Axes& shape() const { return shape_; }

  Index axes() const { return shape_.size(); }
  Index leading_axes() const { return shape_.size() - core_axes_; }
  Index core_size(Index k) const { return shape_[leading_axes() + k]; }
  Index core_stride(Index k) const { return strides_[leading_axes() + k]; }

  /// Strides over the axes of the batch: 0 where this operand is broadcast.
  void align_to(Index batch_axes) {
    const Index missing = batch_axes - leading_axes();
    for (Index k = 0; k < batch_axes; ++k) {
      const bool is_broadcast = k < missing || shape_[k - missing] == 1;
      batch_strides_.push_back(is_broadcast ? 0 : strides_[k - missing]);
    }
    const auto is_zero = [](Index stride) { return stride == 0; };
    if (core_axes_ == 0 && array_ && array_.size() > 0 &&
        std::all_of(batch_strides_.begin(), batch_strides_.end(), is_zero)) {
      load_(data_, 0, 1, &number_);
      is_one_number_ = true;
    }
  }

  /// Whether tasks that follow each other read the same data: the last axis of the batch is broadcast.
  bool is_shared() const {
    return batch_strides_.size() > 0 && batch_strides_[batch_strides_.size() - 1] == 0;
  }

  /// Where the data of the task at `index` begins.
  const std::byte* at(const Axes& index) const {
    const std::byte* data = data_;
    for (Index k = 0; k < index.size(); ++k) data += index[k] * batch_strides_[k];
    return data;
  }

  double number_at(const Axes& index) const {
    if (is_one_number_) return number_;
    double value;
    load_(at(index), 0, 1, &value);
    return value;
  }

  VectorView vector_at(const Axes& index) const { return {at(index), core_stride(0), load_}; }
  MatrixView matrix_at(const Axes& index) const {
    return {at(index), core_stride(0), core_stride(1), load_};
  }

 private:
  bool read_number(py::handle value) {
    if (!PyFloat_Check(value.ptr()) && !PyLong_Check(value.ptr())) return false;
    number_ = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      value_error(name_, "expected a number within the range of float64, got an integer beyond it");
    }
    load_ = &loopcore::load<double>;
    is_one_number_ = true;
    return true;
  }

  const char* name_ = nullptr;
  py::array array_ = py::reinterpret_steal<py::array>(py::handle());
  bool is_one_number_ = false;  // the same for all tasks
  double number_ = 0;
  const std::byte* data_ = nullptr;
  Load load_ = nullptr;
  bool float32_ = false;
  Index core_axes_ = 0;
  Axes shape_;
  Axes strides_;
  Axes batch_strides_;
};

// ---- the batch ---------------------------------------------------------------------------------

/// The broadcast of all leading axes.
class Batch {
 public:
  const Axes& shape() const { return shape_; }

  void include(const Operand& operand) {
    const Index axes = operand.leading_axes();
    if (axes > shape_.size()) {  // new axes come in front
      Axes wider;
      wider.resize(axes - shape_.size(), 1);
      for (const Index size : shape_) wider.push_back(size);
      shape_ = wider;
    }
    for (Index k = 0; k < axes; ++k) {
      const Index mine = shape_.size() - axes + k;
      const Index size = operand.shape()[k];
      if (size == shape_[mine] || size == 1) continue;
      if (shape_[mine] != 1) {
        value_error(operand.name(), "expected leading axes that broadcast with ", to_text(shape_),
                    ", got shape ", to_text(operand.shape()));
      }
      shape_[mine] = size;
    }
  }

  Index size() const {
    Index size = 1;
    for (const Index axis : shape_) size *= axis;
    return size;
  }

  /// The index of task number `task`, the last axis running fastest.
  void unravel(Index task, Axes& index) const {
    index.resize(shape_.size(), 0);
    for (Index k = shape_.size() - 1; k >= 0; --k) {
      index[k] = k == 0 ? task : task % shape_[k];
      task /= shape_[k];
    }
  }

 private:
  Axes shape_;
};

// ---- results -----------------------------------------------------------------------------------

/// Asks for large pages, as NumPy does for its own arrays: the first touch of 64 MiB took 28 ms by small ones
/// and 7 ms by large.
inline void advise_large_pages([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t bytes) {
#ifdef __linux__
  constexpr std::size_t page = 1 << 12;
  if (bytes < std::size_t{1} << 22) return;
  const std::size_t skip = (page - reinterpret_cast<std::uintptr_t>(memory) % page) % page;
  madvise(static_cast<std::byte*>(memory) + skip, (bytes - skip) / page * page, MADV_HUGEPAGE);
#endif
}

/// A new array whose data begins at a multiple of 64 bytes, as the widest registers and JAX like it.
inline py::array make_aligned(const Axes& shape, const py::dtype& type) {
  double bytes = static_cast<double>(type.itemsize());
  for (const Index size : shape) bytes *= static_cast<double>(size);
  if (bytes > 0x1p62) throw std::bad_alloc();
  const auto count = std::max<std::size_t>(static_cast<std::size_t>(bytes), 1);
  void* memory = allocate_aligned(count);
  advise_large_pages(memory, count);
  const py::capsule owner(memory, [](void* data) { AlignedDelete{}(data); });
  return py::array(type, std::vector<py::ssize_t>(shape.begin(), shape.end()), memory, owner);
}

/// True where two elements of the array may share memory.
inline bool overlaps_itself(const py::array& array) {
  std::vector<std::pair<Index, Index>> axes;  // (|stride|, size)
  for (py::ssize_t k = 0; k < array.ndim(); ++k) {
    if (array.shape(k) > 1) axes.emplace_back(std::abs(array.strides(k)), array.shape(k));
  }
  std::sort(axes.begin(), axes.end());
  Index extent = array.itemsize();
  for (const auto& [stride, size] : axes) {
    if (stride < extent) return true;
    extent += stride * (size - 1);
  }
  return false;
}

/// Where results go: a new array, or the caller's `out`, checked.
class Output {
 public:
  Output(py::handle out, const Axes& shape, Index batch_axes, bool float32)
      : float32_(float32), batch_axes_(batch_axes) {
    const py::dtype type = float32 ? py::dtype::of<float>() : py::dtype::of<double>();
    if (out.is_none()) {
      array_ = make_aligned(shape, type);
    } else {
      array_ = check(out, shape, type);
    }
    data_ = static_cast<std::byte*>(array_.mutable_data());
    strides_ = strides_of(array_);
  }

  /// ValueError if `out` shares memory with the operand.
  void refuse_overlap(const Operand& operand) const {
    if (!operand || !operand.array()) return;
    const py::object shares = py::module_::import("numpy").attr("shares_memory");
    if (shares(array_, operand.array()).cast<bool>()) {
      value_error("out", "expected memory of its own, got memory shared with ", operand.name());
    }
  }

  const py::array& array() const { return array_; }

  /// |v| below it is finite in the type of the result.
  double limit() const {
    return float32_ ? 0x1.ffffffp127 : std::numeric_limits<double>::infinity();
  }

  /// Where the results of the task at `index` begin.
  std::byte* at(const Axes& index) const {
    std::byte* to = data_;
    for (Index axis = 0; axis < batch_axes_; ++axis) to += index[axis] * strides_[axis];
    return to;
  }

  /// result[index, k] = value, with `to` = at(index)
  void put(std::byte* to, Index k, double value) const {
    write(to + k * strides_[batch_axes_], value);
  }

  /// result[index, :] or result[index, k, :] = the element t of `count` lanes, with `to` = at(index)
  void put_row(std::byte* to, Index k, const Lane* values, Index t, Index count) const {
    const Index stride = strides_[strides_.size() - 1];
    if (strides_.size() > batch_axes_ + 1) to += k * strides_[batch_axes_];
    if (!float32_ && stride == sizeof(double)) {
      for (Index i = 0; i < count; ++i, to += sizeof(double)) {
        const double value = values[i][t];
        std::memcpy(to, &value, sizeof value);
      }
      return;
    }
    for (Index i = 0; i < count; ++i) write(to + i * stride, values[i][t]);
  }

 private:
  static py::array check(py::handle out, const Axes& shape, const py::dtype& type) {
    if (!py::isinstance<py::array>(out))
      type_error("out", "expected an array, got ", type_name(out));
    auto array = as_array(out, "out");
    if (!array.dtype().is(type) && !array.dtype().equal(type)) {
      type_error("out", "expected dtype ", std::string(py::str(type)), ", got ",
                 std::string(py::str(array.dtype())));
    }
    if (!(shape_of(array) == shape)) {
      value_error("out", "expected shape ", to_text(shape), ", got ", to_text(shape_of(array)));
    }
    if (!array.writeable()) value_error("out", "expected a writable array, got a read-only one");
    if (overlaps_itself(array)) {
      value_error("out",
                  "expected elements with memory of their own, got an array that overlaps itself");
    }
    return array;
  }

  void write(std::byte* to, double value) const {
    const auto rounded = static_cast<float>(value);
    if (float32_) {
      std::memcpy(to, &rounded, sizeof rounded);
    } else {
      std::memcpy(to, &value, sizeof value);
    }
  }

  py::array array_;
  bool float32_;
  Index batch_axes_;
  std::byte* data_ = nullptr;
  Axes strides_;
};

}  // namespace loopcore::python
