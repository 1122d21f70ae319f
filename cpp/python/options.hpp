// Options: Python numbers and words read as what they must be.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "errors.hpp"

namespace loopcore::python {

/// operator.index(value), at least `least`.
inline Index read_index(py::handle value, const char* name, Index least) {
  const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!number) {
    if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw py::error_already_set();
    PyErr_Clear();
    type_error(name, "expected an integer, got ", type_name(value));
  }
  int overflow = 0;
  const long long result = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
  constexpr long long most = 1LL << 62;
  if (overflow > 0 || result >= most) value_error(name, "expected less than 2**62, got more");
  if (overflow < 0 || result < least) {
    value_error(name, "expected at least ", least, ", got ", std::string(py::str(number)));
  }
  return result;
}

inline bool read_bool(py::handle value, const char* name) {
  if (!PyBool_Check(value.ptr()))
    type_error(name, "expected True or False, got ", type_name(value));
  return value.ptr() == Py_True;
}

/// One of a few words, as the value that stands beside it.
template <class Value>
Value read_word(py::handle value, const char* name,
                std::initializer_list<std::pair<const char*, Value>> words) {
  const bool is_text = PyUnicode_Check(value.ptr());
  for (const auto& [word, meaning] : words) {
    if (is_text && PyUnicode_CompareWithASCIIString(value.ptr(), word) == 0) return meaning;
  }
  std::string expected;
  for (const auto& [word, meaning] : words) {
    expected += (expected.empty() ? "'" : ", '") + std::string(word) + "'";
  }
  if (!is_text) type_error(name, "expected one of ", expected, ", got ", type_name(value));
  value_error(name, "expected one of ", expected, ", got ", std::string(py::repr(value)));
}

}  // namespace loopcore::python
