#include "call.hpp"

#include <memory>
#include <vector>

#include "divergence.hpp"
#include "loopcore/loopcore.hpp"

namespace loopcore::python {

void Call::execute(const MakeReadout& make_readout) {
  Divergence divergence;
  StopFlag flag{.poll = &interrupted};
  const Shares shares = share();
  const Team team(shares.threads_a_task);
  const auto make_worker = [&](int) {
    auto unit = std::make_unique<Unit>();
    auto readout = make_readout(*unit);
    return [this, &divergence, &shares, solver = std::make_unique<Solver>(problem, team),
            unit_in = std::move(unit), readout = std::move(readout),
            index = Axes()](Index number, Stop& stop) mutable {
      Unit& unit = *unit_in;
      fill(unit, index, number * shares.unit,
           std::min(shares.unit, batch.size() - number * shares.unit));
      (*solver)(unit.tasks_in(), unit.inputs_in(), *readout, stop);
      for (Index t = 0; t < unit.count && !stop.raised(); ++t) {
        if (!unit.finite[t] && is_finite(unit.tasks[t], unit.inputs[t]))
          divergence.add(unit.first + t);
      }
    };
  };
  {
    const WithoutGil no_gil;
    if (shares.units > 0) for_each_task(shares.units, shares.threads, flag, make_worker);
  }
  if (flag.raised) throw py::error_already_set();
  divergence.warn(batch, advice());
}

Shares Call::share() const {
  const Index n = problem.n;
  const Index d = problem.d;
  const Path path = problem.planned_path();
  const bool together = path != Path::stream && (is_packed(n, d) || X.is_shared());
  Shares shares;
  shares.unit = together ? lane_width : 1;
  shares.units = (batch.size() + shares.unit - 1) / shares.unit;
  const double work =
      estimate_cost(n, d, problem.T, problem.kind).of(path) * static_cast<double>(shares.unit);
  constexpr double large = 0x1p22;  // multiply-adds, a millisecond
  if (work > large && shares.units < 2 * Index{threads_} && !is_packed(n, d)) {
    shares.threads_a_task = threads_;
  } else {
    shares.threads = useful_threads(threads_, shares.units, work);
  }
  return shares;
}

void Call::fill(Unit& unit, Axes& index, Index first, Index count) const {
  unit.first = first;
  unit.count = count;
  for (Index t = 0; t < count; ++t) {
    batch.unravel(first + t, index);
    unit.tasks[t] = task_at(index);
    unit.inputs[t] = steps_at(index);
    unit.finite[t] = true;
  }
}

bool Call::is_finite(const Task& task, const StepInput& input) const {
  return std::isfinite(task.alpha) && std::isfinite(input.eta) && all_finite(task.y, task.n) &&
         (task.q0.data == nullptr || all_finite(task.q0, task.d)) &&
         (input.schedule.data == nullptr || all_finite(input.schedule, problem.T)) &&
         all_finite(task.X, task.n, task.d);
}

}  // namespace loopcore::python
