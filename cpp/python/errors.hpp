// What a wrong argument is answered with: its name, what was expected, what came.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <sstream>
#include <string>

#include "loopcore/types.hpp"

namespace loopcore::python {

namespace py = pybind11;

inline std::string type_name(py::handle value) { return Py_TYPE(value.ptr())->tp_name; }

/// "(20, 4)", as Python writes a tuple.
template <class Sizes>
std::string to_text(const Sizes& sizes) {
  std::ostringstream text;
  text << '(';
  Index count = 0;
  for (const auto size : sizes) text << (count++ > 0 ? ", " : "") << size;
  text << (count == 1 ? ",)" : ")");
  return text.str();
}

template <class... Parts>
std::string message(const char* argument, const Parts&... parts) {
  std::ostringstream text;
  text << argument << ": ";
  (text << ... << parts);
  return text.str();
}

template <class... Parts>
[[noreturn]] void value_error(const char* argument, const Parts&... parts) {
  throw py::value_error(message(argument, parts...));
}

template <class... Parts>
[[noreturn]] void type_error(const char* argument, const Parts&... parts) {
  throw py::type_error(message(argument, parts...));
}

}  // namespace loopcore::python
