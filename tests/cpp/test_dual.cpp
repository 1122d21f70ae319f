#include <doctest/doctest.h>

#include <loopcore/dual.hpp>

#include "exact.hpp"

using namespace loopcore;

TEST_CASE("c = X q(0) + α y and q = q(0) + Xᵀ w, for tasks on one X") {
  for (const auto& [n, d] : {std::pair<Index, Index>{1, 3}, {7, 40}, {70, 90}}) {
    const testing::Prompt<float> prompt(n, d);
    std::vector<testing::Prompt<>> others;
    std::vector<Task> tasks;
    Lane alpha = Lane::zero();
    for (Index t = 0; t < lane_width; ++t) {
      others.emplace_back(n, d, static_cast<unsigned>(t + 5));
      alpha.set(t, static_cast<double>(t) - 1.5);
    }
    Array<Lane> q0(d), c(n), w(n), q(d);
    for (Index t = 0; t < lane_width; ++t) {
      const auto& other = others[static_cast<std::size_t>(t)];
      tasks.push_back(prompt.task());
      tasks.back().y = testing::view(other.y);
      for (Index k = 0; k < d; ++k) q0[k].set(t, other.q0[static_cast<std::size_t>(k)]);
      for (Index i = 0; i < n; ++i) w[i].set(t, other.x(i, 0));
    }
    const std::vector<Scaling> scalings(tasks.size());
    Dual dual(n, d);
    dual.start(tasks, scalings.data(), alpha, q0.data(), c.data());
    std::copy_n(q0.data(), d, q.data());
    dual.read_out(w.data(), lane_width, q.data());
    for (Index t = 0; t < lane_width; ++t) {
      testing::Vector exact_c, exact_q;
      for (Index i = 0; i < n; ++i) {
        testing::Real sum = static_cast<testing::Real>(alpha[t]) *
                            others[static_cast<std::size_t>(t)].y[static_cast<std::size_t>(i)];
        for (Index k = 0; k < d; ++k) {
          sum += static_cast<testing::Real>(prompt.x(i, k)) * q0[k][t];
        }
        exact_c.push_back(sum);
      }
      for (Index k = 0; k < d; ++k) {
        testing::Real sum = q0[k][t];
        for (Index i = 0; i < n; ++i) sum += static_cast<testing::Real>(prompt.x(i, k)) * w[i][t];
        exact_q.push_back(sum);
      }
      CHECK(testing::relative_difference(testing::element(c.data(), t, n), exact_c) < 1e-14);
      CHECK(testing::relative_difference(testing::element(q.data(), t, d), exact_q) < 1e-14);
    }
  }
}
