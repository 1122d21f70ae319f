// Layouts: what stands side by side in a lane, the same number of several tasks, or several numbers of one.
// The kernels of the general family are written once for both.
//
// A vector of `size` numbers a task takes lanes(size) lanes; entry(v, k, t) is where number k of the task t
// stands. In products, number k of a left factor is a Left, and an entry of a right factor that all tasks
// share is a SharedRight.
#pragma once

#include <algorithm>

#include "loopcore/lane.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/pack.hpp"
#include "loopcore/tile_product.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

/// One task an element: small tasks fill all lanes, whatever their sizes.
struct TasksInLanes {
  static constexpr Index tasks = lane_width;

  static Index lanes(Index size) { return size; }
  static Index doubles(Index size) { return size * lane_width; }
  static double& entry(double* v, Index k, Index t) { return v[k * lane_width + t]; }

  using Left = LaneFactor;
  static constexpr Index left_stride = lane_width;  // doubles, from number to number
  using SharedRight = NumberFactor;
  static constexpr Index shared_stride = 1;  // doubles, from lane to lane
  /// The lane c of a row that all tasks share, (padded(size),)
  static Lane shared(const double* row, Index c) { return Lane::broadcast(row[c]); }

  /// The sum, or the largest, over all numbers that stand in the lane for one task, in each element.
  static Lane sum(Lane x) { return x; }
  static Lane largest(Lane x) { return x; }

  /// The lanes that hold nothing but the first `count` numbers of a vector.
  static Index full_lanes(Index count) { return count; }

  /// x where it stands for one of the first `count` numbers of a vector, in its lane c; else `otherwise`.
  static Lane first(Lane x, Index c, Index count, Lane otherwise) {
    return c < count ? x : otherwise;
  }

  /// The upper triangle of a symmetric (size, size) ← the lower one.
  static void mirror(double* data, Index stride, Index size) {
    for (Index j = 0; j < size; ++j) {
      for (Index k = 0; k < j; ++k) {
        Lane::load(data + j * stride + k * lane_width).store(data + k * stride + j * lane_width);
      }
    }
  }

  /// to ← fromᵀ, (size, size), rows `stride` doubles apart
  static void transpose_square(const double* from, Index stride, Index size, double* to) {
    for (Index j = 0; j < size; ++j) {
      for (Index k = 0; k < size; ++k) {
        Lane::load(from + j * stride + k * lane_width).store(to + k * stride + j * lane_width);
      }
    }
  }

  /// v_k ← the sum over what stands in lane k for one task
  static void collapse(const double* lanes, Index size, double* v) {
    std::copy_n(lanes, size * lane_width, v);
  }

  /// v ← one vector a task, from `sources`
  static void pack(const double* const* sources, Index size, double* v) {
    Lane* const lanes = reinterpret_cast<Lane*>(v);
    loopcore::pack(sources, size, lanes);
  }

  /// to ← the vector of the task t, (padded(size),)
  static void unpack(const double* v, Index size, Index t, double* to) {
    for (Index k = 0; k < size; ++k) to[k] = v[k * lane_width + t];
  }
};

/// Consecutive numbers of one task: for tasks too large to lie side by side. Padded with zeros.
struct ColumnsInLanes {
  static constexpr Index tasks = 1;

  static Index lanes(Index size) { return padded(size) / lane_width; }
  static Index doubles(Index size) { return padded(size); }
  static double& entry(double* v, Index k, Index) { return v[k]; }

  using Left = NumberFactor;
  static constexpr Index left_stride = 1;
  using SharedRight = LaneFactor;
  static constexpr Index shared_stride = lane_width;
  static Lane shared(const double* row, Index c) { return Lane::load(row + c * lane_width); }

  static Lane sum(Lane x) { return Lane::broadcast(x.sum()); }
  static Lane largest(Lane x) {
    double elements[lane_width];
    x.store(elements);
    return Lane::broadcast(*std::max_element(elements, elements + lane_width));
  }
  static Index full_lanes(Index count) { return count / lane_width; }
  static Lane first(Lane x, Index c, Index count, Lane otherwise) {
    const Index here = count - c * lane_width;
    double number[lane_width];
    for (Index k = 0; k < lane_width; ++k) number[k] = static_cast<double>(k);
    const Lane limit = Lane::broadcast(static_cast<double>(here));
    return select(Lane::load(number) < limit, x, otherwise);
  }

  /// By blocks of a lane of rows and columns; entries within a block on the diagonal one by one. Rows
  /// beyond the last take no part: what would stand in them is padding of the columns, and stays zero.
  static void mirror(double* data, Index stride, Index size) {
    for (Index begin = 0; begin < size; begin += lane_width) {
      const Index rows = std::min(lane_width, size - begin);
      for (Index k = 0; k < begin; k += lane_width) {
        double block[lane_width * lane_width];
        for (Index r = 0; r < lane_width; ++r) {
          const Lane row = r < rows ? Lane::load(data + (begin + r) * stride + k) : Lane::zero();
          row.store(block + r * lane_width);
        }
        transpose(block, lane_width, data + k * stride + begin, stride);
      }
      for (Index j = begin; j < begin + rows; ++j) {
        for (Index k = begin; k < j; ++k) data[k * stride + j] = data[j * stride + k];
      }
    }
  }

  /// By blocks of a lane of rows and columns. One by one, the numbers of (21, 21) took a sixth of the reverse
  /// pass of linear/all.
  static void transpose_square(const double* from, Index stride, Index size, double* to) {
    const double none[lane_width] = {};
    for (Index j = 0; j < size; j += lane_width) {
      for (Index k = 0; k < size; k += lane_width) {
        const double* rows[lane_width];
        for (Index r = 0; r < lane_width; ++r) {
          rows[r] = j + r < size ? from + (j + r) * stride + k : none;
        }
        Lane columns[lane_width];
        loopcore::transpose(rows, 0, lane_width, columns);
        for (Index c = 0; c < std::min(lane_width, size - k); ++c) {
          columns[c].store(to + (k + c) * stride + j);
        }
      }
    }
  }

  /// `lanes` (padded(size),) of lanes, v (padded(size),)
  static void collapse(const double* lanes, Index size, double* v) {
    for (Index k = 0; k < size; k += lane_width) {
      double columns[lane_width * lane_width];
      transpose(lanes + k * lane_width, lane_width, columns, lane_width);
      for (Index half = lane_width / 2; half > 0; half /= 2) {
        for (Index j = 0; j < half; ++j) {
          double* const column = columns + j * lane_width;
          (Lane::load(column) + Lane::load(column + half * lane_width)).store(column);
        }
      }
      Lane::load(columns).store(v + k);
    }
  }

  static void pack(const double* const* sources, Index size, double* v) {
    std::copy_n(sources[0], size, v);
    std::fill(v + size, v + padded(size), 0.0);
  }
  static void unpack(const double* v, Index size, Index, double* to) { std::copy_n(v, size, to); }
};

}  // namespace loopcore
