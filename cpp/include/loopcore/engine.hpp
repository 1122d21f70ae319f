// Engine: what runs the loops of a few tasks side by side, at most a lane of them, one an element.
#pragma once

#include <algorithm>
#include <span>

#include "loopcore/buffer.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/range.hpp"
#include "loopcore/steps.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Vectors of lanes, (d,), hold one vector a task. No element has any influence on another, and what
/// elements without a task hold means nothing.
class Engine : public Aligned {
 public:
  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  /// How many of the tasks, from the first on, can be run together.
  virtual Index take(std::span<const Task> tasks) const = 0;

  /// Sums up the contexts, as scaled, and sets q(0). Stopped half-way it leaves nothing usable.
  virtual void open(std::span<const Task> tasks, const Scaling* scalings, Stop& stop) = 0;

  /// Whether the sums of products of each task stayed inside the range of double.
  virtual Lane::Comparison in_range() const = 0;

  /// λ_max(XᵀX) of the tasks as scaled. Call it before the first loop.
  virtual Lane lambda_max(Stop& stop) = 0;

  /// Makes the basis in which the loops run. To be called before anything is asked in that basis.
  virtual void prepare(Stop&) {}

  /// The loops begin … end − 1:  q ← q − η_t (Xᵀ X q + α Xᵀ y)
  virtual void advance(Index begin, Index end, const Steps& steps, Stop& stop) = 0;

  /// q, (d,)
  virtual const Lane* q() = 0;

  /// Qᵀ q, (d,), in the orthonormal basis Q in which the loops run: inner products are the same in it.
  virtual const Lane* state() = 0;

  /// v ← Qᵀ v, (d,)
  virtual void to_basis(Lane* v) = 0;
};

/// What is done with the loops of some tasks: those from number `first` on, `count` of them.
class Readout : public Aligned {
 public:
  Readout() = default;
  Readout(const Readout&) = delete;
  Readout& operator=(const Readout&) = delete;
  virtual ~Readout() = default;

  /// Before their first loop.
  virtual void open(Engine& engine, Index first, Index count, Stop& stop) = 0;

  /// After at[k] loops.
  virtual void record(Engine& engine, Index k, Index first, Index count) = 0;
};

/// q0 of all tasks, (d,), and 0 where there is none: `rows` holds a lane of vectors of d. False where no
/// task has one.
inline bool read_q0(std::span<const Task> tasks, Index d, double* rows, Lane* q) {
  if (std::all_of(tasks.begin(), tasks.end(), [](const Task& t) { return t.q0.data == nullptr; })) {
    for (Index k = 0; k < d; ++k) q[k] = Lane::zero();
    return false;
  }
  const double* sources[lane_width];
  for (Index t = 0; t < lane_width; ++t) {
    double* row = rows + t * d;
    const bool is_task = t < static_cast<Index>(tasks.size());
    if (is_task && tasks[static_cast<std::size_t>(t)].q0.data != nullptr) {
      tasks[static_cast<std::size_t>(t)].q0.read(0, d, row);
    } else {
      std::fill_n(row, d, 0.0);
    }
    sources[t] = row;
  }
  pack(sources, d, q);
  return true;
}

/// α of all tasks, as scaled, and 0 where there is none: without a task, q stays at 0.
inline Lane read_alpha(std::span<const Task> tasks, const Scaling* scalings) {
  Lane alpha = Lane::zero();
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    alpha.set(static_cast<Index>(t), scalings[t].alpha(tasks[t].alpha));
  }
  return alpha;
}

}  // namespace loopcore
