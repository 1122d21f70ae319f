// LoopedCall: the arguments that looped and looped_vjp share, checked.
#pragma once

#include <string>
#include <vector>

#include "call.hpp"
#include "loopcore/looped_model.hpp"

namespace loopcore::python {

using Weights = py::array_t<double, py::array::c_style | py::array::forcecast>;

/// What the Python side has settled of the model.
struct Description {
  Weights P, Q, skip;
  std::string attention, update, mask;
  bool normalizes_all, mean;
};

inline LoopedModel make_model(const Description& given) {
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

class LoopedCall {
 public:
  LoopedCall(py::handle given_Z, const Description& description, py::handle given_steps,
             py::handle T, Index queries)
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

  /// How many steps a layer has: T, or one for all loops.
  Index steps_given() const { return steps.core_size(0) == 1 ? 1 : problem.T; }

  Prompt prompt_at(const Axes& index) const {
    Prompt prompt{.Z = Z.matrix_at(index), .eta = steps.matrix_at(index)};
    if (steps.core_size(0) == 1) prompt.eta.row_stride = 0;  // one for all loops
    return prompt;
  }

  Operand Z;      // (..., n + m, D)
  Operand steps;  // (..., T, L) or (..., 1, L)
  Batch batch;
  LoopedProblem problem;
};

}  // namespace loopcore::python
