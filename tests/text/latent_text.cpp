// SPDX-License-Identifier: Apache-2.0
#include "m2u/text/latent_text.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "data/temporary_folder.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using Dense = std::vector<std::vector<double>>;

std::uint32_t draw(std::uint64_t stream, std::uint64_t index) {
  return m2u::Philox::block(7, stream, index).words[0];
}

/// Texts of a few topics, with words of their own and common ones.
std::vector<std::string> texts(int count) {
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) {
    std::string text;
    for (int w = 0; w < 12; ++w) {
      auto const random = draw(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(w));
      bool const common = random % 3 == 0;
      text += (common ? "word" : "topic" + std::to_string(i % 4) + "x") +
              std::to_string((random >> 8U) % 9) + ' ';
    }
    result.push_back(text);
  }
  return result;
}

std::vector<m2u::SparseRow> counts(std::vector<std::string> const& of,
                                   m2u::HashedNgramOptions const& options) {
  std::vector<m2u::SparseRow> rows;
  for (auto const& text : of) {
    rows.push_back(m2u::hashed_ngrams(text, options));
  }
  return rows;
}

Dense dense(std::vector<m2u::SparseRow> const& rows, int cols) {
  Dense a(rows.size(), std::vector<double>(static_cast<std::size_t>(cols), 0.0));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows[i].columns.size(); ++j) {
      a[i][static_cast<std::size_t>(rows[i].columns[j])] = static_cast<double>(rows[i].weights[j]);
    }
  }
  return a;
}

/// Eigenvalues, falling, of aᵀ·a or a·aᵀ by Jacobi's rotations, with eigenvectors in rows.
std::pair<std::vector<double>, Dense> jacobi(Dense const& a) {
  auto const n = a[0].size();
  Dense s(n, std::vector<double>(n, 0.0));
  Dense v(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) {
    v[i][i] = 1.0;
    for (std::size_t j = 0; j < n; ++j) {
      for (auto const& row : a) {
        s[i][j] += row[i] * row[j];
      }
    }
  }
  for (int sweep = 0; sweep < 30; ++sweep) {
    for (std::size_t p = 0; p < n; ++p) {
      for (std::size_t q = p + 1; q < n; ++q) {
        double const angle = 0.5 * std::atan2(2.0 * s[p][q], s[q][q] - s[p][p]);
        double const c = std::cos(angle);
        double const d = std::sin(angle);
        for (std::size_t k = 0; k < n; ++k) {
          double const x = s[p][k];
          s[p][k] = c * x - d * s[q][k];
          s[q][k] = d * x + c * s[q][k];
        }
        for (std::size_t k = 0; k < n; ++k) {
          double const x = s[k][p];
          s[k][p] = c * x - d * s[k][q];
          s[k][q] = d * x + c * s[k][q];
          double const y = v[p][k];
          v[p][k] = c * y - d * v[q][k];
          v[q][k] = d * y + c * v[q][k];
        }
      }
    }
  }
  std::vector<std::size_t> order(n);
  for (std::size_t i = 0; i < n; ++i) {
    order[i] = i;
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t i, std::size_t j) { return s[i][i] > s[j][j]; });
  std::pair<std::vector<double>, Dense> result;
  for (auto const i : order) {
    result.first.push_back(s[i][i]);
    result.second.push_back(v[i]);
  }
  return result;
}

std::vector<m2u::SparseRow> random_rows(int rows, int cols, int rank) {
  // Products of two sparse factors would be dense; rows repeated with factors have a small rank.
  std::vector<m2u::SparseRow> result;
  for (int i = 0; i < rows; ++i) {
    m2u::SparseRow row;
    auto const like = static_cast<std::uint64_t>(i % rank);
    for (int c = 0; c < cols; ++c) {
      if (draw(100 + like, static_cast<std::uint64_t>(c)) % 4 == 0) {
        row.columns.push_back(c);
        row.weights.push_back(
            static_cast<float>(draw(200 + like, static_cast<std::uint64_t>(c)) % 100) / 50.0F -
            0.5F + 0.1F * static_cast<float>(i / rank));
      }
    }
    result.push_back(std::move(row));
  }
  return result;
}

