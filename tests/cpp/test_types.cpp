#include <doctest/doctest.h>

#include "problem.hpp"

using namespace loopcore;

TEST_CASE("load reads every stride, also backwards and on the spot") {
  const std::vector<float> values{1, 2, 3, 4};
  double out[4] = {};
  const auto* data = reinterpret_cast<const std::byte*>(values.data());
  load<float>(data, 4, 4, out);
  CHECK(out[3] == 4.0);
  load<float>(data, 8, 2, out);
  CHECK(out[1] == 3.0);
  load<float>(data + 12, -4, 4, out);
  CHECK(out[0] == 4.0);
  CHECK(out[3] == 1.0);
  load<float>(data + 4, 0, 3, out);
  CHECK(out[2] == 2.0);
}

TEST_CASE("load reads the other byte order") {
  const unsigned char one[] = {0x00, 0x00, 0x00, 0x00,
                               0x00, 0x00, 0xf0, 0x3f};  // 1.0, low byte first
  unsigned char swapped[8];
  for (int b = 0; b < 8; ++b) swapped[b] = one[7 - b];
  double out = 0;
  load<double, true>(reinterpret_cast<const std::byte*>(swapped), 8, 1, &out);
  CHECK(out == 1.0);
}

TEST_CASE("load reads at any alignment") {
  alignas(8) unsigned char bytes[17] = {};
  const double value = 2.5;
  std::memcpy(bytes + 3, &value, 8);
  double out = 0;
  load<double>(reinterpret_cast<const std::byte*>(bytes + 3), 8, 1, &out);
  CHECK(out == 2.5);
}

TEST_CASE("only rows of aligned doubles are used in place") {
  const std::vector<double> values(12);
  MatrixView X = testing::view(values, 4);
  CHECK(X.has_native_rows());
  CHECK_FALSE(X.transposed().has_native_rows());
  X.data += 4;
  CHECK_FALSE(X.has_native_rows());
  const std::vector<float> floats(12);
  CHECK_FALSE(testing::view(floats, 4).has_native_rows());
}

TEST_CASE("a vector of aligned doubles in a row is used in place") {
  const std::vector<double> values(4);
  VectorView y = testing::view(values);
  CHECK(y.is_native());
  y.stride = 16;
  CHECK_FALSE(y.is_native());
  const std::vector<float> floats(4);
  CHECK_FALSE(testing::view(floats).is_native());
}
