// What concerns the process as a whole: the warning class, fork, and what was compiled.
#include <pybind11/pybind11.h>

#include "divergence_warning.hpp"
#include "loopcore/lane.hpp"
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

}  // namespace

void register_process(py::module_& module) {
  module.attr("DivergenceWarning") = py::reinterpret_borrow<py::object>(divergence_warning());
  module.def(
      "isa", &instruction_set,
      "isa()\n--\n\n"
      "The instruction set that the kernels were compiled for: \"baseline\", \"x86-64-v3\" or "
      "\"x86-64-v4\".");
  register_fork_handler(module);
}

}  // namespace loopcore::python
