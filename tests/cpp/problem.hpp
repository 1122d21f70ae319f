// Random prompts, and what the tests of the kernels have in common.
#pragma once

#include <cmath>
#include <loopcore/lane.hpp>
#include <loopcore/stop.hpp>
#include <loopcore/types.hpp>
#include <random>
#include <utility>
#include <vector>

namespace loopcore::testing {

template <class S>
VectorView view(const std::vector<S>& values) {
  return vector_view(values.data());
}

template <class S>
MatrixView view(const std::vector<S>& values, Index columns) {
  return matrix_view(values.data(), columns);
}

/// Gaussian X and q0, y = X θ* with a Gaussian θ*; X times 10^exponent.
template <class S = double>
struct Prompt {
  Prompt(Index n_, Index d_, unsigned seed = 0, double exponent = 0)
      : n(n_),
        d(d_),
        X(static_cast<std::size_t>(n * d)),
        y(static_cast<std::size_t>(n)),
        q0(static_cast<std::size_t>(d)) {
    std::mt19937 generator(seed);
    std::normal_distribution<double> normal;
    std::vector<double> theta(static_cast<std::size_t>(d));
    for (S& x : X) x = static_cast<S>(normal(generator) * std::pow(10.0, exponent));
    for (S& q : q0) q = static_cast<S>(normal(generator));
    for (double& t : theta) t = normal(generator);
    for (Index i = 0; i < n; ++i) {
      double sum = 0;
      for (Index k = 0; k < d; ++k)
        sum += static_cast<double>(x(i, k)) * theta[static_cast<std::size_t>(k)];
      y[static_cast<std::size_t>(i)] = static_cast<S>(sum);
    }
  }

  S x(Index i, Index k) const { return X[static_cast<std::size_t>(i * d + k)]; }

  Task task(double alpha = 1) const {
    Task task;
    task.n = n;
    task.d = d;
    task.X = view(X, d);
    task.y = view(y);
    task.q0 = view(q0);
    task.alpha = alpha;
    return task;
  }

  Index n;
  Index d;
  std::vector<S> X;   // (n, d)
  std::vector<S> y;   // (n,)
  std::vector<S> q0;  // (d,)
};

inline Stop never_stop() {
  static StopFlag flag;
  return Stop(flag, true);
}

/// The vector of one element of a lane, (count,).
inline std::vector<double> element(const Lane* lanes, Index t, Index count) {
  std::vector<double> values;
  for (Index k = 0; k < count; ++k) values.push_back(lanes[k][t]);
  return values;
}

inline constexpr std::pair<Index, Index> shapes[] = {
    {1, 1},   {1, 5},   {2, 1},  {3, 3},  {5, 9},   {7, 4},    {20, 4},
    {40, 20}, {64, 64}, {63, 7}, {65, 8}, {129, 9}, {300, 33}, {31, 100}};

}  // namespace loopcore::testing
