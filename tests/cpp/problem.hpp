// Random prompts, and the loop in long double to hold the kernels against.
#pragma once

#include <cmath>
#include <loopcore/loopcore.hpp>
#include <random>
#include <vector>

// Compiled once, in main.cpp: it takes half a minute.
extern template class Eigen::BDCSVD<Eigen::MatrixXd>;

namespace loopcore::testing {

template <class S>
VectorView view(const std::vector<S>& values) {
  return vector_view(values.data());
}

template <class S>
MatrixView view(const std::vector<S>& values, Index columns) {
  return matrix_view(values.data(), columns);
}

/// Gaussian X and q0, y = X θ* with a Gaussian θ*, times 10^exponent.
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

  /// ‖X‖² by the power method, in long double.
  long double lambda_max() const {
    std::vector<long double> v(static_cast<std::size_t>(d), 1.0L);
    long double lambda = 0;
    for (int step = 0; step < 5000; ++step) {
      std::vector<long double> w(v.size(), 0.0L);
      for (Index i = 0; i < n; ++i) {
        long double r = 0;
        for (Index k = 0; k < d; ++k)
          r += static_cast<long double>(x(i, k)) * v[static_cast<std::size_t>(k)];
        for (Index k = 0; k < d; ++k)
          w[static_cast<std::size_t>(k)] += r * static_cast<long double>(x(i, k));
      }
      long double norm = 0;
      for (const long double value : w) norm += value * value;
      norm = std::sqrt(norm);
      lambda = norm;
      for (std::size_t k = 0; k < v.size(); ++k) v[k] = w[k] / norm;
    }
    return lambda;
  }

  /// q(T), literally, in long double.
  template <class Eta>
  std::vector<long double> loops(Index T, long double alpha, Eta&& eta) const {
    std::vector<long double> q(q0.begin(), q0.end());
    for (Index t = 0; t < T; ++t) {
      std::vector<long double> g(q.size(), 0.0L);
      for (Index i = 0; i < n; ++i) {
        long double r = alpha * static_cast<long double>(y[static_cast<std::size_t>(i)]);
        for (Index k = 0; k < d; ++k)
          r += static_cast<long double>(x(i, k)) * q[static_cast<std::size_t>(k)];
        for (Index k = 0; k < d; ++k)
          g[static_cast<std::size_t>(k)] += r * static_cast<long double>(x(i, k));
      }
      for (std::size_t k = 0; k < q.size(); ++k) q[k] -= eta(t) * g[k];
    }
    return q;
  }

  Index n;
  Index d;
  std::vector<S> X;   // (n, d)
  std::vector<S> y;   // (n,)
  std::vector<S> q0;  // (d,)
};

/// ‖a − b‖ / ‖b‖
template <class A, class B>
double relative_difference(const A& a, const B& b) {
  long double difference = 0;
  long double norm = 0;
  for (std::size_t k = 0; k < b.size(); ++k) {
    const long double delta = static_cast<long double>(a[k]) - static_cast<long double>(b[k]);
    difference += delta * delta;
    norm += static_cast<long double>(b[k]) * static_cast<long double>(b[k]);
  }
  return static_cast<double>(std::sqrt(difference) / std::sqrt(norm));
}

inline Stop never_stop() {
  static StopFlag flag;
  return Stop(flag, true);
}

inline constexpr std::pair<Index, Index> shapes[] = {
    {1, 1},   {1, 5},   {2, 1},  {3, 3},  {5, 9},   {7, 4},    {20, 4},
    {40, 20}, {64, 64}, {63, 7}, {65, 8}, {129, 9}, {300, 33}, {31, 200}};

}  // namespace loopcore::testing
