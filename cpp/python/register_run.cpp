// run, trajectory and errors: the same loops, read out in three ways.
#include <array>
#include <memory>
#include <vector>

#include "call.hpp"
#include "docs.hpp"
#include "readouts.hpp"
#include "registers.hpp"
#include "signature.hpp"

namespace loopcore::python {

namespace {

Output make_output(const Call& call, py::handle out, std::initializer_list<Index> core) {
  Axes shape = call.batch.shape();
  const Index batch_axes = shape.size();
  for (const Index size : core) shape.push_back(size);
  Output output(out, shape, batch_axes, call.float32);
  if (!out.is_none()) call.refuse_overlap(output);
  return output;
}

py::array run(py::handle X, py::handle y, py::handle alpha, py::handle T, py::handle eta,
              py::handle schedule, py::handle q0, py::handle scale, py::handle path,
              py::handle num_threads, py::handle out) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, path, num_threads});
  call.problem.at = {call.problem.T};
  call.broadcast();
  const Index d = call.problem.d;
  const Output output = make_output(call, out, {d});
  call.execute([&](Unit& unit) { return std::make_unique<Vectors>(output, call.batch, unit, d); });
  return output.array();
}

py::array trajectory(py::handle X, py::handle y, py::handle alpha, py::handle T, py::handle at,
                     py::handle eta, py::handle schedule, py::handle q0, py::handle scale,
                     py::handle path, py::handle num_threads, py::handle out) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, path, num_threads});
  call.problem.at = read_at(at, call.problem.T);
  call.broadcast();
  const Index d = call.problem.d;
  const Output output = make_output(call, out, {static_cast<Index>(call.problem.at.size()), d});
  call.execute([&](Unit& unit) { return std::make_unique<Vectors>(output, call.batch, unit, d); });
  return output.array();
}

py::array errors(py::handle X, py::handle y, py::handle alpha, py::handle T, py::handle given_theta,
                 py::handle given_relative, py::handle at, py::handle eta, py::handle schedule,
                 py::handle q0, py::handle scale, py::handle path, py::handle num_threads,
                 py::handle out) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, path, num_threads});
  call.problem.at = read_at(at, call.problem.T);
  const bool relative = read_bool(given_relative, "relative");
  Operand theta;
  if (!given_theta.is_none()) theta = call.read_vector(given_theta, "theta");
  call.broadcast(&theta);
  const Index d = call.problem.d;
  const Output output = make_output(call, out, {static_cast<Index>(call.problem.at.size())});
  if (!out.is_none()) output.refuse_overlap(theta);
  call.execute([&](Unit& unit) {
    return std::make_unique<Errors>(output, call.batch, unit, call.problem, theta, relative);
  });
  return output.array();
}

template <class... Handles, std::size_t N, std::size_t... K>
py::array apply(py::array (*function)(Handles...), const std::array<py::handle, N>& arguments,
                std::index_sequence<K...>) {
  static_assert(sizeof...(Handles) == N);
  return function(arguments[K]...);
}

PyObject* default_word(const char* word) { return PyUnicode_InternFromString(word); }

PyObject* call_run(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* names) {
  return guarded([&] {
    static const Signature<11> signature("run", {{{"X"},
                                                  {"y"},
                                                  {"alpha"},
                                                  {"T"},
                                                  {"eta", Py_None},
                                                  {"schedule", Py_None},
                                                  {"q0", Py_None},
                                                  {"scale", default_word("sum")},
                                                  {"path", default_word("auto")},
                                                  {"num_threads", Py_None},
                                                  {"out", Py_None}}});
    return apply(&run, signature.read(given, static_cast<std::size_t>(count), names),
                 std::make_index_sequence<11>());
  });
}

PyObject* call_trajectory(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* names) {
  return guarded([&] {
    static const Signature<12> signature("trajectory", {{{"X"},
                                                         {"y"},
                                                         {"alpha"},
                                                         {"T"},
                                                         {"at", Py_None},
                                                         {"eta", Py_None},
                                                         {"schedule", Py_None},
                                                         {"q0", Py_None},
                                                         {"scale", default_word("sum")},
                                                         {"path", default_word("auto")},
                                                         {"num_threads", Py_None},
                                                         {"out", Py_None}}});
    return apply(&trajectory, signature.read(given, static_cast<std::size_t>(count), names),
                 std::make_index_sequence<12>());
  });
}

PyObject* call_errors(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* names) {
  return guarded([&] {
    static const Signature<14> signature("errors", {{{"X"},
                                                     {"y"},
                                                     {"alpha"},
                                                     {"T"},
                                                     {"theta", Py_None},
                                                     {"relative", Py_False},
                                                     {"at", Py_None},
                                                     {"eta", Py_None},
                                                     {"schedule", Py_None},
                                                     {"q0", Py_None},
                                                     {"scale", default_word("sum")},
                                                     {"path", default_word("auto")},
                                                     {"num_threads", Py_None},
                                                     {"out", Py_None}}});
    return apply(&errors, signature.read(given, static_cast<std::size_t>(count), names),
                 std::make_index_sequence<14>());
  });
}

template <class Function>
void add(py::module_& module, const char* name, Function function, const std::string& text,
         PyMethodDef& method) {
  method = {name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)),
            METH_FASTCALL | METH_KEYWORDS, text.c_str()};
  define(module, method);
}

}  // namespace

void register_run(py::module_& module) {
  static const std::string texts[] = {run_doc(), trajectory_doc(), errors_doc()};
  static PyMethodDef methods[3];
  add(module, "run", &call_run, texts[0], methods[0]);
  add(module, "trajectory", &call_trajectory, texts[1], methods[1]);
  add(module, "errors", &call_errors, texts[2], methods[2]);
}

}  // namespace loopcore::python
