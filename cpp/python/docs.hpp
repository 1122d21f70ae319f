// The docstrings of run, trajectory and errors, with the signature that inspect.signature reads.
#pragma once

#include <string>

namespace loopcore::python {

std::string run_doc();
std::string trajectory_doc();
std::string errors_doc();

}  // namespace loopcore::python
