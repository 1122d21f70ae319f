// The machine's two limits: how fast it reads memory, and how many operations it does.
//
//     limits MEBIBYTES
//
// Every line on standard input asks for one measurement, with 1, 2, 4, … and all threads. The answer
// is one line of JSON: bytes a second read from an array of that size, and float64 operations a
// second in fused multiply-adds, each as a list of [threads, figure].

#include <omp.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif
constexpr int kWidth = kBytes / sizeof(double);
typedef double Vec __attribute__((vector_size(kBytes)));

constexpr int kChains = 12;  // independent sums, to hide the latency; they stay in 16 registers
constexpr long kSteps = 1'000'000;

volatile double sink = 0;      // keeps results from being optimised away
volatile double factor = 0.5;  // unknown to the compiler

double sum(const Vec& v) {
  double total = 0;
  for (int i = 0; i < kWidth; ++i) total += v[i];
  return total;
}

// Bytes a second with which `threads` threads add up the array, a slice each.
double bandwidth(const Vec* data, std::ptrdiff_t size, int threads) {
  double total = 0;
  const double start = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : total)
  {
    const std::ptrdiff_t rank = omp_get_thread_num(), count = omp_get_num_threads();
    const Vec* const stop = data + size * (rank + 1) / count / kChains * kChains;
    Vec sums[kChains] = {};
    for (const Vec* p = data + size * rank / count / kChains * kChains; p < stop; p += kChains) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) sums[i] += p[i];
    }
    for (const Vec& v : sums) total += sum(v);
  }
  const double seconds = omp_get_wtime() - start;
  sink = total;
  return static_cast<double>(size) * kBytes / seconds;
}

// Operations a second of `threads` threads; a fused multiply-add counts as two.
double operations(int threads) {
  double total = 0;
  const double start = omp_get_wtime();
#pragma omp parallel num_threads(threads) reduction(+ : total)
  {
    const Vec a = Vec{} + factor;
    Vec sums[kChains];  // each read anew: the compiler would compute equal ones once
    for (Vec& v : sums) v = Vec{} + factor;
    for (long step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * a + a;
    }
    for (const Vec& v : sums) total += sum(v);
  }
  const double seconds = omp_get_wtime() - start;
  sink = total;
  return 2.0 * kChains * kWidth * kSteps * threads / seconds;
}

// 1, 2, 4, … and all threads.
std::vector<int> thread_counts() {
  const int most = omp_get_max_threads();
  std::vector<int> counts;
  for (int k = 1; k < most; k *= 2) counts.push_back(k);
  counts.push_back(most);
  return counts;
}

template <class Measure>
std::string figures(const Measure& measure) {
  std::string text;
  for (const int threads : thread_counts()) {
    char pair[64];
    std::snprintf(pair, sizeof pair, "%s[%d, %.6e]", text.empty() ? "" : ", ", threads,
                  measure(threads));
    text += pair;
  }
  return "[" + text + "]";
}

int main(int argc, char** argv) {
  const long mebibytes = argc > 1 ? std::atol(argv[1]) : 0;
  if (mebibytes < 1) {
    std::fprintf(stderr, "usage: limits MEBIBYTES\n");
    return 2;
  }
  const std::ptrdiff_t size = mebibytes * (1L << 20) / kBytes;
  const std::unique_ptr<Vec[]> data(new Vec[size]);
  // The thread that will read a slice writes it first, so that it lies in that thread's memory.
#pragma omp parallel for schedule(static)
  for (std::ptrdiff_t i = 0; i < size; ++i) data[i] = Vec{} + 1.0;

  char line[16];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    const std::string bytes = figures([&](int k) { return bandwidth(data.get(), size, k); });
    const std::string flops = figures([](int k) { return operations(k); });
    std::printf("{\"bandwidth\": %s, \"peak\": %s}\n", bytes.c_str(), flops.c_str());
    std::fflush(stdout);
  }
}
