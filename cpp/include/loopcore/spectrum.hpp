// SpectrumSolver: λ_min, λ_max and the rank of one X.
#pragma once

#include <algorithm>
#include <span>

#include "loopcore/gram.hpp"
#include "loopcore/least_squares.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// Two sources, each where it is the better: the singular values of X know the small eigenvalues, down
/// to u² λ_max, but carry 20 to 100 u of the QR before them; Lanczos on S knows λ_max to a few u.
class SpectrumSolver {
 public:
  /// For X of (n, d), with the `epsilon` of its type.
  SpectrumSolver(Index n, Index d, double epsilon)
      : least_squares_(n, d, epsilon), gram_(n, d, Path::gram, n < d, true, alone_) {}

  /// y plays no part, but is read: it must be there, and finite.
  Spectrum operator()(const Task& task, Stop& stop) {
    Spectrum spectrum = least_squares_.spectrum(task, stop);
    if (spectrum.rank == 0 || stop.raised()) return spectrum;
    const Scaling scaling{.x = spectrum.scale};
    gram_.open(std::span(&task, 1), &scaling, stop);
    if (stop.raised()) return spectrum;
    spectrum.lambda_max = gram_.lambda_max(stop)[0];
    spectrum.lambda_min = spectrum.rank == 1 ? spectrum.lambda_max
                                             : std::min(spectrum.lambda_min, spectrum.lambda_max);
    return spectrum;
  }

 private:
  Team alone_{1};
  LeastSquares least_squares_;
  Gram gram_;
};

}  // namespace loopcore
