// LeastSquares: the spectrum of X and the minimum-norm solution θ̂ of X θ ≈ y, from orthogonal
// transformations of X itself: XᵀX would lose every eigenvalue below u λ_max.
#pragma once

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "loopcore/range.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Of XᵀX, over its non-zero eigenvalues, as they are after X was scaled by 2^scale.
struct Spectrum {
  double lambda_min = 0;
  double lambda_max = 0;
  Index rank = 0;
  int scale = 0;

  double kappa() const {
    return rank == 0 ? std::numeric_limits<double>::quiet_NaN() : lambda_max / lambda_min;
  }
  /// The eigenvalue `lambda` for X scaled by 2^other.
  double rescaled(double lambda, int other) const {
    return std::ldexp(lambda, 2 * (other - scale));
  }
};

class LeastSquares {
 public:
  /// For tasks of (n, d). `epsilon` is that of the type of X: a singular value counts as non-zero above
  /// max(n, d) · epsilon · σ_max, the rule of numpy.linalg.matrix_rank.
  LeastSquares(Index n, Index d, double epsilon)
      : n_(n),
        d_(d),
        tolerance_(static_cast<double>(std::max(n, d)) * epsilon),
        panel_(std::min(n, std::max<Index>(d + 1, 128))),
        work_(std::min(n, d + 1 + panel_), d + 1),
        row_(static_cast<std::size_t>(d + 1)) {}

  Spectrum spectrum(const Task& task, Stop& stop) {
    decompose(task, 0, stop);
    return spectrum_;
  }

  /// θ̂ into `theta`, (d,); NaN where X or y holds a NaN or an Inf.
  void solve(const Task& task, double* theta, Stop& stop) {
    Eigen::Map<Eigen::VectorXd> result(theta, d_);
    result.setConstant(std::numeric_limits<double>::quiet_NaN());
    decompose(task, Eigen::ComputeThinU | Eigen::ComputeThinV, stop);
    if (!finite_ || stop.raised()) return;
    result.setZero();
    const auto rank = static_cast<Eigen::Index>(spectrum_.rank);
    if (rank == 0) return;
    const Eigen::VectorXd c = svd_.matrixU().leftCols(rank).transpose() * work_.col(d_).head(rows_);
    result = svd_.matrixV().leftCols(rank) * c.cwiseQuotient(svd_.singularValues().head(rank));
    result *= std::ldexp(1.0, scaling_.x - scaling_.y);
  }

 private:
  /// [X y] = Q R, then the singular values of R without its last column: those of X.
  void decompose(const Task& task, unsigned vectors, Stop& stop) {
    spectrum_ = {};
    if (n_ == 0 || d_ == 0) return;
    scaling_ = find_scaling(task, row_.data());
    spectrum_.scale = scaling_.x;
    finite_ = reduce(task, stop);
    if (stop.raised()) return;
    if (!finite_) {
      spectrum_.lambda_min = spectrum_.lambda_max = std::numeric_limits<double>::quiet_NaN();
      return;
    }
    svd_.compute(work_.topLeftCorner(rows_, d_), vectors);
    const auto& sigma = svd_.singularValues();
    if (sigma.size() == 0 || sigma[0] == 0) return;
    while (spectrum_.rank < sigma.size() && sigma[spectrum_.rank] > tolerance_ * sigma[0]) {
      ++spectrum_.rank;
    }
    spectrum_.lambda_max = sigma[0] * sigma[0];
    spectrum_.lambda_min = sigma[spectrum_.rank - 1] * sigma[spectrum_.rank - 1];
  }

  /// Panel by panel, R ← the triangle of QR of [R; panel], so that X is never held as a whole. R is
  /// left on top of `work_`, (rows_, d + 1). False where a NaN or an Inf was met.
  bool reduce(const Task& task, Stop& stop) {
    rows_ = 0;
    for (Index begin = 0; begin < n_;) {
      const Index count = std::min(n_ - begin, work_.rows() - rows_);
      if (!read_rows(task, begin, count)) return false;
      begin += count;
      rows_ += count;
      if (rows_ <= d_ + 1) continue;
      triangularize();
      stop.look();
      if (stop.raised()) return true;
    }
    return true;
  }

  void triangularize() {
    Eigen::Ref<Eigen::MatrixXd> top = work_.topRows(rows_);
    Eigen::HouseholderQR<Eigen::Ref<Eigen::MatrixXd>> qr(top);
    rows_ = d_ + 1;
    work_.topRows(rows_).template triangularView<Eigen::StrictlyLower>().setZero();
  }

  bool read_rows(const Task& task, Index begin, Index count) {
    const double factor_x = std::ldexp(1.0, scaling_.x);
    const double factor_y = std::ldexp(1.0, scaling_.y);
    for (Index i = 0; i < count; ++i) {
      task.X.read_row(begin + i, d_, row_.data());
      task.y.read(begin + i, 1, &row_[static_cast<std::size_t>(d_)]);
      Eigen::Map<Eigen::VectorXd> row(row_.data(), d_ + 1);
      row.head(d_) *= factor_x;
      row[d_] *= factor_y;
      if (!row.allFinite()) return false;
      work_.row(rows_ + i) = row.transpose();
    }
    return true;
  }

  Index n_;
  Index d_;
  double tolerance_;
  Index panel_;
  Eigen::MatrixXd work_;     // (d + 1 + panel, d + 1)
  std::vector<double> row_;  // (d + 1,)
  Index rows_ = 0;           // of work_ in use
  Scaling scaling_;
  bool finite_ = true;
  Spectrum spectrum_;
  Eigen::BDCSVD<Eigen::MatrixXd> svd_;
};

}  // namespace loopcore
