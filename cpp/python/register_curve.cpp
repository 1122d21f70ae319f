// context_curve: every prefix of a prompt in one call.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "call.hpp"
#include "divergence.hpp"
#include "docs.hpp"
#include "loopcore/context_curve.hpp"
#include "readouts.hpp"
#include "registers.hpp"
#include "signature.hpp"

namespace loopcore::python {

namespace {

/// The shortest prefix of each task whose result is not finite.
class Lost {
 public:
  static constexpr Index none = std::numeric_limits<Index>::max();

  explicit Lost(Index tasks) : first_(static_cast<std::size_t>(tasks), none) {}

  void add(Index task, Index prefix) {
    const std::lock_guard lock(mutex_);
    Index& first = first_[static_cast<std::size_t>(task)];
    first = std::min(first, prefix);
  }
  Index operator[](Index task) const { return first_[static_cast<std::size_t>(task)]; }

 private:
  std::mutex mutex_;
  std::vector<Index> first_;
};

/// What both read-outs do: find the place of a task.
class Curve : public CurveReadout {
 public:
  Curve(const Output& output, const Batch& batch, Lost& lost, Index d)
      : output_(output), lost_(lost), d_(d), places_(output, batch) {}

 protected:
  std::byte* place(const Context& context) {
    if (number_ != context.number) places_.open(number_ = context.number, 1);
    return places_[0];
  }

  /// Element by element: 1 where all of v = −q is below the limit, and 0 elsewhere.
  Lane are_finite(const Lane* q, double limit) const {
    Lane finite = Lane::broadcast(1);
    for (Index i = 0; i < d_; ++i) {
      finite = select(abs(q[i]) < Lane::broadcast(limit), finite, Lane::zero());
    }
    return finite;
  }

  const Output& output_;
  Lost& lost_;
  Index d_;

 private:
  Places places_;
  Index number_ = -1;
};

/// Writes v of every prefix.
class PrefixVectors final : public Curve {
 public:
  PrefixVectors(const Output& output, const Batch& batch, Lost& lost, Index d)
      : Curve(output, batch, lost, d), v_(d) {}

  void record(const Context& context, Index first, Index count, const Lane* q) override {
    std::byte* to = place(context);
    for (Index i = 0; i < d_; ++i) v_[i] = read_out(q[i]);
    const Lane finite = are_finite(q, output_.limit());
    for (Index k = 0; k < count; ++k) {
      output_.put_row(to, first + k, v_.data(), k, d_);
      if (finite[k] == 0) lost_.add(context.number, first + k);
    }
  }

 private:
  Array<Lane> v_;  // (d,)
};

/// Writes ⟨v_k, x_{k+1}⟩ of every prefix k, with the row that follows it.
class Predictions final : public Curve {
 public:
  Predictions(const Output& output, const Batch& batch, Lost& lost, Index d)
      : Curve(output, batch, lost, d), rows_(d, lane_width), x_(d) {}

  void record(const Context& context, Index first, Index count, const Lane* q) override {
    std::byte* to = place(context);
    const double* sources[lane_width];
    rows_.open(context.task, Scaling{});
    rows_.read(first, sources);
    pack(sources, d_, x_.data());
    const Lane prediction = sum_of_products(
        0, d_, [&](Index i) { return read_out(q[i]); }, [&](Index i) { return x_[i]; });
    const Lane v_is = are_finite(q, std::numeric_limits<double>::infinity());
    const Lane x_is = are_finite(x_.data(), std::numeric_limits<double>::infinity());
    for (Index k = 0; k < count; ++k) {
      output_.put(to, first + k, prediction[k]);
      const bool is_finite = std::abs(prediction[k]) < output_.limit();
      if (!is_finite && (v_is[k] == 0 || x_is[k] != 0)) lost_.add(context.number, first + k);
    }
  }

 private:
  PrefixRows rows_;
  Array<Lane> x_;  // (d,)
};

/// A task has diverged where the first prefix to be lost is one of finite rows.
void warn_of_diverged(const Call& call, const Lost& lost) {
  Axes index;
  Divergence divergence;
  for (Index number = 0; number < call.batch.size(); ++number) {
    if (lost[number] == Lost::none) continue;
    call.batch.unravel(number, index);
    Task prefix = call.task_at(index);
    prefix.n = lost[number];
    if (call.is_finite(prefix, call.steps_at(index))) divergence.add(number);
  }
  divergence.warn(call.batch, call.advice());
}

Call read_call(const std::array<py::handle, 11>& given) {
  const py::handle eta = given[4];
  const py::str path("auto");
  Call call(
      {given[0], given[1], given[2], given[3], eta, given[5], given[6], given[7], path, given[9]});
  if (call.problem.needs_smallest_eigenvalue()) {
    value_error("eta",
                "expected None, numbers or a schedule, for the smallest eigenvalue of every prefix "
                "would take a singular value decomposition each, got ",
                std::string(py::repr(eta)));
  }
  return call;
}

py::array context_curve(const std::array<py::handle, 11>& given) {
  Call call = read_call(given);
  const bool predict = read_bool(given[8], "predict");
  call.broadcast();
  const auto [n, d] = std::pair(call.problem.n, call.problem.d);
  const Index prefixes = predict ? n : n + 1;
  Axes shape = call.batch.shape();
  const Index batch_axes = shape.size();
  shape.push_back(prefixes);
  if (!predict) shape.push_back(d);
  const py::handle out = given[10];
  const Output output(out, shape, batch_axes, call.float32);
  if (!out.is_none()) call.refuse_overlap(output);

  Lost lost(call.batch.size());
  const auto get = [&](Index number, Task& task, StepInput& steps) {
    Axes index;
    call.batch.unravel(number, index);
    task = call.task_at(index);
    steps = call.steps_at(index);
  };
  const auto make_readout = [&]() -> std::unique_ptr<CurveReadout> {
    if (predict) return std::make_unique<Predictions>(output, call.batch, lost, d);
    return std::make_unique<PrefixVectors>(output, call.batch, lost, d);
  };
  StopFlag flag{.poll = &interrupted};
  {
    const WithoutGil no_gil;
    run_context_curves(call.problem, prefixes, call.batch.size(), call.threads(), flag, get,
                       make_readout);
  }
  if (flag.raised) throw py::error_already_set();
  warn_of_diverged(call, lost);
  return output.array();
}

PyObject* call_context_curve(PyObject*, PyObject* const* given, Py_ssize_t count, PyObject* names) {
  return guarded([&] {
    static const Signature<11> signature("context_curve",
                                         {{{"X"},
                                           {"y"},
                                           {"alpha"},
                                           {"T"},
                                           {"eta", Py_None},
                                           {"schedule", Py_None},
                                           {"q0", Py_None},
                                           {"scale", PyUnicode_InternFromString("sum")},
                                           {"predict", Py_False},
                                           {"num_threads", Py_None},
                                           {"out", Py_None}}});
    return context_curve(signature.read(given, static_cast<std::size_t>(count), names));
  });
}

}  // namespace

void register_curve(py::module_& module) {
  static const std::string text = context_curve_doc();
  static PyMethodDef method{
      "context_curve",
      reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&call_context_curve)),
      METH_FASTCALL | METH_KEYWORDS, text.c_str()};
  define(module, method);
}

}  // namespace loopcore::python
