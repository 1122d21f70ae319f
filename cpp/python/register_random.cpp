// random_numbers: many tasks' numbers at once; see python/loopcore/tasks.
#include "call.hpp"
#include "loopcore/random_numbers.hpp"
#include "registers.hpp"

namespace loopcore::python {

namespace {

using Integers = py::array_t<std::uint64_t, py::array::c_style>;

/// (tasks, count) numbers of N(0, 1), or uniform ones in [0, 1), of one stream of each task.
py::array random_numbers(const Integers& words, const Integers& tasks, std::uint64_t stream,
                         Index count, bool normal, py::handle num_threads) {
  if (tasks.ndim() != 1)
    value_error("tasks", "expected shape (B,), got ", to_text(shape_of(tasks)));
  if (words.size() != 2) value_error("key", "expected 2 words, got ", words.size());
  const PhiloxKey key{words.data()[0], words.data()[1]};
  if (count < 0) value_error("count", "expected at least 0, got ", count);
  const int wanted_threads = read_threads(num_threads);
  Axes shape;
  shape.push_back(tasks.shape(0));
  shape.push_back(count);
  py::array result = make_aligned(shape, py::dtype::of<double>());
  auto* const data = static_cast<double*>(result.mutable_data());
  const std::uint64_t* const task = tasks.data();
  // A task's numbers are made in pieces that are short for an interrupt.
  constexpr Index piece = Index{1} << 16;
  const auto make_worker = [&](int) {
    return [=](Index number, Stop& stop) {
      RandomNumbers numbers(key, task[number], stream);
      for (Index begin = 0; begin < count; begin += piece) {
        double* const to = data + number * count + begin;
        const Index size = std::min(piece, count - begin);
        normal ? numbers.normal(to, size) : numbers.uniform(to, size);
        if (stop.after(16 * size)) return;
      }
    };
  };
  StopFlag flag{.poll = &interrupted};
  {
    const WithoutGil no_gil;
    const double work = 16 * static_cast<double>(count);  // multiply-adds that take as long
    const int threads = useful_threads(wanted_threads, tasks.shape(0), work);
    if (result.size() > 0) for_each_task(tasks.shape(0), threads, flag, make_worker);
  }
  if (flag.raised) throw py::error_already_set();
  return result;
}

}  // namespace

void register_random(py::module_& module) {
  module.def(
      "random_numbers", &random_numbers,
      "random_numbers(key, tasks, stream, count, normal, num_threads)\n--\n\n"
      "(tasks, count) random numbers, N(0, 1) or uniform in [0, 1), that depend on key, task "
      "and stream alone; see loopcore.tasks.",
      py::arg("key"), py::arg("tasks"), py::arg("stream"), py::arg("count"), py::arg("normal"),
      py::arg("num_threads"));
}

}  // namespace loopcore::python
