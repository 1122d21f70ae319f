// looped_vjp: the reverse pass of the general family; see python/loopcore/_looped_vjp.py.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "loopcore/looped_vjp_plan.hpp"
#include "looped_call.hpp"
#include "looped_rows.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

/// The adjoints of the prompts into Z̄(0), (..., n + m, D), and η̄, (..., T, L) or (..., 1, L).
class Bars final : public LoopedVjpSink {
 public:
  Bars(void* Z_bar, bool float32, double* steps_bar, const LoopedProblem& problem, Index steps)
      : rows_(Z_bar, float32, 1, problem.rows(), 0, problem.model.D),
        steps_bar_(steps_bar),
        steps_(steps),
        layers_(problem.model.layers) {}

  /// The prompts that run together begin at this number.
  void begin(Index prompt) {
    rows_.begin(prompt);
    prompt_ = prompt;
  }

  void put(Index prompt, Index k, Index row, const double* token) override {
    rows_.put(prompt, k, row, token);
  }
  void put_step(Index prompt, Index loop, Index layer, double eta_bar) override {
    const Index step = steps_ == 1 ? 0 : loop;
    steps_bar_[((prompt_ + prompt) * steps_ + step) * layers_ + layer] += eta_bar;
  }

 private:
  Rows rows_;
  double* steps_bar_;
  Index steps_;
  Index layers_;
  Index prompt_ = 0;
};

/// The adjoints of the weights of some prompts in a row, of P, Q and skip one after the other.
class WeightParts {
 public:
  /// Sums over so many units each, added up in order: the same bits for any number of threads.
  WeightParts(const LoopedModel& model, Index units)
      : heads_(model.layers * model.heads * model.D * model.D),
        size_(2 * heads_ + model.D * model.D) {
    const Index most = std::clamp<Index>(most_doubles / size_, 64, 128);
    units_a_part_ = std::max<Index>((units + most - 1) / most, 1);
    parts_ = (units + units_a_part_ - 1) / units_a_part_;
  }

  Index parts() const { return parts_; }
  Index units_a_part() const { return units_a_part_; }

  /// For so many parts at a time: as many as fit 64 MiB, or one a thread.
  void open(WeightBars total, Index threads) {
    total_ = total;
    std::fill_n(total.P, heads_, 0.0);
    std::fill_n(total.Q, heads_, 0.0);
    std::fill_n(total.skip, size_ - 2 * heads_, 0.0);
    at_once_ = std::min(std::max(most_doubles / size_, threads), parts_);
    sums_ = Buffer(at_once_ * size_);
  }
  Index at_once() const { return at_once_; }

  WeightBars part(Index number) {
    double* const sum = sums_.data() + number % at_once_ * size_;
    return {sum, sum + heads_, sum + 2 * heads_};
  }

  /// total ← total + the parts begin … end − 1, which make room for others
  void add_up(Index begin, Index end) {
    for (Index number = begin; number < end; ++number) {
      const double* sum = part(number).P;
      for (Index k = 0; k < heads_; ++k) total_.P[k] += sum[k];
      for (Index k = 0; k < heads_; ++k) total_.Q[k] += sum[heads_ + k];
      for (Index k = 2 * heads_; k < size_; ++k) total_.skip[k - 2 * heads_] += sum[k];
    }
    if (end < parts_) sums_.fill(0);
  }

 private:
  static constexpr Index most_doubles = Index{1} << 23;

  Index heads_;  // the numbers of all P
  Index size_;
  Index units_a_part_ = 1;
  Index parts_ = 0;
  Index at_once_ = 0;
  WeightBars total_;
  Buffer sums_;  // (at once, size)
};

class LoopedVjpCall : public LoopedCall {
 public:
  LoopedVjpCall(const PromptTuple& prompt, const WeightsTuple& weights, const WordsTuple& words,
                py::handle given_steps, py::handle T, py::handle given_bar)
      : LoopedCall(prompt, weights, words, given_steps, T), Z_bar(given_bar, "Z_bar", 2) {
    if (problem.T >= Index{1} << 40) {
      value_error("T", "expected less than 2**40 for gradients, got ", problem.T);
    }
    Batch with_bar = batch;
    const bool has_rows = Z_bar.axes() >= 2 && Z_bar.core_size(0) == problem.rows() &&
                          Z_bar.core_size(1) == problem.model.D;
    if (has_rows) with_bar.include(Z_bar);
    if (!has_rows || !(with_bar.shape() == batch.shape())) {
      Axes expected = batch.shape();
      expected.push_back(problem.rows());
      expected.push_back(problem.model.D);
      value_error("Z_bar", "expected the shape of Z(T), ", to_text(expected), ", got ",
                  to_text(Z_bar.shape()));
    }
    Z_bar.align_to(batch.shape().size());
  }

