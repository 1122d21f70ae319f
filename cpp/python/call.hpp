// Call: the arguments that run, trajectory and errors share, checked, and the tasks run over threads.
#pragma once

#include <cmath>
#include <mutex>
#include <utility>

#include "arrays.hpp"
#include "loopcore/loopcore.hpp"
#include "options.hpp"
#include "svd.hpp"

namespace loopcore::python {

/// Asked by the kernels now and then: has the user pressed Ctrl-C? The Python error stays set.
inline bool interrupted() {
  const py::gil_scoped_acquire gil;
  return PyErr_CheckSignals() != 0;
}

inline int read_threads(py::handle num_threads) {
  if (num_threads.is_none()) return default_threads();
  // OpenMP ends the process where the system refuses a thread, and no machine gains by so many.
  const Index most = std::max<Index>(default_threads(), 4 * Index{processors()});
  return static_cast<int>(std::min(read_index(num_threads, "num_threads", 1), most));
}

inline bool read_scale(py::handle scale) {
  return read_word<bool>(scale, "scale", {{"sum", false}, {"mean", true}});
}

/// The arguments as they came.
struct Arguments {
  py::handle X, y, alpha, T, eta, schedule, q0, scale, path, num_threads;
};

class Call {
 public:
  explicit Call(const Arguments& given)
      : X(given.X, "X", 2), y(given.y, "y", 1), alpha(given.alpha, "alpha", 0) {
    check_prompt();
    problem.T = read_index(given.T, "T", 0);
    problem.mean = read_scale(given.scale);
    problem.path = read_word<Path>(
        given.path, "path",
        {{"auto", Path::automatic}, {"stream", Path::stream}, {"gram", Path::gram}});
    problem.epsilon = X.float32() ? 0x1p-23 : 0x1p-52;
    threads_ = read_threads(given.num_threads);
    read_steps(given.eta, given.schedule);
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

  /// Runs all tasks without the GIL. make_reader() is called once a thread; what it returns is called
  /// as reader(index, task, stop) before the loops of a task and returns the record(k, q) they call.
  /// Warns of the tasks that diverged.
  template <class MakeReader>
  void execute(MakeReader&& make_reader);

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

  /// Whether the value is finite in the type of the result.
  bool is_representable(double value) const {
    return std::isfinite(float32 ? static_cast<double>(static_cast<float>(value)) : value);
  }

  bool is_finite(const Task& task, const StepInput& input) const;
  void warn(Index diverged, Index first) const;

  int threads_ = 1;
};

/// The first of the tasks that diverged, and how many they are.
class Divergence {
 public:
  void add(Index task) {
    const std::lock_guard lock(mutex_);
    first = count == 0 ? task : std::min(first, task);
    ++count;
  }

  Index count = 0;
  Index first = 0;

 private:
  std::mutex mutex_;
};

template <class MakeReader>
void Call::execute(MakeReader&& make_reader) {
  Divergence divergence;
  StopFlag flag{.poll = &interrupted};
  const auto make_worker = [&] {
    return [this, &divergence, solver = Solver(problem), reader = make_reader(), index = Axes()](
               Index number, Stop& stop) mutable {
      batch.unravel(number, index);
      const Task task = task_at(index);
      const StepInput input = steps_at(index);
      auto record = reader(index, task, stop);
      bool finite = true;
      solver(task, input, stop, [&](Index k, const double* q) {
        for (Index i = 0; i < problem.d; ++i) finite = finite && is_representable(q[i]);
        record(k, q);
      });
      if (!finite && !stop.raised() && is_finite(task, input)) divergence.add(number);
    };
  };
  {
    const py::gil_scoped_release no_gil;
    const Index tasks = batch.size();
    const Cost cost = estimate_cost(problem.n, problem.d, problem.T, problem.kind);
    const int threads = useful_threads(threads_, tasks, std::min(cost.stream, cost.gram));
    if (tasks > 0) for_each_task(tasks, threads, flag, make_worker);
  }
  if (flag.raised) throw py::error_already_set();
  if (divergence.count > 0) warn(divergence.count, divergence.first);
}

}  // namespace loopcore::python
