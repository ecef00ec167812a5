// SPDX-License-Identifier: Apache-2.0
// embedding_sum, sparse_linear, and the vocabularies that embedding_sum reads by.
#include "m2u/ops/add.hpp"
#include "m2u/ops/embedding_sum.hpp"
#include "m2u/ops/sparse_linear.hpp"
#include "support/gradient_cases.hpp"
#include "support/op_values.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <algorithm>

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::random_input;
using m2u::Vocabularies;
using m2u::test::add_gradient_case;
using m2u::test::largest_difference;
using m2u::test::OpTape;

/// Features that use every value of a vocabulary but its last.
std::vector<int> some_features(int rows, Vocabularies const& vocabularies) {
  std::vector<int> values;
  for (int i = 0; i < rows; ++i) {
    for (int f = 0; f < vocabularies.features(); ++f) {
      int const range = std::max(1, vocabularies.size(f) - 1);
      values.push_back(static_cast<int>(static_cast<unsigned>(i + 7 * f) * 2654435761U >> 8U) %
                       range);
    }
  }
  return values;
}

template <class S>
m2u::Matrix<int, S> features_on(S const& space, int rows, Vocabularies const& vocabularies) {
  return m2u::to_space<S>(space, m2u::host_matrix("features", rows, vocabularies.features(),
                                                  some_features(rows, vocabularies)));
}

template <class S>
m2u::GradientReport check_embedding(S const& space, int rows, Vocabularies const& vocabularies) {
  auto const features = features_on(space, rows, vocabularies);
  m2u::ParameterLayout layout;
  auto const slice =
      layout.scope("test").matrix("table", vocabularies.total(), 3, m2u::Initialiser::normal(1.0F));
  return m2u::gradient_check(
      space, layout, {random_input(vocabularies.total(), 3, {1})}, [=](auto& tape, auto const& in) {
        return m2u::add(tape, m2u::embedding_sum(tape, in[0], vocabularies, features),
                        m2u::embedding_sum(tape, tape.parameter(slice), vocabularies, features),
                        m2u::embedding_sum(tape, in[0], vocabularies, features));
      });
}

/// Two entries in most rows, some weights, columns 2 and width - 1 never used.
m2u::SparseRows<m2u::Host> some_sparse(int rows, int width) {
  std::vector<int> lengths;
  std::vector<int> columns;
  std::vector<float> weights;
  for (int i = 0; i < rows; ++i) {
    lengths.push_back(i % 4 == 2 ? 0 : 2);
    for (int k = 0; k < lengths.back(); ++k) {
      int const column = (i * 5 + k * 3) % (width - 1);
      columns.push_back(column == 2 ? 0 : column);
      weights.push_back(0.5F * static_cast<float>(1 + (i + k) % 3));
    }
  }
  return m2u::make_sparse_rows(lengths, columns, weights, width);
}

template <class S>
m2u::GradientReport check_sparse(S const& space, int rows) {
  auto const a = to_space(space, some_sparse(rows, 11));
  m2u::ParameterLayout layout;
  auto const slice = layout.scope("test").matrix("table", 11, 3, m2u::Initialiser::normal(1.0F));
  return m2u::gradient_check(space, layout, {random_input(11, 3, {1}), random_input(1, 3, {2})},
                             [=](auto& tape, auto const& in) {
                               return m2u::add(
                                   tape, m2u::sparse_dense(tape, a, in[0]),
                                   m2u::sparse_linear(tape, a, in[0], in[1]),
                                   m2u::sparse_linear(tape, a, tape.parameter(slice), in[1]));
                             });
}

