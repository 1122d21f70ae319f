// Steps: the step size η_t of every loop.
#pragma once

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "loopcore/lane.hpp"
#include "loopcore/range.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

enum class StepKind {
  given,       // the same η for every loop
  schedule,    // η_t, one a loop
  lambda_max,  // 1 / λ_max, the paper's choice
  optimal,     // 2 / (λ_min + λ_max), the best constant
  chebyshev    // the best T steps taken together
};

/// What a task says of its steps; which fields count depends on the kind.
struct StepInput {
  double eta = 0;       // given
  VectorView schedule;  // (T,)
};

/// The T Chebyshev nodes, as c_k = cos²(φ_k / 2) with φ_k = π (2k+1) / 2T, in the order of Lebedev and
/// Finogenov (1971), carried over from powers of two to every T. The order decides what rounding does on the way: sorted
/// nodes overflow or lose every digit by T = 200 at κ = 10⁴, in this order no product of the factors
/// 1 − η_t λ grew beyond 3·10³ there, for T up to 3,000.
///
/// order(1) = 0
/// order(T), T even: p, T−1−p for every p of order(T/2)
/// order(T), T odd:  the middle node, then order(T−1) around it
inline std::vector<double> chebyshev_nodes(Index T) {
  std::vector<Index> sizes;  // T, …, 1: what the recursion passes through
  for (Index size = T; size > 1; size = size % 2 == 0 ? size / 2 : size - 1) sizes.push_back(size);
  std::vector<Index> order(T > 0 ? 1 : 0, 0);
  order.reserve(static_cast<std::size_t>(T));
  for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
    const Index half = *size / 2;
    if (*size % 2 == 0) {
      order.resize(static_cast<std::size_t>(*size));
      for (Index i = half - 1; i >= 0; --i) {  // from the back, so that it can be done in place
        const Index p = order[static_cast<std::size_t>(i)];
        order[static_cast<std::size_t>(2 * i)] = p;
        order[static_cast<std::size_t>(2 * i + 1)] = *size - 1 - p;
      }
    } else {
      for (Index& p : order) p += p >= half ? 1 : 0;
      order.insert(order.begin(), half);
    }
  }
  std::vector<double> nodes(order.size());
  for (std::size_t t = 0; t < nodes.size(); ++t) {
    const double angle =
        std::numbers::pi * static_cast<double>(2 * order[t] + 1) / static_cast<double>(2 * T);
    nodes[t] = std::pow(std::cos(0.5 * angle), 2);
  }
  return nodes;
}

/// The steps of up to a lane of tasks, ready to use: η_t for t = 0 … T−1, one task an element.
class Steps {
 public:
  static Steps constant(Lane eta) {
    Steps steps;
    steps.eta_ = eta;
    return steps;
  }

  /// η_t = factor · schedule[t] of `count` tasks; elements without a task repeat the first one.
  static Steps scheduled(const VectorView* schedules, Index count, double factor,
                         const Scaling* scalings) {
    return scheduled(schedules, count, Lane::broadcast(factor), scalings);
  }

  /// The same with a factor for every element.
  static Steps scheduled(const VectorView* schedules, Index count, Lane factor,
                         const Scaling* scalings) {
    Steps steps;
    steps.count_ = count;
    steps.factor_ = factor;
    for (Index t = 0; t < count; ++t) {
      const auto k = static_cast<std::size_t>(t);
      steps.schedules_[k] = schedules[t];
      steps.scalings_[k] = scalings[t];
      steps.is_shared_ = steps.is_shared_ && schedules[t].data == schedules[0].data &&
                         schedules[t].stride == schedules[0].stride;
      steps.is_scaled_ = steps.is_scaled_ || !scalings[t].is_identity();
    }
    return steps;
  }

  /// 1/η_t = centre + half width · cos φ_t of [λ_min, λ_max], as λ_max cos²(φ_t/2) + λ_min sin²(φ_t/2):
  /// the first form cancels near λ_min, by 4·10³ u at κ = 10⁴ and T = 200.
  static Steps chebyshev(Lane lambda_min, Lane lambda_max, const double* nodes) {
    Steps steps;
    steps.nodes_ = nodes;
    steps.lambda_min_ = lambda_min;
    steps.lambda_max_ = lambda_max;
    // λ_max = 0: X is zero and so is every step.
    steps.eta_ = select(Lane::zero() < lambda_max, Lane::broadcast(1), Lane::zero());
    return steps;
  }

  Lane operator()(Index t) const {
    if (nodes_ != nullptr) {
      const Lane node = Lane::broadcast(nodes_[t]);
      const Lane rest = Lane::broadcast(1 - nodes_[t]);
      const Lane inverse = lambda_max_ * node + lambda_min_ * rest;
      return eta_ / select(Lane::zero() < eta_, inverse, Lane::broadcast(1));
    }
    return count_ > 0 ? read(t) : eta_;
  }

 private:
  Lane read(Index t) const {
    Lane eta = Lane::broadcast(read(0, t));
    if (!is_shared_) {
      for (Index task = 1; task < count_; ++task) eta.set(task, read(task, t));
    }
    eta = factor_ * eta;
    if (!is_scaled_) return eta;
    for (Index task = 0; task < lane_width; ++task) {
      const Scaling& scaling = scalings_[static_cast<std::size_t>(task < count_ ? task : 0)];
      eta.set(task, scaling.eta(eta[task]));
    }
    return eta;
  }

  double read(Index task, Index t) const {
    double eta;
    schedules_[static_cast<std::size_t>(task)].read(t, 1, &eta);
    return eta;
  }

  Lane eta_ = Lane::zero();
  Index count_ = 0;  // of schedules
  Lane factor_ = Lane::broadcast(1);
  bool is_shared_ = true;   // one schedule
  bool is_scaled_ = false;  // any task
  std::array<VectorView, lane_width> schedules_;
  std::array<Scaling, lane_width> scalings_;
  const double* nodes_ = nullptr;
  Lane lambda_min_ = Lane::zero();
  Lane lambda_max_ = Lane::zero();
};

}  // namespace loopcore
