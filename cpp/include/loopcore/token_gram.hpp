// TokenGram: S = Σ_i x_i x_iᵀ and b_t = Σ_i y_it x_i for a lane of targets y_t, in one pass over X.
//
// S and b hold everything the loop ever asks of the context. They are blocks of Σ_i z_i z_iᵀ for the
// tokens z_i = (x_i, y_i), and are computed as its lower triangle. The bits depend on nothing but the
// numbers and the instruction set: a chain of multiply-adds runs over one panel in row order, the
// panels of a slab are added up plainly, slabs and then chunks with a carry, and n and d alone say
// where each of them ends.
#pragma once

#include <algorithm>
#include <vector>

#include "loopcore/batch.hpp"
#include "loopcore/buffer.hpp"
#include "loopcore/gram_tile.hpp"
#include "loopcore/lane.hpp"
#include "loopcore/lane_blocks.hpp"
#include "loopcore/rows.hpp"
#include "loopcore/stop.hpp"
#include "loopcore/token_reader.hpp"
#include "loopcore/types.hpp"

namespace loopcore {

class TokenGram {
 public:
  /// For n rows x_i of d entries, over so many threads.
  TokenGram(Index n, Index d, int threads)
      : n_(n),
        d_(d),
        target_lane_(padded(d) / lane_width),
        is_shared_(d > widest_private),
        chunk_rows_(is_shared_ ? n : rows_of_a_chunk(n, d)),
        chunks_(std::max<Index>(1, n > 0 ? (n + chunk_rows_ - 1) / chunk_rows_ : 1)),
        sums_(chunks_ * size_of_sum()),
        b_(padded(d) * lane_width) {
    const Index workers = is_shared_ ? threads : std::min<Index>(threads, chunks_);
    const bool has_slabs = chunk_rows_ > slab_rows;
    const Index partial = is_shared_ ? partial_rows * tile_lanes * lane_width : size_of_sum();
    for (Index k = 0; k < workers; ++k) workers_.emplace_back(d, has_slabs ? partial : 0);
    for (Index k = 0; k < (is_shared_ ? 1 : workers); ++k) {
      panels_.emplace_back((is_shared_ ? slab_rows / panel_rows : 1) * size_of_panel());
      carries_.emplace_back(has_slabs ? size_of_sum() : 0);
    }
    set_blocks();
  }

  /// S and b of 2^scale_x x_i and 2^scale_y[t] y_t, `count` ≤ lane_width targets y_t (n,); with
  /// `keep_S` b alone. False if stopped.
  bool form(const MatrixView& X, int scale_x, const VectorView* y, const int* scale_y, Index count,
            bool keep_S, const Team& team, Stop& stop) {
    count_ = count;
    first_lane_ = keep_S ? target_lane_ : 0;
    const Tokens tokens{X, scale_x, y, scale_y, count};
    for (Worker& worker : workers_) worker.reader.open(tokens);
    // b alone is cheaper than a copy of X, 11 µs and 20 µs for (512, 64). Wide rows are copied even so:
    // three lanes of each in turn is a slow way through memory, 10 ms and 5 to 7 ms for (20000, 300).
    const bool in_place = keep_S && !is_shared_ && workers_[0].reader.stride_in_place() != 0;
    lanes_in_place_ = in_place ? d_ / lane_width / tile_lanes * tile_lanes : 0;
    if (is_shared_) {
      add_shared(team, stop);
    } else {
      team.for_each(chunks_, [&](Index c, int thread, Stop& s) { add_chunk(c, thread, s); }, stop);
    }
    if (stop.raised()) return false;
    const auto finish = [&](Index lane, int, Stop&) { finish_lane(lane); };
    if (is_shared_ || chunks_ > 1) {
      team.for_each(target_lane_ + 1, finish, stop);
    } else {
      for (Index lane = 0; lane <= target_lane_; ++lane) finish(lane, 0, stop);
    }
    return !stop.raised();
  }

  /// (d, d), both triangles, padded with zeros to whole lanes
  LaneBlocks S() { return S(sums_.data()); }
  /// (d,): the j-th entries of all b_t, zero where there is no target
  Lane* b() { return reinterpret_cast<Lane*>(b_.data()); }
  /// Σ_i (2^s y_it)²
  double yy(Index t) { return targets(sums_.data())(t, padded(d_) + t); }

 private:
  // Eight panels: their sums still add up plainly within 7 u.
  static constexpr Index slab_rows = 8 * panel_rows;
  // Up to here each thread has sums of its own, 512 KiB at most, and adds up a chunk of the rows.
  // Beyond, all threads add to one S, each to a block of it at a time, slab by slab.
  static constexpr Index widest_private = 256;
  // The rows of S in a block: their columns of a slab, 1 MiB, stay in L2.
  static constexpr Index block_lanes = 256 / lane_width;
  static constexpr Index partial_rows = (block_lanes + 1) * lane_width;