  py::tuple run(int wanted_threads) {
    const LoopedModel& model = problem.model;
    py::array Z_bar0 = make_result({problem.rows(), model.D}, float32());
    py::array steps_bar = make_result({steps_given(), model.layers}, false);
    void* const Z_bar0_data = Z_bar0.mutable_data();
    double* const steps_bar_data = numbers_of(steps_bar);
    std::fill_n(steps_bar_data, steps_bar.size(), 0.0);
    py::array P_bar = make_weights({model.layers, model.heads, model.D, model.D});
    py::array Q_bar = make_weights({model.layers, model.heads, model.D, model.D});
    py::array skip_bar = make_weights({model.D, model.D});
    const WeightBars total{numbers_of(P_bar), numbers_of(Q_bar), numbers_of(skip_bar)};
    StopFlag flag{.poll = &interrupted};
    const Index unit = vjp_prompts_at_once(problem);
    WeightParts weights(model, (batch.size() + unit - 1) / unit);
    const auto work = [&](int threads) {
      return static_cast<double>(weights.units_a_part() * unit) *
             estimate_vjp_work(problem, threads);
    };
    const Shares shares = share_units(weights.parts(), wanted_threads, work);
    const Team team(shares.threads_a_task);
    weights.open(total, shares.threads);
    std::vector<std::unique_ptr<Worker>> workers(static_cast<std::size_t>(shares.threads));
    Index first = 0;
    const auto make_worker = [&](int thread) {
      auto& worker = workers[static_cast<std::size_t>(thread)];
      if (!worker) {
        worker = std::make_unique<Worker>();
        worker->engine = make_looped_vjp_engine(problem, team);
        worker->sink =
            std::make_unique<Bars>(Z_bar0_data, float32(), steps_bar_data, problem, steps_given());
      }
      return [&, at = worker.get()](Index k, Stop& stop) {
        run_part(first + k, weights, unit, *at, stop);
      };
    };
    {
      const WithoutGil no_gil;
      for (; first < weights.parts() && !flag.raised; first += weights.at_once()) {
        const Index last = std::min(first + weights.at_once(), weights.parts());
        for_each_task(last - first, shares.threads, flag, make_worker);
        weights.add_up(first, last);
      }
    }
    if (flag.raised) throw py::error_already_set();
    return py::make_tuple(Z_bar0, P_bar, Q_bar, skip_bar, steps_bar);
  }

 private:
  /// What a thread needs.
  struct Worker {
    std::unique_ptr<LoopedVjpEngine> engine;
    std::unique_ptr<Bars> sink;
    std::vector<Prompt> prompts;
    std::vector<Prompt> bars;
    Axes index;
  };

  void run_part(Index part, WeightParts& weights, Index unit, Worker& worker, Stop& stop) const {
    const Index first = part * weights.units_a_part();
    for (Index number = first; number < first + weights.units_a_part(); ++number) {
      const Index begin = number * unit;
      if (begin >= batch.size() || stop.raised()) return;
      gather(begin, std::min(begin + unit, batch.size()), worker.index, worker.prompts,
             worker.bars);
      worker.sink->begin(begin);
      worker.engine->run(worker.prompts, worker.bars, weights.part(part), *worker.sink, stop);
    }
  }

  static py::array make_weights(std::initializer_list<Index> sizes) {
    Axes shape;
    for (const Index size : sizes) shape.push_back(size);
    return make_aligned(shape, py::dtype::of<double>());
  }
  static double* numbers_of(py::array& array) { return static_cast<double*>(array.mutable_data()); }

  py::array make_result(std::initializer_list<Index> core, bool float32) const {
    Axes shape = batch.shape();
    for (const Index size : core) shape.push_back(size);
    return make_aligned(shape, float32 ? py::dtype::of<float>() : py::dtype::of<double>());
  }

  void gather(Index begin, Index end, Axes& index, std::vector<Prompt>& prompts,
              std::vector<Prompt>& bars) const {
    prompts.clear();
    bars.clear();
    for (Index t = begin; t < end; ++t) {
      batch.unravel(t, index);
      prompts.push_back(prompt_at(index));
      bars.push_back(literal_prompt(Z_bar.matrix_at(index), problem.n, problem.model.D));
    }
  }

  Operand Z_bar;  // (..., n + m, D)
};

py::tuple looped_vjp(const PromptTuple& prompt, const WeightsTuple& weights,
                     const WordsTuple& words, py::handle steps, py::handle T, py::handle Z_bar,
                     py::handle num_threads) {
  LoopedVjpCall call(prompt, weights, words, steps, T, Z_bar);
  return call.run(read_threads(num_threads));
}

}  // namespace

void register_looped_vjp(py::module_& module) {
  module.def("looped_vjp", &looped_vjp,
             "looped_vjp(prompt, weights, words, steps, T, Z_bar, num_threads)\n--\n\n"
             "The adjoints of Z and the steps, a prompt each, and of P, Q and skip, summed over "
             "all prompts: (Z_bar, P_bar, Q_bar, skip_bar, steps_bar); arguments as for looped.",
             py::arg("prompt"), py::arg("weights"), py::arg("words"), py::arg("steps"),
             py::arg("T"), py::arg("Z_bar"), py::arg("num_threads"));
}

}  // namespace loopcore::python
