// looped: the general family on whole prompts; see python/loopcore/_attention.py.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "call.hpp"
#include "loopcore/looped_plan.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

using Weights = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// What the Python side has settled of the model.
struct Description {
  Weights P, Q, skip;
  std::string attention, update, mask;
  bool normalizes_all, mean;
};

LoopedModel make_model(const Description& given) {
  LoopedModel model;
  if (given.P.ndim() != 4 || given.P.shape(2) != given.P.shape(3) || given.P.size() == 0) {
    value_error("P", "expected shape (L, H, D, D) without a zero, got ",
                to_text(shape_of(given.P)));
  }
  model.layers = given.P.shape(0);
  model.heads = given.P.shape(1);
  model.D = given.P.shape(2);
  if (!(shape_of(given.Q) == shape_of(given.P))) {
    value_error("Q", "expected the shape of P, ", to_text(shape_of(given.P)), ", got ",
                to_text(shape_of(given.Q)));
  }
  if (given.skip.ndim() != 2 || given.skip.shape(0) != model.D || given.skip.shape(1) != model.D) {
    value_error("skip", "expected shape (D, D), got ", to_text(shape_of(given.skip)));
  }
  model.P = given.P.data();
  model.Q = given.Q.data();
  model.skip = given.skip.data();
  const auto word = [](const std::string& text) { return py::str(text); };
  model.attention = read_word<Attention>(word(given.attention), "attention",
                                         {{"linear", Attention::linear},
                                          {"softmax", Attention::softmax},
                                          {"relu", Attention::relu},
                                          {"exp", Attention::exp}});
  model.update =
      read_word<Update>(word(given.update), "update",
                        {{"query", Update::query}, {"all", Update::all}, {"targets", Update::all}});
  model.mask =
      read_word<Mask>(word(given.mask), "mask",
                      {{"context", Mask::context}, {"all", Mask::all}, {"causal", Mask::causal}});
  model.normalizes_all = given.normalizes_all;
  model.mean = given.mean;
  return model;
}

/// Rows of some prompts in a row into the result, (..., K, rows, D).
class Rows final : public RowSink {
 public:
  Rows(py::array& result, Index readouts, Index rows, Index first, Index D)
      : data_(static_cast<std::byte*>(result.mutable_data())),
        float32_(is_float32(result.dtype())),
        readouts_(readouts),
        rows_(rows),
        first_(first),
        D_(D) {}

  /// The prompts that run together begin at this number.
  void begin(Index prompt) { prompt_ = prompt; }

  /// Whether all that came was finite.
  bool finite() const { return finite_; }

  void put(Index prompt, Index k, Index row, const double* token) override {
    const Index at = (((prompt_ + prompt) * readouts_ + k) * rows_ + row - first_) * D_;
    bool all_finite = true;
    if (float32_) {
      auto* const to = reinterpret_cast<float*>(data_) + at;
      for (Index j = 0; j < D_; ++j) {
        to[j] = static_cast<float>(token[j]);
        all_finite = all_finite && std::isfinite(to[j]);
      }
    } else {
      auto* const to = reinterpret_cast<double*>(data_) + at;
      for (Index j = 0; j < D_; ++j) {
        to[j] = token[j];
        all_finite = all_finite && std::isfinite(token[j]);
      }
    }
    finite_ = finite_ && all_finite;
  }

 private:
  std::byte* data_;
  bool float32_;
  Index readouts_;
  Index rows_;
  Index first_;
  Index D_;
  Index prompt_ = 0;
  bool finite_ = true;
};

class LoopedCall {
 public:
  LoopedCall(py::handle given_Z, const Description& description, py::handle given_steps,
             py::handle T, Index queries, py::handle at, bool only_queries)
      : Z(given_Z, "Z", 2), steps(given_steps, "eta", 2) {
    LoopedModel& model = problem.model;
    model = make_model(description);
    if (Z.axes() < 2 || Z.core_size(1) != model.D || Z.core_size(0) < queries || queries < 0) {
      value_error("Z", "expected shape (..., n + ", queries, ", ", model.D, "), got ",
                  to_text(Z.shape()));
    }
    problem.m = queries;
    problem.n = Z.core_size(0) - queries;
    if (queries > 1 && (model.mask != Mask::context || model.normalizes_all)) {
      value_error("queries", "expected 1 where rows see the query, got ", queries);
    }
    problem.T = read_index(T, "T", 0);
    problem.at = read_at(at, problem.T);
    problem.only_queries = only_queries;
    if (steps.axes() < 2 || steps.core_size(1) != model.layers ||
        (steps.core_size(0) != 1 && steps.core_size(0) < problem.T)) {
      value_error("eta", "expected shape (..., T, L) = (..., ", problem.T, ", ", model.layers,
                  ") or (..., 1, L), got ", to_text(steps.shape()));
    }
    batch.include(Z);
    batch.include(steps);
    Z.align_to(batch.shape().size());
    steps.align_to(batch.shape().size());
  }

