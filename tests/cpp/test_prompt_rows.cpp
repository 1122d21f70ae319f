#include <doctest/doctest.h>

#include <loopcore/lane_layout.hpp>
#include <loopcore/prompt_rows.hpp>

#include "looped.hpp"

using namespace loopcore;
using testing::LoopedCase;
using testing::Storage;

namespace {

/// Checks what it is handed against the tokens themselves.
class Compare : public RowSink {
 public:
  explicit Compare(LoopedCase& looped) : looped_(looped) {}

  void put(Index prompt, Index k, Index row, const double* token) override {
    CHECK(k == 2);
    ++rows;
    for (Index j = 0; j < looped_.sizes.D; ++j) CHECK(token[j] == looped_.z(prompt, row, j));
  }

  int rows = 0;

 private:
  LoopedCase& looped_;
};

}  // namespace

TEST_CASE_TEMPLATE("tokens go into lanes and back, however they are stored", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index D : {1, 5, 8, 9}) {
    for (const Index n : {0, 7, 130}) {
      LoopedCase looped({}, {.D = D, .n = n, .prompts = L::tasks});
      const LoopedProblem& problem = looped.problem;
      for (const Storage storage :
           {Storage::packed, Storage::float32, Storage::columns, Storage::sparse, Storage::parts}) {
        std::vector<loopcore::Prompt> prompts;
        for (Index t = 0; t < L::tasks; ++t) prompts.push_back(looped.prompt(t, storage));
        PromptRows<L> rows(problem);
        CHECK(rows.stride() == L::doubles(D));
        rows.open(prompts);
        Buffer all(problem.rows() * rows.stride());
        Stop stop = testing::never_stop();
        rows.read_all(all.data(), stop);
        Compare compare(looped);
        bool equal = true;
        for (Index i = 0; i < problem.rows(); ++i) {
          double* const row = all.data() + i * rows.stride();
          for (Index k = 0; k < D; ++k) {
            for (Index t = 0; t < L::tasks; ++t) {
              equal = equal && L::entry(row, k, t) == looped.z(t, i, k);
            }
          }
          rows.write(row, i, 2, compare);
        }
        CHECK(equal);
        CHECK(compare.rows == problem.rows() * L::tasks);
      }
    }
  }
}

TEST_CASE("elements without a prompt repeat the first one, and are not handed on") {
  LoopedCase looped({}, {.D = 5, .n = 7, .prompts = 1});
  const std::vector<loopcore::Prompt> prompts = looped.prompts();
  PromptRows<TasksInLanes> rows(looped.problem);
  rows.open(prompts);
  Buffer all(looped.problem.rows() * rows.stride());
  Stop stop = testing::never_stop();
  rows.read_all(all.data(), stop);
  Compare compare(looped);
  for (Index i = 0; i < looped.problem.rows(); ++i) {
    double* const row = all.data() + i * rows.stride();
    for (Index t = 0; t < lane_width; ++t) {
      CHECK(TasksInLanes::entry(row, 4, t) == looped.z(0, i, 4));
    }
    rows.write(row, i, 2, compare);
  }
  CHECK(compare.rows == looped.problem.rows());
}

TEST_CASE("each prompt has its own steps, which mean divides by n; an empty context has none") {
  for (const Index n : {0, 4}) {
    for (const bool mean : {false, true}) {
      LoopedCase looped({.mean = mean}, {.D = 5, .n = n, .T = 3, .prompts = lane_width});
      const std::vector<loopcore::Prompt> prompts = looped.prompts();
      PromptRows<TasksInLanes> lanes(looped.problem);
      lanes.open(prompts);
      for (Index t = 0; t < lane_width; ++t) {
        PromptRows<ColumnsInLanes> alone(looped.problem);
        alone.open({&prompts[static_cast<std::size_t>(t)], 1});
        for (Index loop = 0; loop < 3; ++loop) {
          const double step = *(&looped.step(t, loop) + 1);  // of the second layer
          const double expected = !mean ? step : n == 0 ? 0 : step / 4;
          CHECK(lanes.eta(loop, 1)[t] == expected);
          for (Index k = 0; k < lane_width; ++k) CHECK(alone.eta(loop, 1)[k] == expected);
        }
      }
    }
  }
}
