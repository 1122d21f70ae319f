// What concerns the process as a whole: the warning class, fork, and what was compiled.
#include <pybind11/pybind11.h>

#include <Eigen/Core>
#include <sstream>
#include <string>

#include "divergence_warning.hpp"
#include "loopcore/batch.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/plan.hpp"
#include "options.hpp"
#include "registers.hpp"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace loopcore::python {

namespace py = pybind11;

PyObject* divergence_warning() {
  static PyObject* type = PyErr_NewExceptionWithDoc(
      "loopcore.DivergenceWarning",
      "Finite input gave a result that is not: the step size is too large for some task.",
      PyExc_RuntimeWarning, nullptr);
  return type;
}

namespace {

/// A child that is forked while libgomp keeps its threads hangs in its next parallel region: the threads
/// did not come along. Ended before the fork, they are started again when next needed, on both sides.
void register_fork_handler(const py::module_& module) {
#if defined(_OPENMP) && !defined(_WIN32)
  const py::cpp_function pause([] { omp_pause_resource_all(omp_pause_hard); });
  py::module_::import("os").attr("register_at_fork")(py::arg("before") = pause);
#endif
  static_cast<void>(module);
}

const char* instruction_set() {
#if defined(__AVX512F__)
  return "x86-64-v4";
#elif defined(__AVX2__)
  return "x86-64-v3";
#else
  return "baseline";
#endif
}

/// What was compiled in, and what this process has.
py::dict configuration() {
  py::dict found;
  found["isa"] = instruction_set();
  found["lanes"] = lane_width;
  found["threads"] = default_threads();
#ifdef _OPENMP
  found["openmp"] = _OPENMP;
#else
  found["openmp"] = py::none();
#endif
  std::ostringstream eigen;
  eigen << EIGEN_WORLD_VERSION << '.' << EIGEN_MAJOR_VERSION << '.' << EIGEN_MINOR_VERSION;
  found["eigen"] = eigen.str();
#if defined(__clang__)
  found["compiler"] = "Clang " __clang_version__;
#elif defined(__GNUC__)
  found["compiler"] = "GCC " __VERSION__;
#else
  found["compiler"] = "unknown";
#endif
  return found;
}

/// The name of the path that `path="auto"` takes.
const char* planned_path(Index n, Index d, Index T, py::handle steps, bool only_end) {
  const auto kind = read_word<StepKind>(steps, "steps",
                                        {{"given", StepKind::given},
                                         {"schedule", StepKind::schedule},
                                         {"lambda_max", StepKind::lambda_max},
                                         {"optimal", StepKind::optimal},
                                         {"chebyshev", StepKind::chebyshev}});
  switch (choose_path(Path::automatic, n, d, T, kind, only_end)) {
    case Path::stream: return "stream";
    case Path::power: return "power";
    case Path::tridiagonal: return "tridiagonal";
    default: return "gram";
  }
}

}  // namespace

void register_process(py::module_& module) {
  module.attr("DivergenceWarning") = py::reinterpret_borrow<py::object>(divergence_warning());
  module.def(
      "isa", &instruction_set,
      "isa()\n--\n\n"
      "The instruction set that the kernels were compiled for: \"baseline\", \"x86-64-v3\" or "
      "\"x86-64-v4\".");
  module.def("configuration", &configuration,
             "configuration()\n--\n\nWhat loopcore.show_config prints, as a dictionary.");
  module.def("planned_path", &planned_path,
             "planned_path(n, d, T, steps, only_end)\n--\n\n"
             "The path that path=\"auto\" takes for steps \"given\", \"schedule\", \"lambda_max\", "
             "\"optimal\" or \"chebyshev\"; only_end where v(T) alone is read out.",
             py::arg("n"), py::arg("d"), py::arg("T"), py::arg("steps"), py::arg("only_end"));
  register_fork_handler(module);
}

}  // namespace loopcore::python
