// SPDX-License-Identifier: Apache-2.0
// bench_retrieve: exact search in an index on disk: one query against the time that reading the
// index takes, many against the rate of sgemm for their size, and the memory beside the index.
#include <algorithm>
#include <ctime>
#include <filesystem>

#include "m2u/core/random.hpp"
#include "m2u/data/shard.hpp"
#include "m2u/data/vector_index.hpp"

#include "support/program.hpp"

namespace {

namespace fs = std::filesystem;

struct Options {
  fs::path index;
  int rows = 1'000'000;
  int cols = 128;
  int queries = 1000;
  int top = 10;
  int repeats = 15;
};

constexpr char const* space_name = "bench";

m2u::Matrix<float, m2u::Host> random_rows(int rows, int cols, std::uint64_t stream) {
  auto const result = m2u::make_matrix<float>(m2u::Host{}, "m2u::bench::rows", rows, cols);
  m2u::RandomStream const random{stream, 1};
  for (std::size_t i = 0; i < result.size(); ++i) {
    // About normal, as the entries of vectors are.
    result.data()[i] =
        random.uniform(3 * i) + random.uniform(3 * i + 1) + random.uniform(3 * i + 2) - 1.5F;
  }
  return result;
}

/// Writes the index part by part, as m2umol does, unless the folder has it.
void write_index(Options const& options) {
  auto const metadata = nlohmann::json{{"rows", options.rows}, {"cols", options.cols}}.dump();
  if (fs::exists(options.index / "dataset.json") &&
      m2u::open_shards(options.index, {.verify = false}).metadata() == metadata) {
    return;
  }
  m2u::ShardWriter writer(options.index);
  constexpr int part = 32768;
  for (int first = 0; first < options.rows; first += part) {
    m2u::TableBuilder builder;
    m2u::VectorColumns const columns(builder, space_name, options.cols);
    int const count = std::min(part, options.rows - first);
    auto const rows = random_rows(count, options.cols, 100 + static_cast<std::uint64_t>(first));
    auto const lengths = columns.lengths(rows);
    for (int i = 0; i < count; ++i) {
      auto const* const row = rows.data() + static_cast<std::ptrdiff_t>(i) * options.cols;
      columns.set(builder, {row, static_cast<std::size_t>(options.cols)},
                  lengths[static_cast<std::size_t>(i)]);
      builder.end_row();
    }
    writer.add(builder.finish());
  }
  writer.finish(metadata);
}

double folder_mib(fs::path const& folder) {
  double bytes = 0.0;
  for (auto const& entry : fs::directory_iterator(folder)) {
    bytes += static_cast<double>(entry.file_size());
  }
  return bytes / (1 << 20);
}

/// Seconds of a call after one that warms up.
struct Timing {
  double median = 0.0;
  double best = 0.0;
  double processor = 0.0;  ///< of all threads together, the mean: what else runs hardly disturbs it
};

double processor_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

template <class F>
Timing time_of(int repeats, F const& call) {
  call();
  std::vector<double> seconds;
  double const before = processor_seconds();
  for (int i = 0; i < repeats; ++i) {
    auto const start = bench::Clock::now();
    call();
    seconds.push_back(bench::seconds_since(start));
  }
  return {bench::median(seconds), *std::min_element(seconds.begin(), seconds.end()),
          (processor_seconds() - before) / repeats};
}

nlohmann::json in_milliseconds(Timing const& timing) {
  return {{"median", 1e3 * timing.median},
          {"best", 1e3 * timing.best},
          {"processor", 1e3 * timing.processor}};
}

/// All threads read the index' vectors and add them up: no search can be quicker.
Timing reading_time(m2u::VectorIndex const& index, int repeats) {
  constexpr int lanes = 64;
  constexpr std::ptrdiff_t piece = 1 << 14;
  m2u::Host const host;
  float total = 0.0F;
  auto const timing = time_of(repeats, [&] {
    for (auto const& block : index.blocks(space_name)) {
      auto const* const values = block.rows().data();
      auto const pieces =
          static_cast<int>(static_cast<std::ptrdiff_t>(block.rows().size()) / piece);
      float sum = 0.0F;
      Kokkos::parallel_reduce(
          "m2u::bench::read", Kokkos::RangePolicy<m2u::Host>(host, 0, pieces),
          [=](int i, float& part) {
            float sums[lanes] = {};
            auto const* const from = values + i * piece;
            for (std::ptrdiff_t j = 0; j < piece; j += lanes) {
              for (int l = 0; l < lanes; ++l) {
                __builtin_prefetch(from + j + l + 1024);
                sums[l] += from[j + l];
              }
            }
            for (float const s : sums) {
              part += s;
            }
          },
          sum);
      total += sum;
    }
  });
  m2u::expects(total == total, "the index holds a number that is not finite");
  return timing;
}

nlohmann::json measure(bench::Space const& space, Options const& options) {
  write_index(options);
  double const index_mib = folder_mib(options.index);
  auto const start = bench::Clock::now();
  m2u::VectorIndex const index(m2u::open_shards(options.index, {.verify = false}), "the index");
  double const opening = bench::seconds_since(start);
  m2u::Host const host;
  auto const queries = random_rows(options.queries, options.cols, 7);
  m2u::Matrix<float, m2u::Host> const one(queries.data(), 1, options.cols);
  auto const search = [&](auto const& rows, m2u::Metric metric) {
    index.search(host, space_name, rows, options.top, metric);
  };
  auto record = bench::context();
  record.update({{"what", "retrieve"},
                 {"rows", options.rows},
                 {"cols", options.cols},
                 {"queries", options.queries},
                 {"top", options.top},
                 {"index_mib", index_mib},
                 {"opening_ms", 1e3 * opening}});
  double const gflop = 2e-9 * options.rows * options.cols * options.queries;
  double best = 0.0;
  for (auto const& [name, metric] :
       {std::pair("cosine", m2u::Metric::cosine), std::pair("euclidean", m2u::Metric::euclidean)}) {
    auto const single = time_of(options.repeats, [&] { search(one, metric); });
    auto const all = time_of(std::max(1, options.repeats / 5), [&] { search(queries, metric); });
    record[name] = {{"one_query_ms", in_milliseconds(single)},
                    {"all_queries_ms", in_milliseconds(all)},
                    {"gflop_per_s", gflop / all.median},
                    {"best_gflop_per_s", gflop / all.best}};
    best = std::max(best, gflop / all.best);
  }
  record["peak_rss_mib"] = bench::peak_rss_mib();
  record["beside_index_mib"] = bench::peak_rss_mib() - index_mib;
  record["reading_ms"] = in_milliseconds(reading_time(index, options.repeats));
  // The product as sgemm would do it, a part of the library at a time, whichever factor comes
  // first.
  int const part = std::min(options.rows, 65536);
  auto const wide = bench::measure_sgemm(space, {options.queries, part, options.cols});
  auto const tall = bench::measure_sgemm(space, {part, options.queries, options.cols});
  record["sgemm_queries_first"] = bench::to_json(wide);
  record["sgemm_library_first"] = bench::to_json(tall);
  record["share_of_sgemm"] = best / std::max(wide.best(), tall.best());
  return record;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Exact search in an index on disk.", "bench_retrieve"};
  Options options;
  bool as_json = false;
  program.add_option("--index", options.index, "Folder for the index, which stays")->required();
  program.add_option("--rows", options.rows, "Of the index")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--cols", options.cols, "Numbers per row")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--queries", options.queries, "Queries at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--top", options.top, "Rows asked for")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--repeats", options.repeats, "Searches that are timed")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_flag("--json", as_json, "One line of JSON");
  return bench::run_program(
      program, argc, argv, [&] { bench::print_record(measure(bench::Space{}, options), as_json); });
}