  /// The rows, and whether all are finite.
  py::tuple run(int wanted_threads) {
    const auto readouts = static_cast<Index>(problem.at.size());
    const Index rows = problem.rows() - problem.first_wanted();
    Axes shape = batch.shape();
    shape.push_back(readouts);
    shape.push_back(rows);
    shape.push_back(problem.model.D);
    py::array result =
        make_aligned(shape, Z.float32() ? py::dtype::of<float>() : py::dtype::of<double>());
    std::atomic<bool> finite = true;
    StopFlag flag{.poll = &interrupted};
    const Index unit = prompts_at_once(problem);
    const Index units = (batch.size() + unit - 1) / unit;
    const auto make_worker = [&](int) {
      auto sink =
          std::make_unique<Rows>(result, readouts, rows, problem.first_wanted(), problem.model.D);
      return [this, &finite, unit, engine = make_looped_engine(problem), sink = std::move(sink),
              prompts = std::vector<Prompt>(), index = Axes()](Index number, Stop& stop) mutable {
        const Index first = number * unit;
        prompts.clear();
        for (Index t = first; t < std::min(first + unit, batch.size()); ++t) {
          batch.unravel(t, index);
          prompts.push_back(prompt_at(index));
        }
        sink->begin(first);
        run_unit(*engine, prompts, *sink, stop);
        if (!sink->finite()) finite = false;
      };
    };
    {
      const WithoutGil no_gil;
      const double work = estimate_work(problem) * static_cast<double>(unit);
      const int threads = useful_threads(wanted_threads, units, work);
      if (result.size() > 0) for_each_task(units, threads, flag, make_worker);
    }
    if (flag.raised) throw py::error_already_set();
    return py::make_tuple(result, finite.load());
  }

 private:
  Prompt prompt_at(const Axes& index) const {
    Prompt prompt{.Z = Z.matrix_at(index), .eta = steps.matrix_at(index)};
    if (steps.core_size(0) == 1) prompt.eta.row_stride = 0;  // one for all loops
    return prompt;
  }

  void run_unit(LoopedEngine& engine, std::span<const Prompt> prompts, RowSink& sink, Stop& stop) {
    engine.open(prompts, stop);
    Index t = 0;
    for (std::size_t k = 0; k < problem.at.size() && !stop.raised(); ++k) {
      engine.advance(t, problem.at[k], stop);
      t = problem.at[k];
      if (stop.raised()) return;
      engine.write(static_cast<Index>(k), sink, stop);
    }
  }

  Operand Z;      // (..., n + m, D)
  Operand steps;  // (..., T, L) or (..., 1, L)
  Batch batch;
  LoopedProblem problem;
};

py::tuple looped(py::handle Z, Weights P, Weights Q, Weights skip, py::handle steps, py::handle T,
                 const std::string& attention, const std::string& update, const std::string& mask,
                 bool normalizes_all, bool mean, Index queries, py::handle at, bool only_queries,
                 py::handle num_threads) {
  const Description description{std::move(P), std::move(Q), std::move(skip), attention,
                                update,       mask,         normalizes_all,  mean};
  LoopedCall call(Z, description, steps, T, queries, at, only_queries);
  return call.run(read_threads(num_threads));
}

}  // namespace

void register_looped(py::module_& module) {
  module.def("looped", &looped,
             "looped(Z, P, Q, skip, steps, T, attention, update, mask, normalizes_all, mean, "
             "queries, at, only_queries, num_threads)\n--\n\n"
             "(rows of looped prompts, (..., K, rows, D), whether all are finite); see "
             "loopcore.LoopedTransformer.",
             py::arg("Z"), py::arg("P"), py::arg("Q"), py::arg("skip"), py::arg("steps"),
             py::arg("T"), py::arg("attention"), py::arg("update"), py::arg("mask"),
             py::arg("normalizes_all"), py::arg("mean"), py::arg("queries"), py::arg("at"),
             py::arg("only_queries"), py::arg("num_threads"));
}

}  // namespace loopcore::python
