// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <type_traits>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/core/activation.hpp"
#include "m2u/core/devices.hpp"
#include "m2u/core/file.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/core/random.hpp"
#include "m2u/core/random_lanes.hpp"
#include "m2u/core/square_roots.hpp"
#include "m2u/core/version.hpp"
#include "support/spaces.hpp"

using Catch::Matchers::ContainsSubstring;

TEST_CASE("the version's text agrees with its numbers", "[core]") {
  CHECK(std::string(m2u::version) == std::to_string(M2U_VERSION_MAJOR) + "." +
                                         std::to_string(M2U_VERSION_MINOR) + "." +
                                         std::to_string(M2U_VERSION_PATCH));
}

TEST_CASE("expects throws a sentence", "[core]") {
  CHECK_NOTHROW(m2u::expects(true, "never"));
  CHECK_THROWS_WITH(m2u::expects(false, "op: ", m2u::Shape{2, 3}, " is wrong"),
                    "op: [2, 3] is wrong");
}

TEST_CASE("Philox gives the published numbers", "[random]") {
  // Known answers of Philox4x32-10 (Salmon et al., the Random123 distribution's kat_vectors).
  auto const zeros = m2u::Philox::block(0, 0, 0);
  CHECK(zeros.words[0] == 0x6627e8d5U);
  CHECK(zeros.words[1] == 0xe169c58dU);
  CHECK(zeros.words[2] == 0xbc57ac4cU);
  CHECK(zeros.words[3] == 0x9b00dbd8U);
  auto const ones = m2u::Philox::block(~0ULL, ~0ULL, ~0ULL);
  CHECK(ones.words[0] == 0x408f276dU);
  CHECK(ones.words[1] == 0x41c83b0eU);
  CHECK(ones.words[2] == 0xa20bc7c6U);
  CHECK(ones.words[3] == 0x6d5451fdU);
  auto const seven = m2u::Philox::block<7>(~0ULL, ~0ULL, ~0ULL);  // Philox4x32-7
  CHECK(seven.words[0] == 0x5207ddc2U);
  CHECK(seven.words[1] == 0x45165e59U);
  CHECK(seven.words[2] == 0x4d8ee751U);
  CHECK(seven.words[3] == 0x8c52f662U);
}

TEST_CASE("lanes of Philox blocks are the blocks", "[random]") {
  auto const compare = []<int rounds>(std::integral_constant<int, rounds>) {
    // The low word of the counter runs over among the lanes, at once and not at all.
    for (std::uint64_t const first : {0x0ULL, 0x1FFFFFFFAULL, 0xFFFFFFFFULL, 0x123456789ABULL}) {
      for (std::uint64_t const step : {1ULL, 4ULL, 1000003ULL}) {
        m2u::PhiloxLanes<rounds> const lanes(0x9876543210ULL, 0xFEDCBA98765ULL, first, step);
        for (std::uint64_t l = 0; l < m2u::random_lanes; ++l) {
          INFO(first << " + " << l << " * " << step << ", " << rounds << " rounds");
          auto const block =
              m2u::Philox::block<rounds>(0x9876543210ULL, 0xFEDCBA98765ULL, first + l * step);
          for (int w = 0; w < 4; ++w) {
            REQUIRE(lanes.words[w][l] == block.words[w]);
          }
        }
      }
    }
  };
  compare(std::integral_constant<int, 10>{});
  compare(std::integral_constant<int, 7>{});
}

TEST_CASE("square roots of many numbers are those of std::sqrt", "[core]") {
  float x[37];  // vectors and what is left
  for (int i = 0; i < 37; ++i) {
    x[i] = i == 0 ? 0.0F
                  : std::ldexp(m2u::RandomStream{1, 2}.uniform(static_cast<std::uint64_t>(i)),
                               4 * i - 80);
  }
  float roots[37];
  std::copy(std::begin(x), std::end(x), roots);
  m2u::square_roots(roots);
  for (int i = 0; i < 37; ++i) {
    CHECK(roots[i] == std::sqrt(x[i]));
  }
}

TEST_CASE("random streams are uniform and permutations are permutations", "[random]") {
  m2u::RandomStream const random{3, 4};
  double sum = 0.0;
  for (std::uint64_t i = 0; i < 10000; ++i) {
    float const u = random.uniform(i);
    REQUIRE((u >= 0.0F && u < 1.0F));
    sum += static_cast<double>(u);
  }
  CHECK(std::abs(sum / 10000 - 0.5) < 0.02);
  auto order = m2u::random_permutation(1000, m2u::Seed{5}, 0);
  CHECK(order == m2u::random_permutation(1000, m2u::Seed{5}, 0));
  CHECK(order != m2u::random_permutation(1000, m2u::Seed{6}, 0));
  CHECK(order != m2u::random_permutation(1000, m2u::Seed{5}, 1));
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(order[static_cast<std::size_t>(i)] == i);
  }
}

