// Signatures: how arguments reach the functions that small tasks are timed by. pybind11's own call takes
// half a microsecond to look up a dozen keywords; here names are compared as the pointers they are.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "errors.hpp"

namespace loopcore::python {

struct Parameter {
  const char* name;
  PyObject* default_value = nullptr;  // null: required, and may be positional
};

/// A function of N parameters, the required ones first, all others by keyword alone.
template <std::size_t N>
class Signature {
 public:
  Signature(const char* function, const std::array<Parameter, N>& parameters)
      : function_(function), parameters_(parameters) {
    for (std::size_t k = 0; k < N; ++k) {
      names_[k] = PyUnicode_InternFromString(parameters[k].name);
      if (names_[k] == nullptr) throw py::error_already_set();
      if (parameters[k].default_value == nullptr) required_ = k + 1;
    }
  }

  /// The arguments in the order of the parameters; TypeError in Python's own words where they do not fit.
  std::array<py::handle, N> read(PyObject* const* given, std::size_t count, PyObject* names) const {
    std::array<py::handle, N> arguments{};
    if (count > required_) {
      fail(" takes ", required_, " positional arguments but ", count, " were given");
    }
    for (std::size_t k = 0; k < count; ++k) arguments[k] = given[k];
    const Py_ssize_t keywords = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
    for (Py_ssize_t k = 0; k < keywords; ++k) {
      PyObject* name = PyTuple_GET_ITEM(names, k);
      py::handle& argument = arguments[find(name)];
      if (argument) fail(" got multiple values for argument '", text(name), "'");
      argument = given[count + static_cast<std::size_t>(k)];
    }
    for (std::size_t k = 0; k < N; ++k) {
      if (arguments[k]) continue;
      if (k < required_) fail(" missing required argument '", parameters_[k].name, "'");
      arguments[k] = parameters_[k].default_value;
    }
    return arguments;
  }

 private:
  std::size_t find(PyObject* name) const {
    for (std::size_t k = 0; k < N; ++k) {
      if (names_[k] == name) return k;
    }
    for (std::size_t k = 0; k < N; ++k) {  // a name that was made at run time
      if (PyUnicode_Compare(names_[k], name) == 0) return k;
    }
    fail(" got an unexpected keyword argument '", text(name), "'");
  }

  static std::string text(py::handle name) { return py::str(name); }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    std::ostringstream message;
    message << function_ << "()";
    (message << ... << parts);
    throw py::type_error(message.str());
  }

  const char* function_;
  std::array<Parameter, N> parameters_;
  std::array<PyObject*, N> names_{};
  std::size_t required_ = 0;
};

/// Runs `function`, and turns what it throws into Python's error.
template <class Function>
PyObject* guarded(Function&& function) {
  try {
    return function().release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

/// Adds function(arguments) to the module. The text begins with the signature, as inspect.signature
/// reads it, and must live as long as the process.
inline void define(py::module_& module, PyMethodDef& method) {
  const py::object name = module.attr("__name__");
  PyObject* function = PyCFunction_NewEx(&method, module.ptr(), name.ptr());
  if (function == nullptr) throw py::error_already_set();
  module.attr(method.ml_name) = py::reinterpret_steal<py::object>(function);
}

}  // namespace loopcore::python
