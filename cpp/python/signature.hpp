// Calls that fit no signature get Python's own words, and the name of the argument.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "errors.hpp"

namespace loopcore::python {

/// To be registered after the function itself: pybind11 calls it with what the function cannot take.
inline void register_misfit(py::module_& module, const char* name,
                            std::vector<std::string> positional,
                            std::vector<std::string> keywords) {
  const auto fail = [=](const py::args& args, const py::kwargs& given) {
    const std::string function = std::string(name) + "()";
    const auto has = [](const std::vector<std::string>& names, const std::string& key) {
      return std::find(names.begin(), names.end(), key) != names.end();
    };
    if (args.size() > positional.size()) {
      throw py::type_error(function + " takes " + std::to_string(positional.size()) +
                           " positional arguments but " + std::to_string(args.size()) +
                           " were given");
    }
    for (const auto& item : given) {
      const auto key = py::cast<std::string>(item.first);
      if (!has(positional, key) && !has(keywords, key)) {
        throw py::type_error(function + " got an unexpected keyword argument '" + key + "'");
      }
    }
    for (std::size_t k = 0; k < positional.size(); ++k) {
      const bool is_named = given.contains(positional[k]);
      if (k < args.size() && is_named) {
        throw py::type_error(function + " got multiple values for argument '" + positional[k] +
                             "'");
      }
      if (k >= args.size() && !is_named) {
        throw py::type_error(function + " missing required argument '" + positional[k] + "'");
      }
    }
    throw py::type_error(function + " got arguments that do not fit its signature");
  };
  module.def(name, fail);
}

}  // namespace loopcore::python