  struct Worker {
    Worker(Index d, Index size) : reader(d), partial(size) {}

    TokenReader reader;
    Ahead ahead;     // the rows of the next panel
    Buffer partial;  // the sum over the panels of a slab so far: of the chunk, or of the block
  };

  /// Tiles of S with columns in tile_lanes lanes from `lane`, and rows in the lanes [begin, end).
  struct Block {
    Index lane, begin, end;
  };

  /// One panel of tokens, and its place among those of its chunk.
  struct Panel {
    Index begin, rows;  // tokens
    bool opens_slab, closes_slab;
    bool in_first_slab, in_second_slab, in_last_slab;
  };

  /// Chunks enough for many threads, within 8 MiB for their sums, of 2²² multiply-adds at least.
  static Index rows_of_a_chunk(Index n, Index d) {
    const Index entries = std::max<Index>(1, padded(d) * padded(d));
    const Index most = std::clamp<Index>((Index{1} << 20) / entries, 1, 64);
    const Index rows = std::max((n + most - 1) / most, (Index{1} << 23) / entries);
    return (rows + slab_rows - 1) / slab_rows * slab_rows;
  }

  static Panel panel_at(Index begin, Index first, Index end) {
    const Index slab = (begin - first) / slab_rows;
    const Index rows = std::clamp<Index>(end - begin, 0, panel_rows);
    return {begin,
            rows,
            (begin - first) % slab_rows == 0,
            begin + rows == end || (begin + rows - first) % slab_rows == 0,
            slab == 0,
            slab == 1,
            end - first <= (slab + 1) * slab_rows};
  }

  Index size_of_panel() const { return LaneBlocks::size(panel_rows, d_ + lane_width); }
  Index size_of_S() const { return LaneBlocks::size(padded(d_), d_); }
  Index size_of_sum() const { return size_of_S() + LaneBlocks::size(lane_width, d_ + lane_width); }
  LaneBlocks S(double* sum) const { return {sum, padded(d_)}; }
  /// (lane_width, d + lane_width): row t is b_t, and then y_tᵀ y for all targets y
  LaneBlocks targets(double* sum) const { return {sum + size_of_S(), lane_width}; }

  /// The last rows of S come first: they are the most work.
  void set_blocks() {
    Index end = target_lane_ + 1;
    for (Index begin = (target_lane_ - 1) / block_lanes * block_lanes; begin >= 0;
         begin -= block_lanes) {
      for (Index lane = 0; lane < end; lane += tile_lanes) blocks_.push_back({lane, begin, end});
      end = begin;
    }
  }

  /// The part of a block that this call asks for.
  Block wanted(const Block& block) const {
    const Index lanes = target_lane_ + (count_ > 0 ? 1 : 0);
    return {block.lane, std::max({block.begin, block.lane, first_lane_}),
            std::min(block.end, lanes)};
  }

  void add_chunk(Index chunk, int thread, Stop& stop) {
    const Index first = chunk * chunk_rows_;
    const Index end = std::min(first + chunk_rows_, n_);
    Worker& worker = workers_[static_cast<std::size_t>(thread)];
    double* sum = sums_.data() + chunk * size_of_sum();
    double* carry = carries_[static_cast<std::size_t>(thread)].data();
    const LaneBlocks z{panels_[static_cast<std::size_t>(thread)].data(), panel_rows};
    for (Index begin = first; begin == first || begin < end; begin += panel_rows) {
      const Panel panel = panel_at(begin, first, end);
      worker.reader.read(begin, panel.rows, lanes_in_place_, z);
      worker.ahead.aim_at_rows(worker.reader.X(), begin + panel_rows,
                               std::clamp<Index>(end - begin - panel_rows, 0, panel_rows), d_);
      for (const Block& block : blocks_) {
        if (!add_panel(z, panel, wanted(block), sum, carry, worker, stop)) return;
      }
    }
  }

  void add_shared(const Team& team, Stop& stop) {
    for (Index slab = 0; slab == 0 || slab < n_; slab += slab_rows) {
      const Index rows = std::min(slab_rows, n_ - slab);
      const Index panels = std::max<Index>(1, (rows + panel_rows - 1) / panel_rows);
      const auto z = [&](Index k) {
        return LaneBlocks{panels_[0].data() + k * size_of_panel(), panel_rows};
      };
      const auto panel = [&](Index k) { return panel_at(slab + k * panel_rows, 0, n_); };
      const auto read = [&](Index k, int thread, Stop&) {
        workers_[static_cast<std::size_t>(thread)].reader.read(panel(k).begin, panel(k).rows,
                                                               lanes_in_place_, z(k));
      };
      const auto add = [&](Index block, int thread, Stop& s) {
        const Block part = wanted(blocks_[static_cast<std::size_t>(block)]);
        Worker& worker = workers_[static_cast<std::size_t>(thread)];
        for (Index k = 0; k < panels; ++k) {
          if (!add_panel(z(k), panel(k), part, sums_.data(), carries_[0].data(), worker, s)) return;
        }
      };
      team.for_each(panels, read, stop);
      team.for_each(static_cast<Index>(blocks_.size()), add, stop);
      if (stop.raised()) return;
    }
  }

