// The docstrings of run, trajectory, errors and context_curve, with the signature that inspect.signature reads.
#pragma once

#include <string>

namespace loopcore::python {

std::string run_doc();
std::string trajectory_doc();
std::string errors_doc();
std::string context_curve_doc();

}  // namespace loopcore::python