void check_against_jacobi(std::vector<m2u::SparseRow> const& rows, int cols, int rank,
                          m2u::SparseSvdOptions const& options) {
  auto const [squares, vectors] = jacobi(dense(rows, cols));
  auto const svd = m2u::sparse_svd(rows, cols, rank, options);
  auto const columns = static_cast<std::size_t>(svd.rank);
  for (std::size_t k = 0; k < columns; ++k) {
    INFO("singular value " << k);
    CHECK_THAT(svd.values[k], WithinAbs(std::sqrt(squares[k]), 1e-8));
    double product = 0.0;
    double largest = 0.0;
    for (std::size_t c = 0; c < vectors.size(); ++c) {
      double const x = svd.vectors[c * columns + k];
      product += x * vectors[k][c];
      largest = std::abs(x) > std::abs(largest) ? x : largest;
    }
    CHECK_THAT(std::abs(product), WithinAbs(1.0, 1e-8));
    CHECK(largest > 0.0);
  }
}

}  // namespace

TEST_CASE("sparse_svd finds the singular vectors", "[sparse_svd]") {
  // Wide and tall; the basis is smaller than the matrix.
  check_against_jacobi(random_rows(30, 45, 30), 45, 5, {.oversampling = 10, .iterations = 60});
  check_against_jacobi(random_rows(60, 25, 60), 25, 5, {.oversampling = 10, .iterations = 60});
  // The basis is everything: exact at once.
  check_against_jacobi(random_rows(20, 25, 20), 25, 20, {.iterations = 0});
  auto const few = m2u::sparse_svd(random_rows(20, 25, 20), 25, 100);
  CHECK(few.rank == 20);
}

TEST_CASE("sparse_svd knows the rank", "[sparse_svd]") {
  std::vector<m2u::SparseRow> rows{
      {{0, 2}, {1.0F, 2.0F}}, {{0, 2}, {2.0F, 4.0F}}, {}, {{1}, {3.0F}}};
  auto const svd = m2u::sparse_svd(rows, 4, 3);
  REQUIRE(svd.rank == 2);
  CHECK_THAT(svd.values[0], WithinAbs(5.0, 1e-12));  // √(5 + 20)
  CHECK_THAT(svd.values[1], WithinAbs(3.0, 1e-12));
  CHECK_THAT(svd.vectors[0], WithinAbs(1.0 / std::sqrt(5.0), 1e-12));
  CHECK_THAT(svd.vectors[4], WithinAbs(2.0 / std::sqrt(5.0), 1e-12));
  CHECK_THAT(svd.vectors[3], WithinAbs(1.0, 1e-12));
  CHECK(m2u::sparse_svd({}, 4, 3).rank == 0);
  CHECK(m2u::sparse_svd({}, 0, 3).rank == 0);
  CHECK(m2u::sparse_svd(std::vector<m2u::SparseRow>(3), 5, 2).rank == 0);
  CHECK_THROWS_WITH(m2u::sparse_svd(rows, 2, 3), ContainsSubstring("column 2 of 2"));
  CHECK_THROWS_WITH(m2u::sparse_svd(rows, 4, 0), ContainsSubstring("rank 0"));
}

TEST_CASE("LatentText projects onto the training texts' singular vectors", "[latent_text]") {
  m2u::HashedNgramOptions const ngrams{.buckets = 64, .longest = 1};
  auto const training = texts(50);
  auto const rows = counts(training, ngrams);
  int const width = 6;
  auto const latent = m2u::LatentText::fit(
      rows, {.width = width, .ngrams = ngrams, .min_texts = 2, .svd = {.iterations = 60}});
  CHECK(latent.width() == width);
  CHECK(latent.rank() == width);
  CHECK(latent.texts() == 50);
  m2u::TfIdf weights(ngrams.buckets, 2);
  for (auto const& row : rows) {
    weights.add(row);
  }
  std::vector<m2u::SparseRow> weighed;
  for (auto const& row : rows) {
    weighed.push_back(weights.weigh(row));
  }
  auto const [squares, vectors] = jacobi(dense(weighed, ngrams.buckets));
  double sum = 0.0;
  for (std::size_t k = 0; k < static_cast<std::size_t>(width); ++k) {
    sum += squares[k];
    CHECK_THAT(latent.singular_values()[k], WithinAbs(std::sqrt(squares[k]), 1e-5));
  }
  double const scale = std::sqrt(50.0 * width / sum);
  // A training text and one that was not among them, whose unknown words count for nothing.
  for (auto const& text : {training[3], std::string("topic1x2 word3 topic1x4 neverseen word3")}) {
    auto const vector = latent(text);
    REQUIRE(vector.size() == static_cast<std::size_t>(width));
    auto const row = dense({weights.weigh(m2u::hashed_ngrams(text, ngrams))}, ngrams.buckets)[0];
    for (std::size_t k = 0; k < vector.size(); ++k) {
      double expected = 0.0;
      double sign = 0.0;
      for (std::size_t c = 0; c < row.size(); ++c) {
        expected += scale * row[c] * vectors[k][c];
        sign = std::abs(vectors[k][c]) > std::abs(sign) ? vectors[k][c] : sign;
      }
      CHECK_THAT(vector[k], WithinAbs(sign > 0.0 ? expected : -expected, 2e-4));
    }
  }
  // The mean square of all entries is 1.
  double mean = 0.0;
  for (auto const& text : training) {
    for (float const x : latent(text)) {
      mean += static_cast<double>(x) * static_cast<double>(x) / (50.0 * width);
    }
  }
  CHECK_THAT(mean, WithinAbs(1.0, 1e-4));
}

