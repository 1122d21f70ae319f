// run, trajectory and errors: the same loops, read out in three ways.
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "call.hpp"
#include "docs.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

/// v = −q, and 0 rather than −0 where nothing moved.
double read_out(double q) { return 0.0 - q; }

/// The loops after which to read out: `at`, or 0 … T.
std::vector<Index> read_at(py::handle at, Index T) {
  std::vector<Index> loops;
  if (at.is_none()) {
    if (T >= Index{1} << 40) throw std::bad_alloc();
    loops.resize(static_cast<std::size_t>(T) + 1);
    std::iota(loops.begin(), loops.end(), Index{0});
    return loops;
  }
  const Operand given(at, "at", 1);
  if (given.axes() != 1) value_error("at", "expected shape (K,), got ", to_text(given.shape()));
  const auto count = static_cast<std::size_t>(given.core_size(0));
  const char kind = given.array().dtype().kind();
  if (count > 0 && kind != 'i' && kind != 'u') {
    type_error("at", "expected integers, got dtype ", std::string(py::str(given.array().dtype())));
  }
  const py::list values = given.array().attr("tolist")();
  Index previous = 0;
  for (const py::handle value : values) {
    const Index loop = read_index(value, "at", 0);
    if (loop < previous)
      value_error("at", "expected sorted loops, got ", loop, " after ", previous);
    if (loop > T) value_error("at", "expected loops in 0 ... T = ", T, ", got ", loop);
    loops.push_back(previous = loop);
  }
  return loops;
}

Output make_output(const Call& call, py::handle out, std::initializer_list<Index> core) {
  Axes shape = call.batch.shape();
  const Index batch_axes = shape.size();
  for (const Index size : core) shape.push_back(size);
  Output output(out, shape, batch_axes, call.float32);
  if (!out.is_none()) call.refuse_overlap(output);
  return output;
}

py::array run(py::handle X, py::handle y, py::handle alpha, py::handle T, py::handle eta,
              py::handle schedule, py::handle q0, py::handle scale, py::handle path,
              py::handle num_threads, py::handle out) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, path, num_threads});
  call.problem.at = {call.problem.T};
  call.broadcast();
  const Index d = call.problem.d;
  const Output output = make_output(call, out, {d});
  call.execute([&] {
    return [&](const Axes& index, const Task&, Stop&) {
      return [&](Index, const double* q) {
        for (Index i = 0; i < d; ++i) output.put(index, i, 0, read_out(q[i]));
      };
    };
  });
  return output.array();
}

py::array trajectory(py::handle X, py::handle y, py::handle alpha, py::handle T, py::handle at,
                     py::handle eta, py::handle schedule, py::handle q0, py::handle scale,
                     py::handle path, py::handle num_threads, py::handle out) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, path, num_threads});
  call.problem.at = read_at(at, call.problem.T);
  call.broadcast();
  const Index d = call.problem.d;
  const Output output = make_output(call, out, {static_cast<Index>(call.problem.at.size()), d});
  call.execute([&] {
    return [&](const Axes& index, const Task&, Stop&) {
      return [&](Index k, const double* q) {
        for (Index i = 0; i < d; ++i) output.put(index, k, i, read_out(q[i]));
      };
    };
  });
  return output.array();
}

/// |⟨v, θ⟩ − α|, or |⟨v − αθ, θ⟩| / (|α| ‖θ‖²): the difference is taken first, so that a small error is
/// not lost in the rounding of two large numbers.
double error_of(const double* q, const std::vector<double>& theta, double alpha, bool relative) {
  double product = 0;
  double norm2 = 0;
  for (std::size_t i = 0; i < theta.size(); ++i) {
    const double v = read_out(q[i]);
    product = madd(relative ? madd(-alpha, theta[i], v) : v, theta[i], product);
    norm2 = madd(theta[i], theta[i], norm2);
  }
  return relative ? std::abs(product) / (std::abs(alpha) * norm2) : std::abs(product - alpha);
}

py::array errors(py::handle X, py::handle y, py::handle alpha, py::handle T, py::handle given_theta,
                 py::handle given_relative, py::handle at, py::handle eta, py::handle schedule,
                 py::handle q0, py::handle scale, py::handle path, py::handle num_threads,
                 py::handle out) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, path, num_threads});
  call.problem.at = read_at(at, call.problem.T);
  const bool relative = read_bool(given_relative, "relative");
  Operand theta;
  if (!given_theta.is_none()) theta = call.read_vector(given_theta, "theta");
  call.broadcast(&theta);
  const Index d = call.problem.d;
  const Output output = make_output(call, out, {static_cast<Index>(call.problem.at.size())});
  if (!out.is_none()) output.refuse_overlap(theta);
  call.execute([&] {
    std::unique_ptr<LeastSquares> least_squares;
    if (!theta) {
      least_squares = std::make_unique<LeastSquares>(call.problem.n, d, call.problem.epsilon);
    }
    return [&, least_squares = std::move(least_squares),
            target = std::vector<double>(static_cast<std::size_t>(d))](
               const Axes& index, const Task& task, Stop& stop) mutable {
      if (theta) {
        theta.vector_at(index).read(0, d, target.data());
      } else {
        least_squares->solve(task, target.data(), stop);
      }
      return [&, alpha = task.alpha](Index k, const double* q) {
        output.put(index, k, 0, error_of(q, target, alpha, relative));
      };
    };
  });
  return output.array();
}

}  // namespace

void register_run(py::module_& module) {
  using py::arg;
  const py::none none;
  module.def("run", &run, run_doc().c_str(), arg("X"), arg("y"), arg("alpha"), arg("T"),
             py::kw_only(), arg("eta") = none, arg("schedule") = none, arg("q0") = none,
             arg("scale") = "sum", arg("path") = "auto", arg("num_threads") = none,
             arg("out") = none);
  module.def("trajectory", &trajectory, trajectory_doc().c_str(), arg("X"), arg("y"), arg("alpha"),
             arg("T"), py::kw_only(), arg("at") = none, arg("eta") = none, arg("schedule") = none,
             arg("q0") = none, arg("scale") = "sum", arg("path") = "auto",
             arg("num_threads") = none, arg("out") = none);
  module.def("errors", &errors, errors_doc().c_str(), arg("X"), arg("y"), arg("alpha"), arg("T"),
             py::kw_only(), arg("theta") = none, arg("relative") = false, arg("at") = none,
             arg("eta") = none, arg("schedule") = none, arg("q0") = none, arg("scale") = "sum",
             arg("path") = "auto", arg("num_threads") = none, arg("out") = none);
}

}  // namespace loopcore::python