bool const lookup_cases[] = {
    add_gradient_case("embedding_sum", "many blocks",
                      [](auto s) { return check_embedding(s, 333, {4, 2, 3}); }),
    add_gradient_case("embedding_sum", "more values than rows",
                      [](auto s) { return check_embedding(s, 3, {20, 1}); }),
    add_gradient_case("embedding_sum", "one row, one feature",
                      [](auto s) { return check_embedding(s, 1, {5}); }),
    add_gradient_case("embedding_sum", "no rows",
                      [](auto s) { return check_embedding(s, 0, {4, 2}); }),
    add_gradient_case("sparse_linear", "rows without entries",
                      [](auto s) { return check_sparse(s, 30); }),
    add_gradient_case("sparse_linear", "one row", [](auto s) { return check_sparse(s, 1); }),
    add_gradient_case("sparse_linear", "no rows", [](auto s) { return check_sparse(s, 0); }),
    add_gradient_case("sparse_linear", "product alone",
                      [](auto s) {
                        auto const a = to_space(s, some_sparse(9, 8));
                        return m2u::gradient_check(s, {}, {random_input(8, 5, {1})},
                                                   [=](auto& tape, auto const& in) {
                                                     return m2u::sparse_dense(tape, a, in[0]);
                                                   });
                      }),
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("embedding_sum gives the values of plain loops", "[embedding_sum]",
                        m2u::test::Spaces) {
  Vocabularies const vocabularies{6, 1, 9};
  constexpr int rows = 500;
  constexpr std::size_t width = 37;
  auto const table = random_input(16, width, {1});
  auto const chosen = some_features(rows, vocabularies);
  auto const dy = random_input(rows, width, {2});
  std::vector<double> value(rows * width, 0.0);
  std::vector<double> gradient(16 * width, 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t f = 0; f < 3; ++f) {
      auto const row = static_cast<std::size_t>(vocabularies.offsets()[f] + chosen[3 * i + f]);
      for (std::size_t j = 0; j < width; ++j) {
        value[i * width + j] += table.values[row * width + j];
        gradient[row * width + j] += dy.values[i * width + j];
      }
    }
  }
  OpTape<TestType> tape;
  auto const x = tape.input(table);
  auto const y =
      m2u::embedding_sum(tape, x, vocabularies, features_on(TestType{}, rows, vocabularies));
  CHECK(largest_difference(tape.values(y), value) < 1e-14);
  CHECK(largest_difference(tape.gradient_of(x, y, dy.values), gradient) < 1e-12);
}

// The order of the sums is fixed: blocks of 63 rows on a host, of 6 on a GPU, then the blocks in
// double. So the bits are, too.
TEMPLATE_LIST_TEST_CASE("embedding_sum sums its gradient in an order of its own", "[embedding_sum]",
                        m2u::test::Spaces) {
  Vocabularies const vocabularies{6, 2, 9};
  constexpr int rows = 1000;
  constexpr std::size_t width = 20;
  auto const chosen = some_features(rows, vocabularies);
  auto const random = random_input(rows, width, {2});
  std::vector<float> const dy(random.values.begin(), random.values.end());
  std::vector<double> sums(17 * width, 0.0);
  constexpr std::size_t block_rows = m2u::on_host<TestType> ? 63 : 6;
  for (std::size_t first = 0; first < rows; first += block_rows) {
    std::vector<float> partial(sums.size(), 0.0F);
    for (std::size_t i = first; i < std::min<std::size_t>(first + block_rows, rows); ++i) {
      for (std::size_t f = 0; f < 3; ++f) {
        auto const row = static_cast<std::size_t>(vocabularies.offsets()[f] + chosen[3 * i + f]);
        for (std::size_t j = 0; j < width; ++j) {
          partial[row * width + j] += dy[i * width + j];
        }
      }
    }
    for (std::size_t k = 0; k < sums.size(); ++k) {
      sums[k] += static_cast<double>(partial[k]);
    }
  }
  std::vector<float> const expected(sums.begin(), sums.end());
  OpTape<TestType, float> tape;
  auto const x = tape.input(random_input(17, width, {1}));
  auto const y =
      m2u::embedding_sum(tape, x, vocabularies, features_on(TestType{}, rows, vocabularies));
  CHECK(tape.gradient_of(x, y, dy) == expected);
}

