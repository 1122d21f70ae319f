#include <cmath>

#include "call.hpp"
#include "loopcore/spectrum.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

/// (lambda_min, lambda_max, kappa, rank), each of the shape of the batch.
py::tuple spectrum(py::handle given_X, py::handle scale, py::handle num_threads) {
  Operand X(given_X, "X", 2);
  if (X.axes() < 2) value_error("X", "expected shape (..., n, d), got ", to_text(X.shape()));
  const bool mean = read_scale(scale);
  const int wanted_threads = read_threads(num_threads);
  const Index n = X.core_size(0);
  const Index d = X.core_size(1);
  Batch batch;
  batch.include(X);
  X.align_to(batch.shape().size());
  std::array<py::array, 4> results;
  for (auto& result : results) result = make_aligned(batch.shape(), py::dtype::of<double>());
  results[3] = make_aligned(batch.shape(), py::dtype::of<Index>());
  auto* const lambda_min = static_cast<double*>(results[0].mutable_data());
  auto* const lambda_max = static_cast<double*>(results[1].mutable_data());
  auto* const kappa = static_cast<double*>(results[2].mutable_data());
  auto* const rank = static_cast<Index*>(results[3].mutable_data());

  const double zero = 0;
  const auto make_worker = [&](int) {
    return [&, solver = SpectrumSolver(n, d, X.float32() ? 0x1p-23 : 0x1p-52), index = Axes()](
               Index number, Stop& stop) mutable {
      batch.unravel(number, index);
      Task task{.n = n, .d = d, .X = X.matrix_at(index)};
      task.y = {reinterpret_cast<const std::byte*>(&zero), 0, &load<double>};
      const Spectrum found = solver(task, stop);
      const double count = mean ? static_cast<double>(std::max<Index>(n, 1)) : 1;
      lambda_min[number] = found.rescaled(found.lambda_min, 0) / count;
      lambda_max[number] = found.rescaled(found.lambda_max, 0) / count;
      kappa[number] = found.kappa();
      rank[number] = found.rank;
    };
  };
  StopFlag flag{.poll = &interrupted};
  {
    const WithoutGil no_gil;
    const double work =
        2 * static_cast<double>(n) * static_cast<double>(d) * static_cast<double>(std::min(n, d));
    const int threads = useful_threads(wanted_threads, batch.size(), work);
    if (batch.size() > 0) for_each_task(batch.size(), threads, flag, make_worker);
  }
  if (flag.raised) throw py::error_already_set();
  return py::make_tuple(results[0], results[1], results[2], results[3]);
}

}  // namespace

void register_spectrum(py::module_& module) {
  module.def("spectrum", &spectrum,
             "spectrum(X, scale, num_threads)\n--\n\n"
             "(lambda_min, lambda_max, kappa, rank) as arrays; see loopcore.spectrum.",
             py::arg("X"), py::arg("scale"), py::arg("num_threads"));
}

}  // namespace loopcore::python
