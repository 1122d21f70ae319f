// LoopedCall: the arguments that looped and looped_vjp share, checked.
#pragma once

#include <string>
#include <vector>

#include "call.hpp"
#include "loopcore/looped_model.hpp"

namespace loopcore::python {

using Weights = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// The first arguments of looped and looped_vjp: (X, y, queries, slots), (P, Q, skip) and (attention,
/// update, mask, normalizes_all, mean).
using PromptTuple = std::tuple<py::object, py::object, py::object, py::object>;
using WeightsTuple = std::tuple<Weights, Weights, Weights>;
using WordsTuple = std::tuple<std::string, std::string, std::string, bool, bool>;

inline LoopedModel make_model(const WeightsTuple& weights, const WordsTuple& words) {
  const auto& [P, Q, skip] = weights;
  const auto& [attention, update, mask, normalizes_all, mean] = words;
  LoopedModel model;
  if (P.ndim() != 4 || P.shape(2) != P.shape(3) || P.size() == 0) {
    value_error("P", "expected shape (L, H, D, D) without a zero, got ", to_text(shape_of(P)));
  }
  model.layers = P.shape(0);
  model.heads = P.shape(1);
  model.D = P.shape(2);
  if (!(shape_of(Q) == shape_of(P))) {
    value_error("Q", "expected the shape of P, ", to_text(shape_of(P)), ", got ",
                to_text(shape_of(Q)));
  }
  if (skip.ndim() != 2 || skip.shape(0) != model.D || skip.shape(1) != model.D) {
    value_error("skip", "expected shape (D, D), got ", to_text(shape_of(skip)));
  }
  model.P = P.data();
  model.Q = Q.data();
  model.skip = skip.data();
  const auto word = [](const std::string& text) { return py::str(text); };
  model.attention = read_word<Attention>(word(attention), "attention",
                                         {{"linear", Attention::linear},
                                          {"softmax", Attention::softmax},
                                          {"relu", Attention::relu},
                                          {"exp", Attention::exp}});
  model.update =
      read_word<Update>(word(update), "update",
                        {{"query", Update::query}, {"all", Update::all}, {"targets", Update::all}});
  model.mask =
      read_word<Mask>(word(mask), "mask",
                      {{"context", Mask::context}, {"all", Mask::all}, {"causal", Mask::causal}});
  model.normalizes_all = normalizes_all;
  model.mean = mean;
  return model;
}

/// Units of prompts over the threads, or a team on each, where that clearly takes less time. `work` is the
/// multiply-adds of a unit, or what a thread does of them where so many share it.
template <class Work>
Shares share_units(Index units, int threads, Work&& work) {
  Shares shares;
  shares.units = units;
  shares.threads = useful_threads(threads, units, work(1));
  const auto turns = static_cast<double>((units + shares.threads - 1) / shares.threads);
  if (static_cast<double>(units) * work(threads) < 0.8 * turns * work(1)) {
    shares.threads = 1;
    shares.threads_a_task = threads;
  }
  return shares;
}

class LoopedCall {
 public:
  /// The arrays of weights stay where they are in their tuple.
  LoopedCall(const PromptTuple& prompt, const WeightsTuple& weights, const WordsTuple& words,
             py::handle given_steps, py::handle T)
      : X(std::get<0>(prompt), "X", 2),
        y(std::get<1>(prompt), "y", 1),
        queries(std::get<2>(prompt), "queries", 2),
        slots(std::get<3>(prompt), "slots", 1),
        steps(given_steps, "eta", 2) {
    LoopedModel& model = problem.model;
    model = make_model(weights, words);
    problem.n = read_rows(X, "X", y, "y");
    problem.m = read_rows(queries, "queries", slots, "slots");
    if (problem.m > 1 && (model.mask != Mask::context || model.normalizes_all)) {
      value_error("queries", "expected 1 where rows see the query, got ", problem.m);
    }
    problem.T = read_index(T, "T", 0);
    if (steps.axes() < 2 || steps.core_size(1) != model.layers ||
        (steps.core_size(0) != 1 && steps.core_size(0) < problem.T)) {
      value_error("eta", "expected shape (..., T, L) = (..., ", problem.T, ", ", model.layers,
                  ") or (..., 1, L), got ", to_text(steps.shape()));
    }
    const auto operands = {&X, &y, &queries, &slots, &steps};
    for (const Operand* operand : operands) batch.include(*operand);
    for (Operand* operand : operands) operand->align_to(batch.shape().size());
  }

  /// Of the tokens that come back: what the rows are, whatever their last entries.
  bool float32() const { return X.float32() && queries.float32(); }

  /// How many steps a layer has: T, or one for all loops.
  Index steps_given() const { return steps.core_size(0) == 1 ? 1 : problem.T; }

  Prompt prompt_at(const Axes& index) const {
    Prompt prompt{.context = {X.matrix_at(index), y.vector_at(index)},
                  .queries = {queries.matrix_at(index), slots.vector_at(index)},
                  .eta = steps.matrix_at(index)};
    if (steps.core_size(0) == 1) prompt.eta.row_stride = 0;  // one for all loops
    return prompt;
  }

  Operand X;        // (..., n, D − 1)
  Operand y;        // (..., n)
  Operand queries;  // (..., m, D − 1)
  Operand slots;    // (..., m)
  Operand steps;    // (..., T, L) or (..., 1, L)
  Batch batch;
  LoopedProblem problem;

 private:
  /// How many tokens (x, y) there are.
  Index read_rows(const Operand& x, const char* x_name, const Operand& last,
                  const char* last_name) const {
    const Index d = problem.model.D - 1;
    if (x.axes() < 2 || x.core_size(1) != d) {
      value_error(x_name, "expected shape (..., rows, D - 1) with D - 1 = ", d, ", got ",
                  to_text(x.shape()));
    }
    if (last.axes() < 1 || last.core_size(0) != x.core_size(0)) {
      value_error(last_name, "expected ", x.core_size(0), " entries on its last axis to match ",
                  x_name, ", got shape ", to_text(last.shape()));
    }
    return x.core_size(0);
  }
};

}  // namespace loopcore::python
