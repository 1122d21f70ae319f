// The GIL: given back for the time of the kernels, and taken again.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>
#include <utility>

namespace loopcore::python {

/// Calls something that takes the GIL. When Python is shutting down, a daemon thread that asks for the GIL
/// is ended there and then, up to Python 3.13 by pthread_exit, whose way through C++ destructors ends the
/// whole process with an error. Such a thread waits here until the process ends, as in Python 3.14.
template <class Take>
void take_gil(Take&& take) {
  try {
    std::forward<Take>(take)();
  } catch (...) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

/// As long as it lives this thread does without the GIL.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;
  ~WithoutGil() {
    take_gil([this] { PyEval_RestoreThread(state_); });
  }

 private:
  PyThreadState* state_;
};

/// Asked by the kernels now and then: has the user pressed Ctrl-C? The Python error stays set.
inline bool interrupted() {
  PyGILState_STATE state{};
  take_gil([&state] { state = PyGILState_Ensure(); });
  const bool has_error = PyErr_CheckSignals() != 0;
  PyGILState_Release(state);
  return has_error;
}

}  // namespace loopcore::python
