#include <doctest/doctest.h>

#include <atomic>
#include <loopcore/prompt_parts.hpp>
#include <stdexcept>
#include <vector>

using namespace loopcore;

TEST_CASE("parts are whole blocks, and all of them together everything, once") {
  for (const Index begin : {0, 7}) {
    for (const Index size : {0, 1, 4, 63, 64, 65, 1000, 12345}) {
      for (const Index block : {1, 4, 64}) {
        for (const Index work : {0, 1, 10000, 1000000000}) {
          const PromptParts parts(begin, begin + size, block, work);
          CHECK(parts.count() >= 1);
          CHECK(parts.count() <= 256);
          Index next = begin;
          for (Index k = 0; k < parts.count(); ++k) {
            CHECK(parts[k].number == k);
            CHECK(parts[k].begin == next);
            CHECK(parts[k].end >= next);
            CHECK((parts[k].begin - begin) % block == 0);
            next = parts[k].end;
          }
          CHECK(next == begin + size);
        }
      }
    }
  }
}

TEST_CASE(
    "no part is less work than it takes to wake a thread, and there are no more than wanted") {
  CHECK(PromptParts(0, 1000, 4, 1).count() == 1);
  constexpr Index enough = 1 << 20;
  CHECK(PromptParts(0, 1000, 4, enough).count() == 250);
  CHECK(PromptParts(0, 1000, 4, enough, 10).count() == 10);
  CHECK(PromptParts(0, 3, 4, enough).count() == 1);
  CHECK(PromptParts(5, 2, 4, enough).count() == 1);
  for (const Index work : {100, 1000, 10000}) {
    CHECK(PromptParts(0, 100000, 4, work)[0].end * work >= enough);
  }
  CHECK(PromptParts::count_for(0) == 1);
  CHECK(PromptParts::count_for(4 * enough) == 4);
  CHECK(PromptParts::count_for(4 * enough, 3) == 3);
}

TEST_CASE("a team does every part once, with no more threads than there are parts") {
  for (const int threads : {1, 2, 3, 8}) {
    for (const Index size : {1, 8, 1000}) {
      const Team team(threads);
      const PromptParts parts(0, size, 4, 1 << 20);
      CHECK(parts.workers(team) == std::min<Index>(threads, parts.count()));
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(size));
      StopFlag flag;
      Stop stop(flag, true);
      const auto work = [&](PromptPart part, int thread, Stop&) {
        if (thread < 0 || thread >= parts.workers(team)) throw std::out_of_range("thread");
        for (Index i = part.begin; i < part.end; ++i) ++done[static_cast<std::size_t>(i)];
      };
      parts.for_each(team, work, stop);
      for (const auto& count : done) CHECK(count == 1);
    }
  }
}
