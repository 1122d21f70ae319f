// PromptRows: tokens and steps of the prompts that run together, from where they lie into lanes, and the
// results back.
#pragma once

#include <algorithm>
#include <span>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/looped_model.hpp"
#include "loopcore/prompt_parts.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Takes the rows that are wanted, each once, from several threads at a time.
class RowSink {
 public:
  RowSink() = default;
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;
  virtual ~RowSink() = default;

  /// Row `row` of the prompt number `prompt` of those that run together, after at[k] loops; (D,)
  virtual void put(Index prompt, Index k, Index row, const double* token) = 0;
};

/// L is how they lie in lanes; see lane_layout.hpp.
template <class L>
class PromptRows {
 public:
  /// So many threads may read and write at a time.
  explicit PromptRows(const LoopedProblem& problem, int threads = 1)
      : problem_(problem),
        copies_(threads * L::tasks * panel_rows * D()),
        rows_(threads * padded(D())) {
    const double n = static_cast<double>(problem.n);
    if (problem.model.mean) factor_ = problem.n == 0 ? 0 : 1 / n;
  }

  Index D() const { return problem_.model.D; }
  Index stride() const { return L::doubles(D()); }  // doubles, from row to row
  Index count() const { return static_cast<Index>(prompts_.size()); }

  /// The prompts must stay where they are until the next call.
  void open(std::span<const Prompt> prompts) { prompts_ = prompts; }

  /// rows ← the tokens begin … begin + count − 1, (count, stride()), count ≤ panel_rows. Elements without
  /// a prompt repeat the first one.
  void read(Index begin, Index count, double* rows, int thread = 0) {
    const double* sources[L::tasks];
    for (Index t = 0; t < L::tasks; ++t) {
      sources[t] = t < this->count() ? read_prompt(t, begin, count, thread) : sources[0];
    }
    if constexpr (L::tasks > 1) {
      L::pack(sources, count * D(), rows);
    } else {
      for (Index i = 0; i < count; ++i) {
        L::pack(sources, D(), rows + i * stride());
        sources[0] += D();
      }
    }
  }

  /// All tokens, (rows, stride()); if stopped, the first of them.
  void read_all(double* rows, Stop& stop, const Team& team = Team(1)) {
    const PromptParts parts(0, problem_.rows(), panel_rows, work_of_a_copy());
    const auto read_part = [&](PromptPart part, int thread, Stop& inner) {
      for (Index i = part.begin; i < part.end; i += panel_rows) {
        const Index count = std::min(panel_rows, part.end - i);
        read(i, count, rows + i * stride(), thread);
        if (inner.after(count * D() * L::tasks)) return;
      }
    };
    parts.for_each(team, read_part, stop);
  }

  /// Hands on one token of each prompt, (stride(),)
  void write(const double* token, Index row, Index k, RowSink& sink, int thread = 0) {
    if constexpr (L::tasks == 1) {
      sink.put(0, k, row, token);
      return;
    }
    double* const values = rows_.data() + thread * padded(D());
    for (Index t = 0; t < count(); ++t) {
      L::unpack(token, D(), t, values);
      sink.put(t, k, row, values);
    }
  }

  /// Hands on the tokens begin … end − 1 of each prompt as they came. If stopped, not all.
  void write_unmoved(Index begin, Index end, Index k, RowSink& sink, Stop& stop,
                     const Team& team = Team(1)) {
    const PromptParts parts(begin, end, panel_rows, work_of_a_copy());
    const auto write_part = [&](PromptPart part, int thread, Stop& inner) {
      for (Index t = 0; t < this->count(); ++t) {
        for (Index i = part.begin; i < part.end; i += panel_rows) {
          const Index count = std::min(panel_rows, part.end - i);
          const double* const rows = read_prompt(t, i, count, thread);
          for (Index r = 0; r < count; ++r) sink.put(t, k, i + r, rows + r * D());
          if (inner.after(count * D())) return;
        }
      }
    };
    parts.for_each(team, write_part, stop);
  }

  /// What a given step is multiplied by: 1/n where the model asks for it.
  double step_factor() const { return factor_; }

  /// η of one loop and layer, divided by n where the model asks for it.
  Lane eta(Index loop, Index layer) const {
    Lane eta = Lane::zero();
    for (std::size_t t = 0; t < prompts_.size(); ++t) {
      const MatrixView& steps = prompts_[t].eta;
      double value;
      steps.load(steps.data + loop * steps.row_stride + layer * steps.column_stride, 0, 1, &value);
      if constexpr (L::tasks == 1) return Lane::broadcast(factor_ * value);
      eta.set(static_cast<Index>(t), factor_ * value);
    }
    return eta;
  }

 private:
  /// Of one row of every prompt.
  Index work_of_a_copy() const { return PromptParts::work_of_a_copy * D() * L::tasks; }

  /// The tokens begin … begin + count − 1 of the prompt t, (count, D): where they lie, or the thread's copy.
  const double* read_prompt(Index t, Index begin, Index count, int thread) {
    const Prompt& prompt = prompts_[static_cast<std::size_t>(t)];
    const TokenRows& context = prompt.context;
    if (begin + count <= problem_.n && is_packed(context)) {
      return reinterpret_cast<const double*>(context.x.data + begin * context.x.row_stride);
    }
    double* const copy = copies_.data() + (thread * L::tasks + t) * panel_rows * D();
    const Index of_context = std::clamp<Index>(problem_.n - begin, 0, count);
    copy_tokens(context, begin, of_context, copy);
    copy_tokens(prompt.queries, begin + of_context - problem_.n, count - of_context,
                copy + of_context * D());
    return copy;
  }

  void copy_tokens(const TokenRows& tokens, Index begin, Index count, double* rows) const {
    const Index d = D() - 1;
    for (Index i = 0; i < count; ++i) {
      tokens.x.read_row(begin + i, d, rows + i * D());
      tokens.y.read(begin + i, 1, rows + i * D() + d);
    }
  }

  /// Whether the tokens lie as doubles row by row, each with its target after it.
  bool is_packed(const TokenRows& tokens) const {
    constexpr Index size = sizeof(double);
    return tokens.x.has_native_rows() && tokens.x.row_stride == D() * size &&
           tokens.y.load == tokens.x.load && tokens.y.stride == tokens.x.row_stride &&
           tokens.y.data == tokens.x.data + (D() - 1) * size;
  }

  const LoopedProblem& problem_;
  double factor_ = 1;
  std::span<const Prompt> prompts_;
  Buffer copies_;  // (threads, L::tasks, panel_rows, D)
  Buffer rows_;    // (threads, padded(D))
};

}  // namespace loopcore
