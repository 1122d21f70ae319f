// What this processor and operating system can run. Compiled for the baseline, so that asking is safe.
#include <pybind11/pybind11.h>

#include <string>
#include <vector>

namespace {

/// Every flag that -march=x86-64-v3 and -v4 let the compiler use; the builtin also asks whether the
/// operating system saves the registers.
std::vector<std::string> supported() {
  std::vector<std::string> names;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  const bool v3 = __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
                  __builtin_cpu_supports("f16c") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("lzcnt") && __builtin_cpu_supports("movbe");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (v4) names.emplace_back("x86-64-v4");
  if (v3) names.emplace_back("x86-64-v3");
#endif
  names.emplace_back("baseline");
  return names;
}

}  // namespace

PYBIND11_MODULE(_cpu, module, pybind11::mod_gil_not_used()) {
  module.def(
      "supported",
      [] {
        pybind11::list names;
        for (const auto& name : supported()) names.append(name);
        return names;
      },
      "The instruction sets that can run here, the best first.");
}