TEST_CASE("LatentText brings texts of one topic together", "[latent_text]") {
  auto const latent = m2u::LatentText::fit(counts(texts(200), {}), {.width = 16});
  auto const cosine = [&](std::string const& a, std::string const& b) {
    auto const x = latent(a);
    auto const y = latent(b);
    double xy = 0.0;
    double xx = 0.0;
    double yy = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      xy += static_cast<double>(x[i]) * static_cast<double>(y[i]);
      xx += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      yy += static_cast<double>(y[i]) * static_cast<double>(y[i]);
    }
    return xy / std::sqrt(xx * yy);
  };
  // No word in common.
  CHECK(cosine("topic1x1 topic1x2", "topic1x3 topic1x4") > 0.5);
  CHECK(cosine("topic1x1 topic1x2", "topic2x1 topic2x2") < 0.3);
}

TEST_CASE("LatentText does not depend on threads and keeps in a file", "[latent_text]") {
  auto const rows = counts(texts(300), {});
  m2u::LatentTextOptions options{.width = 24, .min_texts = 2};
  options.svd.threads = 1;
  auto const one = m2u::LatentText::fit(rows, options);
  options.svd.threads = 3;
  auto const three = m2u::LatentText::fit(rows, options);
  CHECK(one.checksum() == three.checksum());
  CHECK(one(texts(5)[4]) == three(texts(5)[4]));
  options.svd.seed = 1;
  CHECK(m2u::LatentText::fit(rows, options).checksum() != one.checksum());

  m2u::test::TemporaryFolder const folder;
  one.save(folder / "text.safetensors");
  auto const loaded = m2u::LatentText::load(folder / "text.safetensors");
  CHECK(loaded.checksum() == one.checksum());
  CHECK(loaded.width() == 24);
  CHECK(loaded.rank() == 24);
  CHECK(loaded.texts() == 300);
  CHECK(loaded.min_texts() == 2);
  CHECK(loaded.ngrams().longest == 2);
  CHECK(loaded.used_buckets() == one.used_buckets());
  CHECK(loaded(texts(5)[4]) == one(texts(5)[4]));
}

TEST_CASE("LatentText takes few texts, and texts without words", "[latent_text]") {
  auto const two = m2u::LatentText::fit(counts({"a statin", "a kinase inhibitor", ""}, {}),
                                        {.width = 5, .min_texts = 1});
  CHECK(two.rank() == 2);
  CHECK(two.texts() == 2);
  auto const vector = two("a statin");
  REQUIRE(vector.size() == 5);
  CHECK((vector[0] != 0.0F && vector[1] != 0.0F));
  CHECK((vector[2] == 0.0F && vector[3] == 0.0F && vector[4] == 0.0F));
  CHECK(two("").empty());
  CHECK(two("unheard of").empty());
  auto const none = m2u::LatentText::fit({}, {.width = 5});
  CHECK(none.rank() == 0);
  CHECK(none("a statin").empty());
  m2u::test::TemporaryFolder const folder;
  none.save(folder / "none");
  CHECK(m2u::LatentText::load(folder / "none").checksum() == none.checksum());
  CHECK_THROWS_WITH(m2u::LatentText::fit({}, {.width = 0}), ContainsSubstring("width 0"));
  CHECK_THROWS_WITH(m2u::LatentText::fit({}, {.min_texts = 0}), ContainsSubstring("at least 0"));
  CHECK_THROWS_WITH(m2u::LatentText::fit({}, {.ngrams = {.buckets = 3}}),
                    ContainsSubstring("power of two"));
}

