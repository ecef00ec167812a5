// SPDX-License-Identifier: Apache-2.0
#include "m2u/data/npy.hpp"

#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::test::TemporaryFolder;

std::string npy(std::string header, std::string const& data, char version = 1) {
  std::string start("\x93NUMPY", 6);
  start += version;
  start += '\0';
  start += static_cast<char>(header.size() % 256);
  start += static_cast<char>(header.size() / 256);
  return start + header + data;
}

}  // namespace

TEST_CASE("matrices come back from .npy files", "[npy]") {
  TemporaryFolder const folder;
  for (auto const& [rows, cols] : {std::pair{2, 3}, {1, 1}, {0, 5}, {1000, 7}}) {
    std::vector<float> values;
    for (int i = 0; i < rows * cols; ++i) {
      values.push_back(0.25F * static_cast<float>(i));
    }
    m2u::write_npy(folder / "m.npy", values, rows, cols);
    auto const read = m2u::read_npy(folder / "m.npy");
    CHECK(read.rows == rows);
    CHECK(read.cols == cols);
    CHECK(read.values == values);
    auto const bytes = m2u::test::read_bytes(folder / "m.npy");
    CHECK((bytes.size() - 4 * values.size()) % 64 == 0);  // NumPy maps the data aligned
  }
}

TEST_CASE("a .npy file is the one that NumPy writes", "[npy]") {
  TemporaryFolder const folder;
  m2u::write_npy(folder / "m.npy", std::vector{1.0F, 2.0F}, 1, 2);
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  header.resize(117, ' ');
  CHECK(m2u::test::read_bytes(folder / "m.npy") ==
        npy(header + '\n', std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
}

TEST_CASE("a vector is read as one column", "[npy]") {
  TemporaryFolder const folder;
  auto const path = folder.write(
      "v.npy",
      npy("{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}\n", std::string(8, '\0')));
  auto const read = m2u::read_npy(path);
  CHECK(read.rows == 2);
  CHECK(read.cols == 1);
}

TEST_CASE("what is not a float32 matrix is refused", "[npy]") {
  TemporaryFolder const folder;
  auto const refuses = [&](std::string const& bytes, std::string const& message) {
    CHECK_THROWS_WITH(m2u::read_npy(folder.write("bad.npy", bytes)),
                      ContainsSubstring("bad.npy") && ContainsSubstring(message));
  };
  std::string const data(8, '\0');
  auto const shape = [](std::string const& text) {
    return "{'descr': '<f4', 'fortran_order': False, 'shape': " + text + "}";
  };
  refuses("", "not an .npy file");
  refuses(std::string(20, 'x'), "not an .npy file");
  refuses(npy(shape("(1, 2)"), data, 3), "format version 3");
  refuses(npy(shape("(1, 2)"), data).substr(0, 30), "header is cut off");
  refuses(npy(shape("(1, 2)"), data.substr(1)), "need 8 bytes, but there are 7");
  refuses(npy(shape("(1, 2)"), data + "x"), "there are 9");
  refuses(npy(shape("(1, 2, 1)"), data), "not that of a matrix");
  refuses(npy(shape("()"), data), "not that of a matrix");
  refuses(npy(shape("(-1, -2)"), data), "not that of a matrix");
  refuses(npy(shape("(99999999999, 2)"), data), "not that of a matrix");
  refuses(npy(shape("(2147483647, 2147483647)"), data), "values need");
  refuses(npy(shape("(1, 2"), data), "not that of a matrix");
  refuses(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)}", data),
          "not little-endian float32");
  refuses(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 2)}", data), "Fortran order");
  refuses(npy("{'fortran_order': False, 'shape': (1, 2)}", data), "no 'descr'");
  refuses(npy("{'descr':", data), "cut off");
  CHECK_THROWS_WITH(m2u::read_npy(folder / "none.npy"), ContainsSubstring("none.npy"));
}

TEST_CASE("an .npy file appears only when it is whole", "[npy]") {
  TemporaryFolder const folder;
  {
    m2u::NpyWriter writer(folder / "m.npy", 2, 2);
    writer.add(std::vector{1.0F, 2.0F, 3.0F});
    CHECK_THROWS_WITH(writer.commit(), ContainsSubstring("1 values of the matrix were not given"));
    CHECK_THROWS_WITH(writer.add(std::vector{1.0F, 2.0F}), ContainsSubstring("1 values more"));
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  CHECK_THROWS_WITH(m2u::write_npy(folder / "m.npy", {}, -1, 2), ContainsSubstring("-1 × 2"));
  CHECK_THROWS_WITH(m2u::write_npy(folder / "no/m.npy", {}, 0, 2),
                    ContainsSubstring("cannot write"));
}
