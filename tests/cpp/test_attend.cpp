#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <loopcore/attend.hpp>
#include <loopcore/task_matrix.hpp>
#include <random>
#include <utility>
#include <vector>

using namespace loopcore;
using Real = long double;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Attention attentions[] = {Attention::linear, Attention::relu, Attention::exp,
                                    Attention::softmax};

/// Keys and rows that attend to them, of each task.
template <class L>
struct Scene {
  Scene(Index keys_, Index D_, Index count)
      : n(keys_), D(D_), Z(n, D), U(AttendingRows::most, D), keys(n, D) {
    std::mt19937 generator(static_cast<unsigned>(n + D));
    std::normal_distribution<double> normal;
    fill(Z, n, [&] { return normal(generator); });
    fill(U, AttendingRows::most, [&] { return normal(generator); });
    rows.count = count;
    rows.visible.fill(n);
    rows.counted.fill(n);
    open();
  }

  /// After a change to Z.
  void open() {
    keys.assign(Z.row(0), n, Z.stride());
    rows.u = U.row(0);
  }

  template <class Draw>
  void fill(TaskMatrix<L>& A, Index size, Draw&& draw) {
    for (Index i = 0; i < size; ++i) {
      for (Index k = 0; k < D; ++k) {
        for (Index t = 0; t < L::tasks; ++t) L::entry(A.row(i), k, t) = draw();
      }
    }
  }

  /// The score of a key, and Σ_k |u_k z_k|.
  std::pair<Real, Real> score(Index r, Index j, Index t) {
    Real sum = 0, magnitude = 0;
    for (Index k = 0; k < D; ++k) {
      const Real term = static_cast<Real>(L::entry(U.row(r), k, t)) * L::entry(Z.row(j), k, t);
      sum += term;
      magnitude += std::abs(term);
    }
    return {sum, magnitude};
  }

  /// w_rj for all keys, literally.
  std::vector<Real> weights(Attention attention, Index r, Index t) {
    const auto row = static_cast<std::size_t>(r);
    std::vector<Real> w;
    Real total = 0, largest = -infinity;
    for (Index j = 0; j < rows.counted[row]; ++j) largest = std::max(largest, score(r, j, t).first);
    for (Index j = 0; j < n; ++j) {
      const Real s = score(r, j, t).first;
      switch (attention) {
        case Attention::linear: w.push_back(s); break;
        case Attention::relu: w.push_back(std::max<Real>(s, 0)); break;
        case Attention::exp: w.push_back(std::exp(s)); break;
        case Attention::softmax: w.push_back(std::exp(s - largest)); break;
      }
      if (j < rows.counted[row]) total += w.back();
      if (j >= rows.visible[row]) w.back() = 0;
    }
    for (Real& weight : w) {
      if (attention == Attention::softmax && total > 0) weight /= total;
    }
    return w;
  }

  /// How far a weight may be off, in units of u.
  Real slack(Attention attention, Index r, Index j, Index t, Real w) {
    const Real magnitude = score(r, j, t).second;
    const bool is_exp = attention == Attention::exp || attention == Attention::softmax;
    const Real of_score = static_cast<Real>(D + 2) * magnitude;
    return is_exp ? w * (of_score + 8 + static_cast<Real>(n)) : of_score;
  }

  Index n, D;
  TaskMatrix<L> Z, U;
  Keys<L> keys;
  AttendingRows rows;
};

/// What the rows receive, from the keys in so many parts.
template <class L>
TaskMatrix<L> receive(const Scene<L>& scene, Attention attention, Index panel, Index parts) {
  TaskMatrix<L> out(AttendingRows::most, scene.D);
  out.fill(infinity);
  Attend<L> attend(attention, scene.D, panel), other(attention, scene.D, panel);
  const Index lanes = L::lanes(scene.rows.keys());
  const auto begin = [&](Index part) { return lanes * part / parts; };
  attend.pass(scene.keys, scene.rows, 0, begin(1));
  for (Index part = 1; part < parts; ++part) {
    other.pass(scene.keys, scene.rows, begin(part), begin(part + 1));
    attend.add(other, scene.rows);
  }
  attend.finish(scene.rows, out.row(0));
  return out;
}

