// LoopedEngine: what runs the loops of the general family on a few prompts side by side.
#pragma once

#include <span>

#include "loopcore/buffer.hpp"
#include "loopcore/prompt_rows.hpp"
#include "loopcore/stop.hpp"

namespace loopcore {

/// Made of a LoopedProblem, which must outlive it, and where rows can be shared out, of the team that does.
class LoopedEngine : public Aligned {
 public:
  LoopedEngine() = default;
  LoopedEngine(const LoopedEngine&) = delete;
  LoopedEngine& operator=(const LoopedEngine&) = delete;
  virtual ~LoopedEngine() = default;

  /// Prompts that run side by side, at most.
  virtual Index most() const = 0;

  /// Reads the prompts, which must stay where they are while they run.
  virtual void open(std::span<const Prompt> prompts, Stop& stop) = 0;

  /// The loops begin … end − 1.
  virtual void advance(Index begin, Index end, Stop& stop) = 0;

  /// Hands on the rows that are wanted, as they stand after at[k] loops. If stopped, not all.
  virtual void write(Index k, RowSink& sink, Stop& stop) = 0;
};

}  // namespace loopcore