TEMPLATE_LIST_TEST_CASE("sparse_linear gives the values of plain loops", "[sparse_linear]",
                        m2u::test::Spaces) {
  constexpr int rows = 41;
  constexpr std::size_t out = 19;
  auto const a = some_sparse(rows, 13);
  auto const table = random_input(13, out, {1});
  auto const bias = random_input(1, out, {2});
  std::vector<double> product(rows * out, 0.0);
  std::vector<double> value(rows * out, 0.0);
  for (int i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < out; ++j) {
      auto const at = static_cast<std::size_t>(i) * out + j;
      for (int k = a.rows.offsets(i); k < a.rows.offsets(i + 1); ++k) {
        product[at] += static_cast<double>(a.weights(k)) *
                       table.values[static_cast<std::size_t>(a.columns(k)) * out + j];
      }
      value[at] = product[at] + bias.values[j];
    }
  }
  OpTape<TestType> tape;
  auto const on_space = to_space(TestType{}, a);
  auto const weight = tape.input(table);
  CHECK(largest_difference(tape.values(m2u::sparse_dense(tape, on_space, weight)), product) <
        1e-14);
  auto const y = m2u::sparse_linear(tape, on_space, weight, tape.input(bias));
  CHECK(largest_difference(tape.values(y), value) < 1e-14);
}

TEST_CASE("table look-ups refuse shapes that do not fit", "[embedding_sum][sparse_linear]") {
  using S = Kokkos::DefaultExecutionSpace;
  OpTape<S> tape;
  auto const table = tape.constant(tape.matrix(7, 3));
  CHECK_THROWS_WITH(m2u::embedding_sum(tape, table, {4, 4}, tape.matrix<int>(5, 2)),
                    ContainsSubstring("table [7, 3] does not fit vocabularies of 8 values"));
  CHECK_THROWS_WITH(m2u::embedding_sum(tape, table, {4, 3}, tape.matrix<int>(5, 3)),
                    ContainsSubstring("features [5, 3] do not fit 2 vocabularies"));
  auto const a = to_space(S{}, some_sparse(2, 8));
  CHECK_THROWS_WITH(m2u::sparse_dense(tape, a, table),
                    ContainsSubstring("width 8 do not fit the weight [7, 3]"));
  auto const weight = tape.constant(tape.matrix(8, 3));
  CHECK_THROWS_WITH(m2u::sparse_linear(tape, a, weight, tape.constant(tape.matrix(1, 4))),
                    ContainsSubstring("bias [1, 4] does not fit weight [8, 3]"));
}

TEST_CASE("vocabularies and the features under them are checked", "[embedding_sum]") {
  Vocabularies const vocabularies{3, 5};
  CHECK(vocabularies.total() == 8);
  CHECK(vocabularies.size(1) == 5);
  CHECK_THROWS_WITH(Vocabularies({}), ContainsSubstring("0 features"));
  CHECK_THROWS_WITH(Vocabularies(std::vector<int>(17, 1)), ContainsSubstring("17 features"));
  CHECK_THROWS_WITH((Vocabularies{3, 0}), ContainsSubstring("feature 1 has 0 values"));
  CHECK_THROWS_WITH((Vocabularies{2147483647, 1}), ContainsSubstring("2^31 - 1"));
  CHECK_NOTHROW(m2u::check_features(std::vector{0, 0, 2, 4}, vocabularies, "atoms"));
  CHECK_NOTHROW(m2u::check_features({}, vocabularies, "atoms"));
  CHECK_THROWS_WITH(m2u::check_features(std::vector{0, 0, 3, 4}, vocabularies, "atoms"),
                    ContainsSubstring("atoms: feature 0 of row 1 is 3, outside 0 … 2"));
  CHECK_THROWS_WITH(m2u::check_features(std::vector{0, -1}, vocabularies, "atoms"),
                    ContainsSubstring("feature 1 of row 0 is -1, outside 0 … 4"));
  CHECK_THROWS_WITH(m2u::check_features(std::vector{0, 1, 2}, vocabularies, "atoms"),
                    ContainsSubstring("3 values do not make whole rows of 2 features"));
}
