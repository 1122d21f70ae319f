#pragma once

#include <Python.h>

namespace loopcore::python {

/// loopcore.DivergenceWarning, a RuntimeWarning; made on first use and never freed.
PyObject* divergence_warning();

}  // namespace loopcore::python