TEST_CASE("ragged groups, row indices and sparse rows know their inverse", "[ragged]") {
  auto const groups = m2u::make_ragged(std::vector<int>{2, 0, 3});
  CHECK(groups.groups == 3);
  CHECK(groups.total == 5);
  CHECK(groups.longest == 3);
  CHECK(groups.offsets(2) == 2);
  CHECK_THROWS_WITH(m2u::make_ragged(std::vector<int>{1, -1}),
                    ContainsSubstring("negative length"));
  CHECK_THROWS_WITH(m2u::make_ragged(std::vector<int>{2147483647, 1}), ContainsSubstring("2^31"));
  CHECK(m2u::make_ragged(std::vector<int>{}).groups == 0);

  auto const index = m2u::make_row_index(std::vector<int>{2, 0, 2}, 3);
  CHECK(index.picked() == 3);
  CHECK(index.sources() == 3);
  CHECK(index.uses.offsets(1) == 1);
  CHECK(index.uses.offsets(2) == 1);
  CHECK(index.positions(0) == 1);
  CHECK(index.positions(1) == 0);
  CHECK(index.positions(2) == 2);
  CHECK_THROWS_WITH(m2u::make_row_index(std::vector<int>{3}, 3),
                    ContainsSubstring("outside 0 … 2"));

  auto const sparse = m2u::make_sparse_rows(std::vector<int>{2, 0, 1}, std::vector<int>{4, 1, 4},
                                            std::vector<float>{1.0F, 2.0F, 3.0F}, 5);
  CHECK(sparse.used.extent_int(0) == 2);
  CHECK(sparse.used(0) == 1);
  CHECK(sparse.used(1) == 4);
  CHECK(sparse.uses.offsets(1) == 1);
  CHECK(sparse.use_rows(0) == 0);
  CHECK(sparse.use_rows(1) == 0);
  CHECK(sparse.use_rows(2) == 2);
  CHECK(sparse.use_weights(2) == 3.0F);
  CHECK_THROWS_WITH(m2u::make_sparse_rows(std::vector<int>{1}, std::vector<int>{5}, {}, 5),
                    ContainsSubstring("column 5"));
  CHECK_THROWS_WITH(m2u::make_sparse_rows(std::vector<int>{2}, std::vector<int>{1}, {}, 5),
                    ContainsSubstring("lengths sum to 2"));
}

TEST_CASE("files are written whole or not at all", "[file]") {
  auto const folder = std::filesystem::temp_directory_path() / "m2u-test-file";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  auto const path = folder / "a.txt";
  m2u::write_file(path, "first");
  {
    m2u::AtomicFile file(path);
    file.write("half of the sec");
  }  // no commit
  CHECK(m2u::MappedFile(path).bytes().size() == 5);
  int files = 0;
  for ([[maybe_unused]] auto const& entry : std::filesystem::directory_iterator(folder)) {
    ++files;
  }
  CHECK(files == 1);
  m2u::write_file(folder / "empty", "");
  CHECK(m2u::MappedFile(folder / "empty").bytes().empty());
  CHECK_THROWS_WITH(m2u::MappedFile(folder / "missing"), ContainsSubstring("missing"));
  CHECK_THROWS_WITH(m2u::MappedFile(folder), ContainsSubstring("not a regular file"));
  CHECK_THROWS_WITH(m2u::write_file(folder / "no" / "such", "x"),
                    ContainsSubstring("cannot write"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("the checksum sees every byte, the order and the length", "[file]") {
  std::string text(37, 'a');
  auto const of = [](std::string const& s) {
    return m2u::checksum(std::as_bytes(std::span(s.data(), s.size())));
  };
  auto const original = of(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto changed = text;
    changed[i] = 'b';
    CHECK(of(changed) != original);
  }
  CHECK(of(text + std::string(1, '\0')) != original);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    m2u::Checksum parts;
    parts.add(std::as_bytes(std::span(text.data(), cut)));
    parts.add(std::as_bytes(std::span(text.data() + cut, text.size() - cut)));
    CHECK(parts.value() == original);
  }
}

TEST_CASE("host matrices check their sizes and go to a space and back", "[matrix]") {
  CHECK_THROWS_WITH(m2u::host_matrix("m", 2, 3, std::vector<float>(5)),
                    ContainsSubstring("needs 6 values, but 5"));
  m2u::test::for_each_space([]<class S>(std::type_identity<S>) {
    S const space;
    std::vector<float> values(12);
    std::iota(values.begin(), values.end(), 0.0F);
    auto const matrix = m2u::to_space<S>(space, m2u::host_matrix("m", 3, 4, values));
    CHECK(m2u::to_host(space, matrix) == values);
    CHECK_THROWS_WITH(m2u::from_host(space, std::span<float const>(values.data(), 3), matrix),
                      ContainsSubstring("holds 12 values, but 3"));
  });
}

TEST_CASE("the device that a user asks for is checked before Kokkos starts", "[devices]") {
  auto const here = m2u::find_devices();
  CHECK(here.needed == !m2u::on_host<Kokkos::DefaultExecutionSpace>);
  CHECK_NOTHROW(m2u::expect_device(here, {}));
  m2u::Devices const host{};
  CHECK_NOTHROW(m2u::expect_device(host, {}));
  CHECK_THROWS_WITH(m2u::expect_device(host, 0), ContainsSubstring("no device to choose"));
  m2u::Devices const none{true, 0, "no driver"};
  CHECK_THROWS_WITH(m2u::expect_device(none, {}), ContainsSubstring("no GPU here: no driver"));
  m2u::Devices const two{true, 2, {}};
  CHECK_NOTHROW(m2u::expect_device(two, 1));
  CHECK_THROWS_WITH(m2u::expect_device(two, 2), ContainsSubstring("there are 2, numbered from 0"));
  CHECK_THROWS_WITH(m2u::expect_device(two, -1), ContainsSubstring("no GPU -1"));
}
