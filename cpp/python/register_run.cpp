// run, trajectory and errors: the same loops, read out in three ways.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <vector>

#include "call.hpp"
#include "docs.hpp"
#include "registers.hpp"
#include "signature.hpp"

namespace loopcore::python {

namespace {

/// v = −q, and 0 rather than −0 where nothing moved.
double read_out(double q) { return 0.0 - q; }

/// The loops after which to read out: `at`, or 0 … T.
std::vector<Index> read_at(py::handle at, Index T) {
  std::vector<Index> loops;
  if (at.is_none()) {
    if (T >= Index{1} << 40) {
      value_error("T", "expected less than 2**40 where all loops are read out, got ", T,
                  "; name some of them in at");
    }
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

/// θ as an error is measured against it: with t = 2^k θ near 1, so that ‖t‖² stays inside the range.
class Target {
 public:
  explicit Target(Index d) : t_(static_cast<std::size_t>(d)) {}

  double* data() { return t_.data(); }

  /// Call once θ is in data().
  void scale() {
    const double largest = largest_magnitude(t_.data(), static_cast<Index>(t_.size()));
    const bool scales = largest > 0 && std::isfinite(largest);
    factor_ = scales ? std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000)) : 1.0;
    norm2_ = 0;
    for (double& t : t_) {
      t *= factor_;
      norm2_ = madd(t, t, norm2_);
    }
  }

  /// |⟨v, θ⟩ − α|
  double error(const double* q, double alpha) const {
    double product = 0;
    for (std::size_t i = 0; i < t_.size(); ++i) product = madd(read_out(q[i]), t_[i], product);
    return std::abs(product / factor_ - alpha);
  }

  /// |⟨v − αθ, θ⟩| / (|α| ‖θ‖²): the difference is taken first, so that a small error is not lost in
  /// the rounding of two large numbers.
  double relative_error(const double* q, double alpha) const {
    double product = 0;
    for (std::size_t i = 0; i < t_.size(); ++i) {
      const double difference = madd(-alpha, t_[i], factor_ * read_out(q[i]));
      product = madd(difference / alpha, t_[i], product);
    }
    return std::abs(product) / norm2_;
  }

 private:
  std::vector<double> t_;  // (d,)
  double factor_ = 1;
  double norm2_ = 0;
};

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
    return [&, least_squares = std::move(least_squares), target = Target(d)](
               const Axes& index, const Task& task, Stop& stop) mutable {
      if (theta) {
        theta.vector_at(index).read(0, d, target.data());
      } else {
        least_squares->solve(task, target.data(), stop);
      }
      target.scale();
      return [&, alpha = task.alpha](Index k, const double* q) {
        output.put(index, k, 0,
                   relative ? target.relative_error(q, alpha) : target.error(q, alpha));
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
  const std::vector<std::string> prompt{"X", "y", "alpha", "T"};
  std::vector<std::string> options{"eta", "schedule", "q0", "scale", "path", "num_threads", "out"};
  register_misfit(module, "run", prompt, options);
  options.emplace_back("at");
  register_misfit(module, "trajectory", prompt, options);
  options.insert(options.end(), {"theta", "relative"});
  register_misfit(module, "errors", prompt, options);
}

}  // namespace loopcore::python
