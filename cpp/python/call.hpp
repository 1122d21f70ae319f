// Call: the arguments that run, trajectory and errors share, checked, and the tasks run over threads.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "arrays.hpp"
#include "gil.hpp"
#include "loopcore/solve.hpp"
#include "options.hpp"
#include "svd.hpp"

namespace loopcore::python {

inline int read_threads(py::handle num_threads) {
  if (num_threads.is_none()) return default_threads();
  // OpenMP ends the process where the system refuses a thread, and no machine gains by so many.
  const Index most = std::max<Index>(default_threads(), 4 * Index{processors()});
  return static_cast<int>(std::min(read_index(num_threads, "num_threads", 1), most));
}

inline bool read_scale(py::handle scale) {
  return read_word<bool>(scale, "scale", {{"sum", false}, {"mean", true}});
}

/// The loops after which to read out: `at`, or 0 … T.
inline std::vector<Index> read_at(py::handle at, Index T) {
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

/// The arguments as they came.
struct Arguments {
  py::handle X, y, alpha, T, eta, schedule, q0, scale, path, num_threads;
};

/// Some tasks in a row, which one thread runs together.
struct Unit {
  Index first = 0;
  Index count = 0;
  Task tasks[lane_width];
  StepInput inputs[lane_width];
  bool finite[lane_width];

  std::span<const Task> tasks_in() const { return {tasks, static_cast<std::size_t>(count)}; }
  std::span<const StepInput> inputs_in() const { return {inputs, static_cast<std::size_t>(count)}; }
};

/// How the work is shared out: units of tasks over threads, or the threads of a team on each task.
struct Shares {
  Index unit = 1;  // tasks
  Index units = 0;
  int threads = 1;
  int threads_a_task = 1;
};

class Call {
 public:
  explicit Call(const Arguments& given)
      : X(given.X, "X", 2), y(given.y, "y", 1), alpha(given.alpha, "alpha", 0) {
    check_prompt();
    problem.T = read_index(given.T, "T", 0);
    problem.mean = read_scale(given.scale);
    problem.path = read_word<Path>(given.path, "path",
                                   {{"auto", Path::automatic},
                                    {"stream", Path::stream},
                                    {"gram", Path::gram},
                                    {"power", Path::power},
                                    {"tridiagonal", Path::tridiagonal}});
    problem.epsilon = X.float32() ? 0x1p-23 : 0x1p-52;
    threads_ = read_threads(given.num_threads);
    read_steps(given.eta, given.schedule);
    if (problem.path == Path::power && !is_constant(problem.kind)) {
      value_error("path", "expected 'power' with one step size for all loops, got ",
                  problem.kind == StepKind::schedule ? "a schedule" : "eta='chebyshev'");
    }
    if (!given.q0.is_none()) q0 = read_vector(given.q0, "q0");
    float32 = X.float32() && y.float32() && (!q0 || q0.float32());
  }

  /// A vector of length d a task.
  Operand read_vector(py::handle value, const char* name) const {
    Operand operand(value, name, 1);
    if (operand.axes() < 1 || operand.core_size(0) != problem.d) {
      value_error(name, "expected d = ", problem.d, " entries on its last axis to match X ",
                  to_text(X.shape()), ", got shape ", to_text(operand.shape()));
    }
    return operand;
  }

  /// Settles the batch, once every operand is known. `extra` may be empty.
  void broadcast(Operand* extra = nullptr) {
    const auto operands = {&X, &y, &alpha, &eta, &schedule, &q0, extra};
    for (const Operand* operand : operands) {
      if (operand != nullptr && *operand) batch.include(*operand);
    }
    for (Operand* operand : operands) {
      if (operand != nullptr && *operand) operand->align_to(batch.shape().size());
    }
  }

  void refuse_overlap(const Output& output) const {
    for (const Operand* operand : {&X, &y, &alpha, &eta, &schedule, &q0})
      output.refuse_overlap(*operand);
  }

  Task task_at(const Axes& index) const {
    Task task;
    task.n = problem.n;
    task.d = problem.d;
    task.X = X.matrix_at(index);
    task.y = y.vector_at(index);
    if (q0) task.q0 = q0.vector_at(index);
    task.alpha = alpha.number_at(index);
    return task;
  }

  StepInput steps_at(const Axes& index) const {
    StepInput input;
    if (eta) input.eta = eta.number_at(index);
    if (schedule) {
      const bool one_a_loop = schedule.axes() > 0 && schedule.core_size(0) > 1;
      input.schedule = {schedule.at(index), one_a_loop ? schedule.core_stride(0) : 0,
                        schedule.load()};
    }
    return input;
  }

  int threads() const { return threads_; }

  /// Whether everything that went into a task is finite. Asked only of tasks whose result is not.
  bool is_finite(const Task& task, const StepInput& input) const;

  /// What a caller whose tasks diverge can do.
  const char* advice() const {
    const bool given = problem.kind == StepKind::given || problem.kind == StepKind::schedule;
    return given ? "use a smaller step size (eta=None is always stable)"
                 : "the numbers leave the range of the result's type";
  }

  /// Runs all tasks without the GIL. make_readout(unit) is called once a thread and returns the Readout
  /// of the tasks that stand in the unit; it clears unit.finite where a result is not. Warns of the tasks
  /// that diverged.
  using MakeReadout = std::function<std::unique_ptr<Readout>(Unit&)>;
  void execute(const MakeReadout& make_readout);

  /// The unit of `count` tasks from number `first` on; `index` is work space.
  void fill(Unit& unit, Axes& index, Index first, Index count) const;

  Operand X;         // (..., n, d)
  Operand y;         // (..., n)
  Operand alpha;     // (...)
  Operand eta;       // (...)
  Operand schedule;  // (..., T), or with one entry for all loops
  Operand q0;        // (..., d)
  Batch batch;
  Problem problem;
  bool float32 = false;

 private:
  void check_prompt() {
    if (X.axes() < 2) value_error("X", "expected shape (..., n, d), got ", to_text(X.shape()));
    problem.n = X.core_size(0);
    problem.d = X.core_size(1);
    if (y.axes() < 1 || y.core_size(0) != problem.n) {
      value_error("y", "expected n = ", problem.n, " entries on its last axis to match X ",
                  to_text(X.shape()), ", got shape ", to_text(y.shape()));
    }
  }

  void read_steps(py::handle given_eta, py::handle given_schedule) {
    if (!given_schedule.is_none()) {
      if (!given_eta.is_none()) value_error("eta", "expected eta or schedule, got both");
      problem.kind = StepKind::schedule;
      schedule = Operand(given_schedule, "schedule", 1);
      if (schedule.axes() > 0 && schedule.core_size(0) != problem.T && schedule.core_size(0) != 1) {
        value_error("schedule", "expected T = ", problem.T,
                    " entries on its last axis, or 1, got shape ", to_text(schedule.shape()));
      }
    } else if (given_eta.is_none()) {
      problem.kind = StepKind::lambda_max;
    } else if (PyUnicode_Check(given_eta.ptr())) {
      problem.kind = read_word<StepKind>(
          given_eta, "eta", {{"optimal", StepKind::optimal}, {"chebyshev", StepKind::chebyshev}});
      if (problem.kind == StepKind::chebyshev && problem.T >= Index{1} << 32) {
        value_error("T",
                    "expected less than 2**32 with eta='chebyshev', whose steps are all kept, got ",
                    problem.T);
      }
    } else {
      problem.kind = StepKind::given;
      eta = Operand(given_eta, "eta", 0);
    }
  }

  Shares share() const;

  int threads_ = 1;
};

}  // namespace loopcore::python
