#include "registers.hpp"

// The name is set by the build: one module for each instruction set, from the same sources.
PYBIND11_MODULE(LOOPCORE_MODULE, module, pybind11::mod_gil_not_used()) {
  using namespace loopcore::python;
  pybind11::options options;
  options
      .disable_function_signatures();  // the docstrings carry them, as inspect.signature reads them
  register_run(module);
  register_curve(module);
  register_spectrum(module);
  register_looped(module);
  register_vjp(module);
  register_looped_vjp(module);
  register_random(module);
  register_process(module);
}