  /// sum += Σ_i z_i z_iᵀ over one panel, in one block. The columns, a few KiB, stay in L1 while the
  /// rows pass by. False if stopped.
  bool add_panel(const LaneBlocks& z, const Panel& panel, const Block& block, double* sum,
                 double* carry, Worker& worker, Stop& stop) {
    constexpr Index lane_size = panel_rows * lane_width;
    const bool in_place = block.lane < lanes_in_place_;
    const TileColumns columns =
        in_place ? TileColumns{worker.reader.row_in_place(panel.begin) + block.lane * lane_width,
                               lane_width, worker.reader.stride_in_place()}
                 : TileColumns{z.data + block.lane * lane_size, lane_size};
    for (Index j = block.begin; j < block.end; ++j) {
      const TileSum place = place_of(panel, block, j, sum, carry, worker.partial.data());
      add_tile_of(j == target_lane_ ? count_ : lane_width, std::min(tile_lanes, j + 1 - block.lane),
                  z.data + j * lane_size, columns, panel.rows, place, worker.ahead);
    }
    const Index lanes = std::max<Index>(0, block.end - block.begin) * tile_lanes;
    return !stop.after(panel.rows * lanes * lane_width * lane_width);
  }

  /// Where the tile of rows j goes. In the first slab of a chunk panels add up in the sum itself.
  TileSum place_of(const Panel& panel, const Block& block, Index j, double* sum, double* carry,
                   double* partial) const {
    const bool is_target = j == target_lane_;
    const LaneBlocks sums = is_target ? targets(sum) : S(sum);
    const TilePlace total{&sums(is_target ? 0 : j * lane_width, block.lane * lane_width),
                          sums.rows * lane_width};
    const Index offset = total.data - sum;
    TilePlace so_far = total;
    if (!panel.in_first_slab) {
      so_far = is_shared_ ? TilePlace{partial + (j - block.begin) * lane_width * lane_width,
                                      partial_rows * lane_width}
                          : TilePlace{partial + offset, total.block};
    }
    TileSum place;
    if (!panel.opens_slab) place.before = so_far;
    place.after = so_far;
    if (panel.in_first_slab || !panel.closes_slab) return place;
    place.after = total;
    place.carry = carry + offset;
    place.opens_carry = panel.in_second_slab;
    place.closes_carry = panel.in_last_slab;
    return place;
  }

  /// One lane of columns: adds up the chunks, mirrors it to the other triangle, and reads out b.
  void finish_lane(Index lane) {
    const Index column = lane * lane_width;
    if (lane < target_lane_ && first_lane_ == 0) {
      add_chunks(&S()(column, column), (padded(d_) - column) * lane_width);
      for (Index row = column + lane_width; row < padded(d_); row += lane_width) {
        transpose(&S()(row, column), lane_width, &S()(column, row), lane_width);
      }
    }
    double* target = targets(sums_.data()).block(column);
    add_chunks(target, count_ * lane_width);
    if (lane == target_lane_) return;
    std::fill(target + count_ * lane_width, target + lane_width * lane_width, 0.0);
    transpose(target, lane_width, b_.data() + column * lane_width, lane_width);
  }

  void add_chunks(double* sum, Index size) {
    if (chunks_ == 1) return;
    for (Index k = 0; k < size; k += lane_width) {
      Lane total = Lane::load(sum + k);
      Lane carry = Lane::zero();
      for (Index c = 1; c < chunks_; ++c) {
        add_with_carry(Lane::load(sum + k + c * size_of_sum()), total, carry);
      }
      (total + carry).store(sum + k);
    }
  }

  Index n_;
  Index d_;
  Index target_lane_;  // the lane of the targets, after those of x_i
  bool is_shared_;
  Index chunk_rows_;
  Index chunks_;
  Index count_ = 0;              // of targets
  Index first_lane_ = 0;         // of rows to compute
  Index lanes_in_place_ = 0;     // lanes of columns that are not copied first
  Buffer sums_;                  // (chunks,) S and targets; the first is the result
  Buffer b_;                     // (d, lane_width)
  std::vector<Worker> workers_;  // (threads,)
  std::vector<Buffer> panels_;   // (threads,) one, or a slab for all: z_i
  std::vector<Buffer> carries_;  // (threads,) or one for all, as one of sums_
  std::vector<Block> blocks_;
};

}  // namespace loopcore