template <class L>
void check_received(Scene<L>& scene, Attention attention, Index panel, Index parts = 1) {
  TaskMatrix<L> out = receive(scene, attention, panel, parts);
  bool close = true;
  for (Index r = 0; r < scene.rows.count; ++r) {
    for (Index t = 0; t < L::tasks; ++t) {
      const std::vector<Real> w = scene.weights(attention, r, t);
      for (Index k = 0; k < scene.D; ++k) {
        Real exact = 0, slack = 0;
        for (Index j = 0; j < scene.n; ++j) {
          const Real w_j = w[static_cast<std::size_t>(j)];
          const Real z = L::entry(scene.Z.row(j), k, t);
          exact += w_j * z;
          if (j < scene.rows.visible[static_cast<std::size_t>(r)]) {
            const Real rounding = static_cast<Real>(scene.n + 4) * std::abs(w_j);
            slack += std::abs(z) * (scene.slack(attention, r, j, t, w_j) + rounding);
          }
        }
        close = close && std::abs(L::entry(out.row(r), k, t) - exact) <= slack * 0x1p-53L;
      }
    }
  }
  CAPTURE(static_cast<int>(attention));
  CAPTURE(scene.n);
  CAPTURE(panel);
  CAPTURE(parts);
  CHECK(close);
}

template <class L>
void check_weights(Scene<L>& scene, Attention attention) {
  Attend<L> attend(attention, scene.D, std::max<Index>(L::lanes(scene.n), 1));
  attend.weigh_all(scene.keys, scene.rows);
  bool close = true;
  for (Index r = 0; r < scene.rows.count; ++r) {
    for (Index t = 0; t < L::tasks; ++t) {
      const std::vector<Real> w = scene.weights(attention, r, t);
      for (Index j = 0; j < scene.rows.keys(); ++j) {
        const Real w_j = w[static_cast<std::size_t>(j)];
        const Index lane = L::tasks > 1 ? j : j / lane_width;
        const double found = attend.weight(r, lane)[L::tasks > 1 ? t : j % lane_width];
        const bool hidden = j >= scene.rows.visible[static_cast<std::size_t>(r)];
        const Real slack = hidden ? 0 : scene.slack(attention, r, j, t, w_j) * 0x1p-53L;
        close = close && std::abs(found - w_j) <= slack;
      }
    }
  }
  CAPTURE(static_cast<int>(attention));
  CAPTURE(scene.n);
  CHECK(close);
}

/// The scores are those of the first number alone.
template <class L>
void set_scores(Scene<L>& scene, const std::vector<double>& scores) {
  for (Index t = 0; t < L::tasks; ++t) {
    for (Index r = 0; r < AttendingRows::most; ++r) {
      for (Index k = 0; k < scene.D; ++k) L::entry(scene.U.row(r), k, t) = k == 0 ? 1 : 0;
    }
    for (Index j = 0; j < scene.n; ++j) {
      L::entry(scene.Z.row(j), 0, t) = scores[static_cast<std::size_t>(j)];
    }
  }
  scene.open();
}

