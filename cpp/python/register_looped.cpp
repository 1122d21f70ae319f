// looped: the general family on whole prompts; see python/loopcore/_attention.py.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "loopcore/looped_plan.hpp"
#include "looped_call.hpp"
#include "looped_rows.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

class LoopedRun : public LoopedCall {
 public:
  using LoopedCall::LoopedCall;

  /// The rows, and whether all are finite.
  py::tuple run(int wanted_threads) {
    const auto readouts = static_cast<Index>(problem.at.size());
    const Index rows = problem.rows() - problem.first_wanted();
    Axes shape = batch.shape();
    shape.push_back(readouts);
    shape.push_back(rows);
    shape.push_back(problem.model.D);
    py::array result =
        make_aligned(shape, float32() ? py::dtype::of<float>() : py::dtype::of<double>());
    void* const data = result.mutable_data();
    std::atomic<bool> finite = true;
    StopFlag flag{.poll = &interrupted};
    const Index unit = prompts_at_once(problem);
    const auto work = [&](int threads) {
      return static_cast<double>(unit) * estimate_work(problem, threads);
    };
    const Shares shares = share_units((batch.size() + unit - 1) / unit, wanted_threads, work);
    const Team team(shares.threads_a_task);
    const auto make_worker = [&](int) {
      auto sink = std::make_unique<Rows>(data, float32(), readouts, rows, problem.first_wanted(),
                                         problem.model.D);
      return
          [this, &finite, unit, engine = make_looped_engine(problem, team), sink = std::move(sink),
           prompts = std::vector<Prompt>(), index = Axes()](Index number, Stop& stop) mutable {
            const Index first = number * unit;
            prompts.clear();
            for (Index t = first; t < std::min(first + unit, batch.size()); ++t) {
              batch.unravel(t, index);
              prompts.push_back(prompt_at(index));
            }
            sink->begin(first);
            run_unit(*engine, prompts, *sink, stop);
            if (!sink->finite()) finite = false;
          };
    };
    {
      const WithoutGil no_gil;
      if (result.size() > 0) for_each_task(shares.units, shares.threads, flag, make_worker);
    }
    if (flag.raised) throw py::error_already_set();
    return py::make_tuple(result, finite.load());
  }

 private:
  void run_unit(LoopedEngine& engine, std::span<const Prompt> prompts, RowSink& sink, Stop& stop) {
    engine.open(prompts, stop);
    Index t = 0;
    for (std::size_t k = 0; k < problem.at.size() && !stop.raised(); ++k) {
      engine.advance(t, problem.at[k], stop);
      t = problem.at[k];
      if (stop.raised()) return;
      engine.write(static_cast<Index>(k), sink, stop);
    }
  }
};

py::tuple looped(const PromptTuple& prompt, const WeightsTuple& weights, const WordsTuple& words,
                 py::handle steps, py::handle T, py::handle at, bool only_queries,
                 py::handle num_threads) {
  LoopedRun call(prompt, weights, words, steps, T);
  call.problem.at = read_at(at, call.problem.T);
  call.problem.only_queries = only_queries;
  return call.run(read_threads(num_threads));
}

}  // namespace

void register_looped(py::module_& module) {
  module.def("looped", &looped,
             "looped(prompt, weights, words, steps, T, at, only_queries, num_threads)\n--\n\n"
             "(rows of looped prompts, (..., K, rows, D), whether all are finite) of the prompt "
             "(X, y, queries, slots), the weights (P, Q, skip) and the words (attention, update, "
             "mask, normalizes_all, mean); see loopcore.LoopedTransformer.",
             py::arg("prompt"), py::arg("weights"), py::arg("words"), py::arg("steps"),
             py::arg("T"), py::arg("at"), py::arg("only_queries"), py::arg("num_threads"));
  module.def(
      "is_short", &is_short,
      "is_short(n, D)\n--\n\n"
      "Whether queries attend to the rows of a context of n tokens of width D, rather than to "
      "its sums.",
      py::arg("n"), py::arg("D"));
}

}  // namespace loopcore::python