TEST_CASE("LatentText refuses damaged files", "[latent_text]") {
  m2u::test::TemporaryFolder const folder;
  m2u::HashedNgramOptions const ngrams{.buckets = 64, .longest = 1};
  auto const latent =
      m2u::LatentText::fit(counts(texts(20), ngrams), {.width = 4, .ngrams = ngrams});
  auto const path = folder / "text.safetensors";
  latent.save(path);
  auto const whole = m2u::test::read_bytes(path);
  auto const refused = [&](std::string const& bytes, std::string const& says) {
    folder.write("bad", bytes);
    INFO(says);
    CHECK_THROWS_WITH(m2u::LatentText::load(folder / "bad"), ContainsSubstring("bad"));
    CHECK_THROWS_WITH(m2u::LatentText::load(folder / "bad"), ContainsSubstring(says));
  };
  refused("", "0 bytes");
  refused(whole.substr(0, whole.size() - 4), "truncated");
  auto altered = whole;
  altered[whole.size() - 6] = static_cast<char>(altered[whole.size() - 6] ^ 1);
  refused(altered, "damaged");
  CHECK_THROWS_WITH(m2u::LatentText::load(folder / "missing"), ContainsSubstring("missing"));

  // Contents that another program might write, with the right checksum.
  using Tensors = std::vector<m2u::NamedTensor>;
  using Metadata = std::map<std::string, std::string>;
  auto const changed = [&](auto const& change, std::string const& says, bool sum = true) {
    m2u::SafetensorsFile const file(path);
    Metadata metadata = file.metadata();
    metadata.erase("m2u_checksum");
    Tensors tensors;
    for (auto const& name : file.names()) {
      tensors.push_back(file.tensor(name));
    }
    change(tensors, metadata);
    if (sum) {
      m2u::add_content_sum(tensors, metadata);
    }
    m2u::write_safetensors(folder / "bad", tensors, metadata);
    INFO(says);
    CHECK_THROWS_WITH(m2u::LatentText::load(folder / "bad"), ContainsSubstring(says));
  };
  auto const options = [&](std::string const& from, std::string const& to) {
    return [=](Tensors&, Metadata& metadata) {
      auto& text = metadata.at("options");
      REQUIRE(text.find(from) != std::string::npos);
      text.replace(text.find(from), from.size(), to);
    };
  };
  changed([](Tensors&, Metadata&) {}, "lacks its checksum", false);
  changed([](Tensors&, Metadata& m) { m.erase("format"); }, "not a text projection");
  changed([](Tensors&, Metadata& m) { m["version"] = "9"; }, "version 9");
  changed([](Tensors&, Metadata& m) { m["options"] = "{"; }, "not valid JSON");
  changed(options("\"buckets\":64", "\"buckets\":65"), "power of two");
  changed(options("\"buckets\":64", "\"buckets\":2"), "not an integer in");
  changed(options("\"width\":4", "\"width\":3"), "4 components, but the width is 3");
  changed(options("\"width\":4", "\"width\":-4"), "\"width\"");
  changed(options("\"texts\":20", "\"texts\":2"), "not an integer in");
  // Tensors in the order of their names: buckets, components, singular_values, texts_with.
  changed([](Tensors& t, Metadata&) { t[0].values[0] = 0.5F; }, "0.5 is not an integer");
  changed([](Tensors& t, Metadata&) { t[0].values[1] = t[0].values[0]; }, "not an integer in");
  changed([](Tensors& t, Metadata&) { t[1].values[3] = std::numeric_limits<float>::infinity(); },
          "not finite");
  changed([](Tensors& t, Metadata&) { std::swap(t[1].shape[0], t[1].shape[1]); },
          "shapes of its tensors do not agree");
  changed([](Tensors& t, Metadata&) { t.pop_back(); }, "no tensor \"texts_with\"");
}
