// A prompt of 20 examples in 4 dimensions, 50 loops, and the generated vector: no Python involved.
#include <cstdio>
#include <loopcore/loopcore.hpp>
#include <random>
#include <vector>

namespace {

/// Keeps q of one task.
class Keep : public loopcore::Readout {
 public:
  void open(loopcore::Engine&, loopcore::Index, loopcore::Index, loopcore::Stop&) override {}
  void record(loopcore::Engine& engine, loopcore::Index, loopcore::Index,
              loopcore::Index) override {
    const loopcore::Lane* lanes = engine.q();  // a vector a task, side by side
    loopcore::unpack(lanes, 0, static_cast<loopcore::Index>(q.size()), q.data());
  }

  std::vector<double> q{0, 0, 0, 0};  // (d,)
};

}  // namespace

int main() {
  using namespace loopcore;
  constexpr Index n = 20;
  constexpr Index d = 4;
  const double theta[d] = {0.5, -0.5, 0.5, 0.5};
  std::mt19937 generator(0);
  std::normal_distribution<double> normal;
  std::vector<double> X(n * d);  // (n, d)
  std::vector<double> y(n, 0);   // (n,)
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < d; ++k) {
      X[i * d + k] = normal(generator);
      y[i] += X[i * d + k] * theta[k];
    }
  }

  const Task task{
      .n = n, .d = d, .X = matrix_view(X.data(), d), .y = vector_view(y.data()), .alpha = 2};
  const Problem problem{.n = n, .d = d, .T = 50, .at = {50}};
  const Team team(1);
  Solver solver(problem, team);  // one a thread; used again, it allocates nothing
  StopFlag flag;
  Stop stop(flag, true);
  Keep keep;
  const StepInput input;
  solver({&task, 1}, {&input, 1}, keep, stop);
  double product = 0;
  for (Index k = 0; k < d; ++k) {
    std::printf("v[%d] = %9.6f\n", static_cast<int>(k), -keep.q[k]);
    product -= keep.q[k] * theta[k];
  }
  std::printf("<v, theta> = %.6f\n", product);
  return product > 1.9999 && product < 2.0001 ? 0 : 1;
}
