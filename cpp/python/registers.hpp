// What module.cpp calls: one function a group of operations.
#pragma once

#include <pybind11/pybind11.h>

namespace loopcore::python {

void register_run(pybind11::module_& module);
void register_curve(pybind11::module_& module);
void register_spectrum(pybind11::module_& module);
void register_looped(pybind11::module_& module);
void register_vjp(pybind11::module_& module);
void register_looped_vjp(pybind11::module_& module);
void register_random(pybind11::module_& module);
void register_process(pybind11::module_& module);

}  // namespace loopcore::python
