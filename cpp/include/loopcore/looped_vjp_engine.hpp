// LoopedVjpEngine: what takes a few prompts side by side through their loops and back again.
#pragma once

#include <span>

#include "loopcore/buffer.hpp"
#include "loopcore/looped_model.hpp"
#include "loopcore/prompt_rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/task_matrix.hpp"

namespace loopcore {

/// The adjoints of a model's weights, summed over prompts; laid out as LoopedModel's.
struct WeightBars {
  double* P = nullptr;     // (layers, heads, D, D)
  double* Q = nullptr;     // (layers, heads, D, D)
  double* skip = nullptr;  // (D, D)
};

/// Takes the adjoints that each prompt has of its own: its rows, as a RowSink with k = 0, and its steps.
class LoopedVjpSink : public RowSink {
 public:
  /// η̄ of one loop and layer, of the prompt number `prompt` of those that run together.
  virtual void put_step(Index prompt, Index loop, Index layer, double eta_bar) = 0;
};

class LoopedVjpEngine : public Aligned {
 public:
  LoopedVjpEngine() = default;
  LoopedVjpEngine(const LoopedVjpEngine&) = delete;
  LoopedVjpEngine& operator=(const LoopedVjpEngine&) = delete;
  virtual ~LoopedVjpEngine() = default;

  /// Prompts that run side by side, at most.
  virtual Index most() const = 0;

  /// Adds the adjoints of the weights to `weights` and hands on those of the prompts. `bars` are the
  /// adjoints of Z(T) in the place of Z; their steps are not read.
  virtual void run(std::span<const Prompt> prompts, std::span<const Prompt> bars,
                   WeightBars weights, LoopedVjpSink& sink, Stop& stop) = 0;
};

/// η̄ of the step that the caller gave, from that of the step that the loop took.
template <class L>
void put_step(const PromptRows<L>& prompts, Index loop, Index layer, Lane eta_bar,
              LoopedVjpSink& sink) {
  for (Index t = 0; t < prompts.count(); ++t) {
    const Index element = L::tasks == 1 ? 0 : t;
    sink.put_step(t, loop, layer, prompts.step_factor() * eta_bar[element]);
  }
}

/// to ← fromᵀ, (size, size)
template <class L>
void transpose(const TaskMatrix<L>& from, Index size, TaskMatrix<L>& to) {
  L::transpose_square(from.row(0), from.stride(), size, to.row(0));
}

/// total_jk ← total_jk + the sum of entry jk over the first `tasks` tasks, (size, size)
template <class L>
void add_tasks(TaskMatrix<L>& matrix, Index size, Index tasks, double* total) {
  for (Index j = 0; j < size; ++j) {
    for (Index k = 0; k < size; ++k) {
      double sum = 0;
      for (Index t = 0; t < tasks; ++t) sum += L::entry(matrix.row(j), k, t);
      total[j * size + k] += sum;
    }
  }
}

}  // namespace loopcore