/// Softmax picks this key, and nothing of another is left.
template <class L>
void check_picks(Scene<L>& scene, Index key) {
  for (const auto& [panel, parts] : {std::pair<Index, Index>{1, 1}, {2, 1}, {32, 1}, {1, 3}}) {
    TaskMatrix<L> out = receive(scene, Attention::softmax, panel, parts);
    for (Index r = 0; r < scene.rows.count; ++r) {
      for (Index k = 0; k < scene.D; ++k) {
        for (Index t = 0; t < L::tasks; ++t) {
          CHECK(L::entry(out.row(r), k, t) == L::entry(scene.Z.row(key), k, t));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("rows receive Σ_j h(u·z_j) z_j, over one panel of keys or many", L, TasksInLanes,
                   ColumnsInLanes) {
  for (const Index n : {1, 3, 8, 9, 40}) {
    for (const Index D : {1, 5, 9}) {
      for (Index count = 1; count <= AttendingRows::most; ++count) {
        Scene<L> scene(n, D, count);
        for (const Attention attention : attentions) {
          for (const Index panel : {1, 3, 32}) check_received(scene, attention, panel);
          for (const Index parts : {2, 5}) check_received(scene, attention, 2, parts);
          check_weights(scene, attention);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("a row sees its keys alone, and softmax counts more than it sees", L,
                   TasksInLanes, ColumnsInLanes) {
  for (const Index n : {4, 9, 40}) {
    Scene<L> scene(n, 5, 4);
    for (const bool counts_all : {false, true}) {
      for (Index first : {1, 2, 3}) {
        for (Index r = 0; r < 4; ++r) {
          const auto row = static_cast<std::size_t>(r);
          scene.rows.visible[row] = std::min(first + r, n);
          scene.rows.counted[row] = counts_all ? n : scene.rows.visible[row];
        }
        CHECK(scene.rows.keys() == (counts_all ? n : std::min(first + 3, n)));
        for (const Attention attention : attentions) {
          for (const Index panel : {1, 2, 32}) check_received(scene, attention, panel);
          for (const Index parts : {2, 5}) check_received(scene, attention, 1, parts);
          check_weights(scene, attention);
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("without keys nothing is received", L, TasksInLanes, ColumnsInLanes) {
  for (const Attention attention : attentions) {
    Scene<L> scene(0, 5, 3);
    check_received(scene, attention, 32);
    check_weights(scene, attention);
    Scene<L> some(9, 5, 3);
    some.rows.visible.fill(0);  // all of them hidden
    check_received(some, attention, 1);
    check_weights(some, attention);
  }
}

TEST_CASE_TEMPLATE("softmax follows a maximum that grows from panel to panel, and beyond exp", L,
                   TasksInLanes, ColumnsInLanes) {
  constexpr Index n = 40;
  Scene<L> scene(n, 5, 3);
  std::vector<double> scores(n);
  for (const double step : {100.0, -100.0, 1e4, -1e4, 1e300}) {
    for (std::size_t j = 0; j < n; ++j) scores[j] = step * (static_cast<double>(j) + 0.5);
    set_scores(scene, scores);
    check_picks(scene, step > 0 ? n - 1 : 0);
  }
  for (std::size_t j = 0; j < n; ++j) scores[j] = j == 17 ? 800 : -800;
  set_scores(scene, scores);
  check_picks(scene, 17);
  for (std::size_t j = 0; j < n; ++j) scores[j] = 800 + static_cast<double>(j) / 10;
  set_scores(scene, scores);
  for (const Index panel : {1, 2, 32}) check_received(scene, Attention::softmax, panel);
  for (std::size_t j = 0; j < n; ++j) scores[j] = -800 - static_cast<double>(j) / 10;
  set_scores(scene, scores);
  for (const Index panel : {1, 2, 32}) check_received(scene, Attention::softmax, panel);
}

TEST_CASE_TEMPLATE("panels of scores of −Inf, or of keys that a row does not count, weigh nothing",
                   L, TasksInLanes, ColumnsInLanes) {
  constexpr Index n = 40;
  Scene<L> scene(n, 5, 3);
  set_scores(scene, std::vector<double>(n));
  for (Index t = 0; t < L::tasks; ++t) {
    for (Index j = 0; j < n; ++j) L::entry(scene.Z.row(j), 0, t) = j + 1 < n ? -1e200 : -1e-200;
    for (Index r = 0; r < 3; ++r) L::entry(scene.U.row(r), 0, t) = 1e200;
  }
  scene.open();
  check_picks(scene, n - 1);

  Scene<L> mixed(n, 5, 3);
  mixed.rows.counted[1] = mixed.rows.visible[1] = 0;
  for (const Attention attention : attentions) {
    for (const Index panel : {1, 2, 32}) check_received(mixed, attention, panel);
    check_received(mixed, attention, 1, 3);
    check_weights(mixed, attention);
  }
}

TEST_CASE_TEMPLATE("exp overflows to Inf, and underflows to nothing", L, TasksInLanes,
                   ColumnsInLanes) {
  Scene<L> scene(3, 1, 1);
  set_scores(scene, {1, 800, 2});
  Attend<L> attend(Attention::exp, 1);
  TaskMatrix<L> out(1, 1);
  attend(scene.keys, scene.rows, out.row(0));
  CHECK(L::entry(out.row(0), 0, 0) == infinity);
  set_scores(scene, {-800, -900, -1000});
  attend(scene.keys, scene.rows, out.row(0));
  CHECK(L::entry(out.row(0), 0, 0) == 0);
}
