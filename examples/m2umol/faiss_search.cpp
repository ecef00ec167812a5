// SPDX-License-Identifier: Apache-2.0
#include "m2umol/faiss_search.hpp"

#if defined(M2UMOL_FAISS)
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/index_io.h>
#endif

#include <algorithm>
#include <cmath>
#include <memory>

namespace m2umol {

namespace fs = std::filesystem;

namespace {

constexpr char const* folder_name = "faiss";

#if defined(M2UMOL_FAISS)

fs::path file_of(fs::path const& folder, std::string const& space, std::string const& how,
                 std::string const& metric) {
  return folder / folder_name / (space + "." + metric + "." + how);
}

/// Rows as FAISS compares them: of length one for cosines, whose order is then that of distances.
std::vector<float> prepared(m2u::Matrix<float, m2u::Host> const& rows, bool unit) {
  int const cols = rows.extent_int(1);
  std::vector<float> values(rows.data(), rows.data() + rows.size());
  for (int i = 0; unit && i < rows.extent_int(0); ++i) {
    double square = 0.0;
    for (int j = 0; j < cols; ++j) {
      square += static_cast<double>(rows(i, j)) * static_cast<double>(rows(i, j));
    }
    double const length = square > 0.0 ? std::sqrt(square) : 1.0;
    for (int j = 0; j < cols; ++j) {
      values[static_cast<std::size_t>(i * static_cast<std::ptrdiff_t>(cols) + j)] =
          static_cast<float>(static_cast<double>(rows(i, j)) / length);
    }
  }
  return values;
}

/// Rows of a space, all or about every n-th, for training.
std::vector<float> training_rows(m2u::VectorIndex const& index, std::string const& space, bool unit,
                                 std::int64_t wanted) {
  auto const width = static_cast<std::ptrdiff_t>(index.width(space));
  std::int64_t const step = std::max<std::int64_t>(1, index.size(space) / wanted);
  std::vector<float> sample;
  std::int64_t number = 0;
  for (auto const& block : index.blocks(space)) {
    auto const values = prepared(block.rows(), unit);
    for (int i = 0; i < block.rows().extent_int(0); ++i, ++number) {
      if (number % step == 0) {
        auto const row = values.begin() + i * width;
        sample.insert(sample.end(), row, row + width);
      }
    }
  }
  return sample;
}

std::unique_ptr<faiss::Index> empty_index(m2u::VectorIndex const& index, std::string const& space,
                                          std::string const& how, bool unit) {
  int const width = index.width(space);
  if (how == "hnsw") {
    return std::make_unique<faiss::IndexHNSWFlat>(width, 32);
  }
  // About as many lists as the square root of the rows, each with rows enough to be trained on.
  auto const rows = static_cast<std::int64_t>(index.size(space));
  auto const lists = std::clamp<std::int64_t>(
      std::llround(4.0 * std::sqrt(static_cast<double>(rows))), 1,
      std::max<std::int64_t>(1, rows / 39));  // FAISS wants 39 rows for each
  auto* const lists_index = new faiss::IndexFlatL2(width);
  auto ivf = std::make_unique<faiss::IndexIVFFlat>(lists_index, static_cast<std::size_t>(width),
                                                   static_cast<std::size_t>(lists));
  ivf->own_fields = true;
  auto const sample = training_rows(index, space, unit, 64 * lists);
  ivf->train(static_cast<faiss::idx_t>(sample.size()) / width, sample.data());
  return ivf;
}

#endif

}  // namespace

void expect_faiss([[maybe_unused]] std::vector<std::string> const& how) {
#if !defined(M2UMOL_FAISS)
  m2u::expects(how.empty(), "this m2umol was built without FAISS, so there is no ",
               how.empty() ? std::string() : how.front(),
               ": install it (Debian: libfaiss-dev) and build again; --search exact needs nothing");
#endif
}

void remove_faiss(fs::path const& folder) { fs::remove_all(folder / folder_name); }

#if defined(M2UMOL_FAISS)

void write_faiss(m2u::VectorIndex const& index, fs::path const& folder, std::string const& how,
                 std::string const& metric) {
  fs::create_directories(folder / folder_name);
  for (auto const& space : index.spaces()) {
    bool const unit = metric == "cosine";
    auto const built = empty_index(index, space, how, unit);
    for (auto const& block : index.blocks(space)) {
      auto const values = prepared(block.rows(), unit);
      built->add(block.rows().extent_int(0), values.data());
    }
    // Under another name first: a killed program leaves no half of one.
    auto const path = file_of(folder, space, how, metric);
    auto const temporary = path.string() + ".tmp";
    faiss::write_index(built.get(), temporary.c_str());
    fs::rename(temporary, path);
  }
}

std::vector<m2u::Neighbour> search_faiss(m2u::VectorIndex const& index, fs::path const& folder,
                                         std::string const& space, std::string const& how,
                                         m2u::Metric metric,
                                         m2u::Matrix<float, m2u::Host> const& query, int top) {
  bool const unit = metric == m2u::Metric::cosine;
  std::string const name = unit ? "cosine" : "euclidean";
  auto const path = file_of(folder, space, how, name);
  m2u::expects(fs::exists(path), folder.string(), " has no ", how, " of FAISS for the ", name,
               " metric: m2umol index writes it with --faiss ", how, " --metric ", name);
  std::unique_ptr<faiss::Index> found;
  try {
    found.reset(faiss::read_index(path.c_str()));
  } catch (std::exception const& error) {
    m2u::fail(path.string(), " is damaged: ", error.what());
  }
  m2u::expects(found->ntotal == index.size(space) && found->d == index.width(space), path.string(),
               " is of another index: it has ", found->ntotal, " vectors of ", found->d,
               " numbers, the index ", index.size(space), " of ", index.width(space));
  // Some more than asked for: exact scores may change the order.
  auto const wanted = static_cast<int>(
      std::min<std::int64_t>(found->ntotal, 2 * static_cast<std::int64_t>(top) + 16));
  if (auto* const hnsw = dynamic_cast<faiss::IndexHNSW*>(found.get()); hnsw != nullptr) {
    hnsw->hnsw.efSearch = std::max(128, 2 * wanted);
  } else if (auto* const ivf = dynamic_cast<faiss::IndexIVF*>(found.get()); ivf != nullptr) {
    ivf->nprobe = std::clamp<std::size_t>(ivf->nlist / 8, 1, 64);
  }
  std::vector<float> distances(static_cast<std::size_t>(wanted));
  std::vector<faiss::idx_t> items(static_cast<std::size_t>(wanted));
  found->search(1, prepared(query, unit).data(), wanted, distances.data(), items.data());
  std::vector<int> rows;
  for (auto const item : items) {
    if (item >= 0) {  // -1: fewer were found
      rows.push_back(index.row_of(space, static_cast<int>(item)));
    }
  }
  return index.rank(space, query, rows, top, metric);
}

#else

void write_faiss(m2u::VectorIndex const& /*index*/, fs::path const& /*folder*/,
                 std::string const& how, std::string const& /*metric*/) {
  expect_faiss({how});
}

std::vector<m2u::Neighbour> search_faiss(m2u::VectorIndex const& /*index*/,
                                         fs::path const& /*folder*/, std::string const& /*space*/,
                                         std::string const& how, m2u::Metric /*metric*/,
                                         m2u::Matrix<float, m2u::Host> const& /*query*/,
                                         int /*top*/) {
  expect_faiss({how});
  return {};
}

#endif

}  // namespace m2umol
