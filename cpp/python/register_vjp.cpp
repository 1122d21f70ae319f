// pull_back: the loops of run, taken backwards.
#include <array>
#include <memory>

#include "call.hpp"
#include "gradients.hpp"
#include "loopcore/solve_vjp.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

/// The gradients of all operands, and where those of one task go.
class Gradients {
 public:
  enum Name { of_X, of_y, of_alpha, of_eta, of_schedule, of_q0, names };

  explicit Gradients(const Call& call) {
    const auto [n, d, T] = std::array{call.problem.n, call.problem.d, call.problem.T};
    const auto add = [&](Name name, const Operand& operand, Index core, bool float32) {
      if (operand) all_[name] = Gradient(operand, call.batch, core, float32);
    };
    add(of_X, call.X, n * d, call.float32);
    add(of_y, call.y, n, call.float32);
    add(of_alpha, call.alpha, 1, false);
    add(of_eta, call.eta, 1, false);
    add(of_schedule, call.schedule, T, false);
    add(of_q0, call.q0, d, call.float32);
  }

  Index sum(Index (Gradient::*cores)() const) const {
    Index sum = 0;
    for (const Gradient& gradient : all_) sum += gradient ? (gradient.*cores)() : 0;
    return sum;
  }

  template <class Apply>
  void for_each(Apply&& apply) {
    for (Gradient& gradient : all_) {
      if (gradient) apply(gradient);
    }
  }

  /// `own` as in Gradient, for all operands one after the other.
  Cotangents places(Index task, const Axes& index, double* own) {
    std::array<double*, names> to{};
    for (std::size_t k = 0; k < names; ++k) {
      if (!all_[k]) continue;
      to[k] = all_[k].place(task, index, own);
      own += all_[k].thread_core();
    }
    return {to[of_X], to[of_y], to[of_alpha], to[of_eta], to[of_schedule], to[of_q0]};
  }

  void take(const Axes& index, const double* own) {
    for_each([&](Gradient& gradient) {
      gradient.take(index, own);
      own += gradient.thread_core();
    });
  }

  py::tuple arrays() const {
    py::tuple arrays(static_cast<std::size_t>(names));
    for (std::size_t k = 0; k < names; ++k) {
      if (all_[k]) {
        arrays[k] = all_[k].array();
      } else {
        arrays[k] = py::none();
      }
    }
    return arrays;
  }

 private:
  std::array<Gradient, names> all_;
};

Shares share(const Problem& problem, Index tasks, int threads) {
  const bool packed = is_packed(problem.n, problem.d);
  Shares shares;
  shares.unit = packed ? lane_width : 1;
  shares.units = (tasks + shares.unit - 1) / shares.unit;
  const double work = estimate_vjp_cost(problem) * static_cast<double>(shares.unit);
  constexpr double large = 0x1p22;  // multiply-adds, a millisecond
  if (!packed && work > large && shares.units < 2 * Index{threads}) {
    shares.threads_a_task = threads;
  } else {
    shares.threads = useful_threads(threads, shares.units, work);
  }
  return shares;
}

/// Tasks [first, last) without the GIL.
void pull_back_block(const Call& call, const Operand& v_bar, Gradients& gradients, Index first,
                     Index last, int threads, StopFlag& flag) {
  const Shares shares = share(call.problem, last - first, threads);
  const Team team(shares.threads_a_task);
  const Index own_size = gradients.sum(&Gradient::thread_core);
  const auto make_worker = [&](int) {
    return
        [&, vjp = make_vjp(call.problem, team), unit_in = std::make_unique<Unit>(),
         own = Buffer(shares.unit * own_size), index = Axes()](Index number, Stop& stop) mutable {
          Unit& unit = *unit_in;
          const Index begin = first + number * shares.unit;
          call.fill(unit, index, begin, std::min(shares.unit, last - begin));
          Pulled pulled[lane_width];
          for (Index t = 0; t < unit.count; ++t) {
            call.batch.unravel(begin + t, index);
            pulled[t] = {unit.inputs[t], v_bar.vector_at(index),
                         gradients.places(begin + t, index, own.data() + t * own_size)};
          }
          (*vjp)(unit.tasks_in(), {pulled, static_cast<std::size_t>(unit.count)}, stop);
          for (Index t = 0; t < unit.count && own_size > 0; ++t) {
            call.batch.unravel(begin + t, index);
            gradients.take(index, own.data() + t * own_size);
          }
        };
  };
  gradients.for_each([&](Gradient& gradient) { gradient.open_block(first, last - first); });
  for_each_task(shares.units, shares.threads, flag, make_worker);
  gradients.for_each(
      [&](Gradient& gradient) { gradient.close_block(call.batch, last, threads, flag); });
}

py::tuple pull_back(py::handle given_v_bar, py::handle X, py::handle y, py::handle alpha,
                    py::handle T, py::handle eta, py::handle schedule, py::handle q0,
                    py::handle scale, py::handle num_threads) {
  Call call({X, y, alpha, T, eta, schedule, q0, scale, py::str("auto"), num_threads});
  call.broadcast();
  Operand v_bar(given_v_bar, "v_bar", 1);
  Axes shape = call.batch.shape();
  shape.push_back(call.problem.d);
  if (!(v_bar.shape() == shape)) {
    value_error("v_bar", "expected the shape ", to_text(shape), " of the value, got ",
                to_text(v_bar.shape()));
  }
  v_bar.align_to(call.batch.shape().size());
  Gradients gradients(call);
  const Index tasks = call.batch.size();
  // What is summed over tasks waits for its turn: 32 MiB of it, or one task's.
  const Index unit = is_packed(call.problem.n, call.problem.d) ? lane_width : 1;
  const Index numbers = std::max<Index>(1, gradients.sum(&Gradient::block_core));
  const Index block = std::max(unit, (Index{1} << 22) / numbers / unit * unit);
  const int threads = read_threads(num_threads);
  StopFlag flag{.poll = &interrupted};
  {
    const WithoutGil no_gil;
    for (Index first = 0; first < tasks && !flag.raised; first += block) {
      pull_back_block(call, v_bar, gradients, first, std::min(first + block, tasks), threads, flag);
    }
    gradients.for_each([](Gradient& gradient) { gradient.finish(); });
  }
  if (flag.raised) throw py::error_already_set();
  return gradients.arrays();
}

}  // namespace

void register_vjp(py::module_& module) {
  module.def("pull_back", &pull_back,
             "pull_back(v_bar, X, y, alpha, T, eta, schedule, q0, scale, num_threads)\n--\n\n"
             "The gradients of <v_bar, run(X, y, alpha, T, ...)>, None for what is None; see "
             "loopcore.vjp.",
             py::arg("v_bar"), py::arg("X"), py::arg("y"), py::arg("alpha"), py::arg("T"),
             py::arg("eta"), py::arg("schedule"), py::arg("q0"), py::arg("scale"),
             py::arg("num_threads"));
}

}  // namespace loopcore::python
