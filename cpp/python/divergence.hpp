// Divergence: which tasks of a call went from finite numbers to others, and the one warning that says so.
#pragma once

#include <algorithm>
#include <cmath>
#include <mutex>
#include <sstream>
#include <string>

#include "arrays.hpp"
#include "divergence_warning.hpp"

namespace loopcore::python {

/// Whether `count` entries are finite.
inline bool all_finite(const VectorView& values, Index count) {
  bool finite = true;
  for (Index k = 0; k < count && finite; ++k) {
    double value;
    values.read(k, 1, &value);
    finite = std::isfinite(value);
  }
  return finite;
}
inline bool all_finite(const MatrixView& values, Index rows, Index columns) {
  bool finite = true;
  for (Index i = 0; i < rows && finite; ++i) {
    finite = all_finite({values.data + i * values.row_stride, values.column_stride, values.load},
                        columns);
  }
  return finite;
}

/// The stacklevel of the first caller outside this package.
inline int outside_stacklevel() {
  int level = 1;
  py::object frame = py::module_::import("sys").attr("_getframe")();
  while (!frame.is_none()) {
    const std::string name = py::str(frame.attr("f_globals").attr("get")("__name__", ""));
    if (!name.starts_with("loopcore.")) break;
    frame = frame.attr("f_back");
    ++level;
  }
  return level;
}

class Divergence {
 public:
  /// From any thread.
  void add(Index task) {
    const std::lock_guard lock(mutex_);
    first_ = count_ == 0 ? task : std::min(first_, task);
    ++count_;
  }

  /// The DivergenceWarning, if there is anything to warn of; with the GIL.
  void warn(const Batch& batch, const char* advice) const {
    if (count_ == 0) return;
    Axes index;
    batch.unravel(first_, index);
    std::ostringstream text;
    text << count_ << " of " << batch.size() << " tasks diverged, the first at index "
         << to_text(index) << ": " << advice;
    if (PyErr_WarnEx(divergence_warning(), text.str().c_str(), outside_stacklevel()) != 0) {
      throw py::error_already_set();
    }
  }

 private:
  std::mutex mutex_;
  Index count_ = 0;
  Index first_ = 0;
};

}  // namespace loopcore::python
