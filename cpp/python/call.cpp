#include "call.hpp"

#include <vector>

#include "divergence_warning.hpp"

namespace loopcore::python {

/// Whether everything that went into a task is finite. Asked only of tasks whose result is not.
bool Call::is_finite(const Task& task, const StepInput& input) const {
  const auto all_finite = [](const VectorView& values, Index count) {
    bool finite = true;
    for (Index k = 0; k < count && finite; ++k) {
      double value;
      values.read(k, 1, &value);
      finite = std::isfinite(value);
    }
    return finite;
  };
  bool finite = std::isfinite(task.alpha) && std::isfinite(input.eta) && all_finite(task.y, task.n);
  if (task.q0.data != nullptr) finite = finite && all_finite(task.q0, task.d);
  if (input.schedule.data != nullptr) finite = finite && all_finite(input.schedule, problem.T);
  for (Index i = 0; i < task.n && finite; ++i) {
    finite = all_finite({task.X.data + i * task.X.row_stride, task.X.column_stride, task.X.load},
                        task.d);
  }
  return finite;
}

void Call::warn(Index diverged, Index first) const {
  Axes index;
  batch.unravel(first, index);
  std::ostringstream text;
  text << diverged << " of " << batch.size() << " tasks diverged, the first at index "
       << to_text(index)
       << (problem.kind == StepKind::given || problem.kind == StepKind::schedule
               ? ": use a smaller step size (eta=None is always stable)"
               : ": the numbers leave the range of the result's type");
  if (PyErr_WarnEx(divergence_warning(), text.str().c_str(), 1) != 0) throw py::error_already_set();
}

}  // namespace loopcore::python
