// Readouts: what run, trajectory and errors write while the loops run.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "call.hpp"
#include "loopcore/least_squares.hpp"

namespace loopcore::python {

/// v = −q, and 0 rather than −0 where nothing moved.
inline Lane read_out(Lane q) { return Lane::zero() - q; }

/// Where the results of the tasks that run together go.
class Places {
 public:
  Places(const Output& output, const Batch& batch) : output_(output), batch_(batch) {}

  /// The tasks from number `first` on.
  void open(Index first, Index count) {
    for (Index t = 0; t < count; ++t) {
      batch_.unravel(first + t, index_);
      places_[t] = output_.at(index_);
    }
  }
  std::byte* operator[](Index t) const { return places_[t]; }

 private:
  const Output& output_;
  const Batch& batch_;
  Axes index_;
  std::byte* places_[lane_width];
};

/// Writes v after each of the loops named.
class Vectors final : public Readout {
 public:
  Vectors(const Output& output, const Batch& batch, Unit& unit, Index d)
      : output_(output), places_(output, batch), unit_(unit), d_(d), v_(d) {}

  void open(Engine&, Index first, Index count, Stop&) override {
    places_.open(unit_.first + first, count);
  }

  void record(Engine& engine, Index k, Index first, Index count) override {
    const Lane* q = engine.q();
    const Lane limit = Lane::broadcast(output_.limit());
    Lane finite = Lane::broadcast(1);
    for (Index i = 0; i < d_; ++i) {
      v_[i] = read_out(q[i]);
      finite = select(abs(v_[i]) < limit, finite, Lane::zero());
    }
    for (Index t = 0; t < count; ++t) {
      output_.put_row(places_[t], k, v_.data(), t, d_);
      unit_.finite[first + t] = unit_.finite[first + t] && finite[t] != 0;
    }
  }

 private:
  const Output& output_;
  Places places_;
  Unit& unit_;
  Index d_;
  Array<Lane> v_;  // (d,)
};

/// Writes |⟨v, θ⟩ − α|, or relative to |α| ‖θ‖², after each of the loops named. Everything is measured in
/// the basis in which the engine runs, where inner products are the same.
class Errors final : public Readout {
 public:
  Errors(const Output& output, const Batch& batch, Unit& unit, const Problem& problem,
         const Operand& theta, bool relative)
      : output_(output),
        batch_(batch),
        places_(output, batch),
        unit_(unit),
        theta_(theta),
        relative_(relative),
        d_(problem.d),
        rows_(lane_width * d_),
        t_(d_) {
    if (!theta) least_squares_.emplace(problem.n, d_, problem.epsilon);
  }

  void open(Engine& engine, Index first, Index count, Stop& stop) override {
    places_.open(unit_.first + first, count);
    const double* sources[lane_width];
    for (Index t = 0; t < lane_width; ++t) {
      sources[t] = rows_.data() + (t < count ? t : 0) * d_;
      if (t < count) read(first + t, t, stop);
    }
    pack(sources, d_, t_.data());
    const auto t_i = [&](Index i) { return t_[i]; };
    norm2_ = sum_of_products(0, d_, t_i, t_i);
    engine.to_basis(t_.data());
  }

  void record(Engine& engine, Index k, Index first, Index count) override {
    const Lane* z = engine.state();
    const auto term = [&](Index i) {
      const Lane v = scale_ * read_out(z[i]);
      return relative_ ? madd(-alpha_, t_[i], v) : v;
    };
    const Lane product = sum_of_products(0, d_, term, [&](Index i) { return t_[i]; });
    // The difference v − αθ is taken first, so that a small error is not lost in the rounding of two
    // large numbers.
    const Lane error = relative_ ? abs(product / alpha_) / norm2_ : abs(product / factor_ - alpha_);
    const auto is_written = error < Lane::broadcast(output_.limit());
    for (Index t = 0; t < count; ++t) output_.put(places_[t], k, error[t]);
    if (any(~is_written)) note_diverged(z, is_written, first, count);
  }

 private:
  /// t = 2^k θ near 1, so that ‖t‖² stays inside the range, and α likewise where only ratios count.
  void read(Index member, Index element, Stop& stop) {
    double* t = rows_.data() + element * d_;
    const Task& task = unit_.tasks[member];
    if (theta_) {
      batch_.unravel(unit_.first + member, index_);
      theta_.vector_at(index_).read(0, d_, t);
    } else {
      least_squares_->solve(task, t, stop);
    }
    const double factor = power_towards_one(largest_magnitude(t, d_));
    for (Index i = 0; i < d_; ++i) t[i] *= factor;
    const double shrink = relative_ ? power_towards_one(std::abs(task.alpha)) : 1.0;
    factor_.set(element, factor);
    scale_.set(element, relative_ ? factor * shrink : 1.0);
    // Relative to α = 0 there is no error.
    const bool undefined = relative_ && task.alpha == 0;
    alpha_.set(element, undefined ? std::nan("") : task.alpha * shrink);
  }

  /// An error that is not finite is a divergence, unless θ is to blame, or α = 0 to which it is relative.
  void note_diverged(const Lane* z, Lane::Comparison is_written, Index first, Index count) {
    auto is_safe = ~(abs(norm2_) < infinity()) | is_written;
    if (relative_) {
      auto is_finite = is_safe | ~is_safe;
      for (Index i = 0; i < d_; ++i) is_finite = is_finite & (abs(z[i]) < infinity());
      is_safe = is_safe | is_finite;
    }
    const Lane safe = select(is_safe, Lane::broadcast(1), Lane::zero());
    for (Index t = 0; t < count; ++t) {
      unit_.finite[first + t] = unit_.finite[first + t] && safe[t] != 0;
    }
  }

  static Lane infinity() { return Lane::broadcast(std::numeric_limits<double>::infinity()); }

  static double power_towards_one(double largest) {
    if (!(largest > 0) || !std::isfinite(largest)) return 1;
    return std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000));
  }

  const Output& output_;
  const Batch& batch_;
  Places places_;
  Unit& unit_;
  Axes index_;
  const Operand& theta_;  // (..., d), or empty: θ̂ of each task
  bool relative_;
  Index d_;
  std::optional<LeastSquares> least_squares_;
  Buffer rows_;    // (lane, d)
  Array<Lane> t_;  // (d,)
  Lane norm2_ = Lane::zero();
  Lane factor_ = Lane::broadcast(1);  // t = factor θ
  Lane scale_ = Lane::broadcast(1);   // of v
  Lane alpha_ = Lane::broadcast(1);   // as scaled
};

}  // namespace loopcore::python
