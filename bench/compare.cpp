// SPDX-License-Identifier: Apache-2.0
// bench_compare: runs our benchmarks and, where a folder of peers is given, the peer's in turn
// (ours, peer, ours, peer, …), and prints one table. What it compares with is in that folder:
// torch_peer.py, a plain PyTorch program of the same model and molecules.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include "m2u/core/file.hpp"

#include "support/program.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Rates of the published implementation and of the best peer, measured side by side on one
/// machine (2 cores, AMD EPYC with AVX-512): they say what the former would reach on today's.
struct Published {
  double molecules_per_s;
  double best_peer;
};

/// A line of the table.
struct Case {
  std::string name;
  std::string ours;                    ///< program and options
  std::string peer;                    ///< options of torch_peer.py; none if empty
  std::optional<Published> published;  ///< in molecules/s
  double published_mib = 0.0;
  std::string target;
  int most_threads = 1 << 20;  ///< where more make both slower
};

std::vector<Case> cases() {
  return {
      {"full step, batch 32", "pretrain_step --batch 32", "--three-d on --batch 32 --steps 9",
       Published{27.1, 48.6}, 2.1 * 1024, "published 6, peer 3"},
      {"full step, batch 256", "pretrain_step --batch 256 --steps 3 --warmup 2",
       "--three-d on --batch 256 --steps 3 --warmup 1", Published{29.8, 48.6}, 11.7 * 1024,
       "published 6"},
      {"step without 3D, batch 32", "pretrain_step --without 3d --batch 32 --steps 30",
       "--batch 32 --steps 30", Published{75.0, 726.0}, 0.0, "peer 2.5"},
      {"step without 3D, batch 256", "pretrain_step --without 3d --batch 256",
       "--batch 256 --steps 9", Published{86.8, 827.0}, 0.0, "published 20, peer 2.5"},
      {"embedding, batch 256", "embed --batch 256 --steps 30",
       "--mode embed --batch 256 --steps 30", Published{1058.0, 4106.0}, 0.0, "peer 2.5"},
      {"embedding, batch 32", "embed --batch 32 --steps 100", "--mode embed --batch 32 --steps 100",
       std::nullopt, 0.0, ""},
      {"embedding, one at a time, 1 thread", "embed --batch 1 --steps 500",
       "--mode embed --batch 1 --steps 500", Published{562.0, 1479.0}, 0.0, "peer 5", 1},
  };
}

struct Options {
  fs::path programs;  ///< folder of the benchmarks
  std::string data;
  std::string peers;
  std::string blas;  ///< folder whose libblas.so.3 PyTorch shall use
  int pairs = 5;
  int threads = 2;
  std::vector<std::string> only;
  fs::path json_file;
  fs::path document;
  std::string m2umol;  ///< the program, for its cold start
  std::string model;
};

std::string quoted(std::string const& text) {
  std::string result = "'";
  for (char const c : text) {
    result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return result + "'";
}

/// What a command prints, as JSON. @throws m2u::Error if it fails or prints something else.
json run(std::string const& command) {
  std::FILE* const pipe = popen(command.c_str(), "r");
  m2u::expects(pipe != nullptr, "cannot start: ", command);
  std::string text;
  char part[4096];
  for (std::size_t size; (size = std::fread(part, 1, sizeof part, pipe)) > 0;) {
    text.append(part, size);
  }
  int const status = pclose(pipe);
  m2u::expects(WIFEXITED(status) && WEXITSTATUS(status) == 0, "this failed: ", command);
  // Python writes what is not a number in its own way; without training the peer has no loss.
  for (std::string const nan = ": NaN"; text.find(nan) != std::string::npos;) {
    text.replace(text.find(nan), nan.size(), ": null");
  }
  auto result = json::parse(text, nullptr, false);
  m2u::expects(!result.is_discarded(), "this printed no JSON: ", command, "\n", text);
  return result;
}

json run_ours(Options const& o, std::string const& what, int threads) {
  auto const space = what.find(' ');
  return run("OMP_NUM_THREADS=" + std::to_string(threads) + " " +
             quoted((o.programs / ("bench_" + what.substr(0, space))).string()) +
             what.substr(space) + " --json --threads " + std::to_string(threads) + " --data " +
             quoted(o.data));
}

/// The best peer with the settings that its notes ask for: OpenBLAS (or another BLAS) in place of
/// the reference one, and an allocator that keeps its memory.
json run_peer(Options const& o, std::string const& what, int number_of_threads) {
  auto const threads = std::to_string(number_of_threads);
#if defined(__AVX512F__)
  std::string const core = " OPENBLAS_CORETYPE=SkylakeX";
#else
  std::string const core;
#endif
  return run("env LD_LIBRARY_PATH=" + quoted(o.blas) + core + " OMP_NUM_THREADS=" + threads +
             " MKL_THREADING_LAYER=GNU MKL_INTERFACE_LAYER=LP64"
             " MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000"
             " MALLOC_TOP_PAD_=268435456 python3 " +
             quoted(o.peers + "/torch_peer.py") + " --data " + quoted(o.peers + "/mols.npz") +
             " --threads " + threads + " --encode-once --attn packed --groups 4 --fast-dropout " +
             what);
}

/// Median, least and most of a quantity over runs.
struct Spread {
  explicit Spread(std::vector<double> const& values)
      : middle(bench::median(values)),
        least(*std::min_element(values.begin(), values.end())),
        most(*std::max_element(values.begin(), values.end())) {}
  double middle, least, most;
  json to_json() const { return {{"median", middle}, {"min", least}, {"max", most}}; }
};

std::vector<double> each(std::vector<json> const& runs,
                         std::function<double(json const&)> const& f) {
  std::vector<double> values;
  for (auto const& r : runs) {
    values.push_back(f(r));
  }
  return values;
}

Spread spread(std::vector<json> const& runs, char const* key) {
  return Spread(each(runs, [&](json const& r) { return r.at(key).get<double>(); }));
}

std::string text(double value, int digits) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

std::string text_of_rate(double value) { return text(value, value < 100 ? 1 : 0); }

std::string with_range(Spread const& s) {
  return text(s.middle, 2) + " (" + text(s.least, 2) + "–" + text(s.most, 2) + ")";
}

/// Rows of cells as a Markdown table, its columns padded for reading as text.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string str() const {
    std::vector<std::size_t> widths(rows_.front().size(), 0);
    for (auto const& row : rows_) {
      for (std::size_t c = 0; c < row.size(); ++c) {
        widths[c] = std::max(widths[c], length(row[c]));
      }
    }
    std::string result;
    for (std::size_t r = 0; r < rows_.size(); ++r) {
      result += line(rows_[r], widths);
      if (r == 0) {
        result += "|";
        for (std::size_t c = 0; c < widths.size(); ++c) {
          result += std::string(widths[c] + (c == 0 ? 2 : 1), '-') + (c == 0 ? "|" : ":|");
        }
        result += "\n";
      }
    }
    return result;
  }

 private:
  static std::size_t length(std::string const& cell) {  // in code points
    return static_cast<std::size_t>(
        std::count_if(cell.begin(), cell.end(), [](char c) { return (c & '\xc0') != '\x80'; }));
  }
  static std::string line(std::vector<std::string> const& row,
                          std::vector<std::size_t> const& widths) {
    std::string result = "|";
    for (std::size_t c = 0; c < row.size(); ++c) {
      std::string const blanks(widths[c] - length(row[c]), ' ');
      result += " " + (c == 0 ? row[c] + blanks : blanks + row[c]) + " |";
    }
    return result + "\n";
  }
  std::vector<std::vector<std::string>> rows_;
};

/// Runs a case and adds its line. @return all that was measured
json run_case(Options const& o, Case const& c, double* drift_of_3d, Table& table) {
  std::vector<json> ours;
  std::vector<json> peer;
  std::vector<double> ratios;
  bool const with_peer = !o.peers.empty() && !c.peer.empty();
  int const threads = std::min(o.threads, c.most_threads);
  for (int pair = 0; pair < o.pairs; ++pair) {
    std::fprintf(stderr, "%s: %d of %d\n", c.name.c_str(), pair + 1, o.pairs);
    ours.push_back(run_ours(o, c.ours, threads));
    if (with_peer) {
      peer.push_back(run_peer(o, c.peer, threads));
      ratios.push_back(ours.back().at("molecules_per_s").get<double>() /
                       peer.back().at("molecules_per_s_median").get<double>());
    }
  }
  auto const rate = spread(ours, "molecules_per_s");
  auto const gflops = spread(ours, "gflop_per_s");
  auto const share = spread(ours, "share_of_peak");
  auto const memory = spread(ours, "peak_rss_mib");
  json record{{"what", c.name},
              {"ours", rate.to_json()},
              {"gflop_per_s", gflops.to_json()},
              {"share_of_peak", share.to_json()},
              {"peak_rss_mib", memory.to_json()},
              {"runs", ours}};
  std::vector<std::string> row{c.name, text_of_rate(rate.middle)};
  if (!o.peers.empty()) {
    row.insert(row.end(), {"", "", "", ""});
  }
  if (with_peer) {
    auto const theirs = spread(peer, "molecules_per_s_median");
    Spread const ratio(ratios);
    record.update({{"peer", theirs.to_json()}, {"ratio", ratio.to_json()}, {"peer_runs", peer}});
    row[2] = text_of_rate(theirs.middle);
    row[3] = with_range(ratio);
    if (c.published) {
      // The best peer of the same kind tells how much faster or slower this machine is. There is
      // no such figure for the full step with batch 256: that with batch 32 stands in.
      double drift = theirs.middle / c.published->best_peer;
      if (c.peer.find("--three-d on") != std::string::npos) {
        drift = *drift_of_3d > 0.0 ? *drift_of_3d : drift;
        *drift_of_3d = drift;
      }
      double const published = c.published->molecules_per_s * drift;
      record.update({{"drift", drift}, {"published_today", published}});
      record["ratio_to_published"] = rate.middle / published;
      row[4] = text_of_rate(published);
      row[5] = text(rate.middle / published, 1);
    }
  }
  row.insert(row.end(), {text(gflops.middle, 0), text(100.0 * share.middle, 0) + " %",
                         text(memory.middle, 0)});
  if (!o.peers.empty()) {
    std::string const peer_memory =
        with_peer ? text(spread(peer, "peak_rss_mib").middle, 0) : std::string();
    row.push_back(peer_memory);
    row.push_back(c.target);
    if (c.published_mib > 0.0) {
      record["memory_to_published"] = memory.middle / c.published_mib;
    }
  }
  table.add(row);
  return record;
}

/// The full step with one and with two threads, in turn.
json run_scaling(Options const& o) {
  std::vector<double> ratios;
  std::vector<json> one;
  std::vector<json> two;
  for (int pair = 0; pair < o.pairs; ++pair) {
    std::fprintf(stderr, "one and two threads: %d of %d\n", pair + 1, o.pairs);
    one.push_back(run_ours(o, "pretrain_step --batch 32", 1));
    two.push_back(run_ours(o, "pretrain_step --batch 32", 2));
    ratios.push_back(two.back().at("molecules_per_s").get<double>() /
                     one.back().at("molecules_per_s").get<double>());
  }
  return {{"what", "full step, batch 32, from 1 to 2 threads"},
          {"one", spread(one, "molecules_per_s").to_json()},
          {"two", spread(two, "molecules_per_s").to_json()},
          {"ratio", Spread(ratios).to_json()}};
}

/// Puts a text between the two marks of a document.
void replace_between_marks(fs::path const& path, std::string const& report) {
  std::string const begin = "<!-- bench: begin -->\n";
  std::string const end = "<!-- bench: end -->\n";
  std::ifstream file(path);
  std::string content(std::istreambuf_iterator<char>(file), {});
  auto const first = content.find(begin);
  auto const last = content.find(end);
  m2u::expects(first != std::string::npos && last != std::string::npos && first < last,
               path.string(), " lacks the lines ", begin, "and ", end);
  content.replace(first + begin.size(), last - first - begin.size(), report);
  m2u::write_file(path, content);
}

/// Milliseconds from the start of `m2umol embed` to its end, for one molecule.
json run_cold_start(Options const& o) {
  auto const folder = fs::temp_directory_path() / ("m2u_bench_" + std::to_string(getpid()));
  fs::create_directories(folder);
  m2u::write_file(folder / "one.smi", "CC(=O)Oc1ccccc1C(=O)O aspirin\n");
  auto const command = quoted(o.m2umol) + " embed --threads 1 --model " + quoted(o.model) +
                       " --in " + quoted((folder / "one.smi").string()) + " --out " +
                       quoted((folder / "one.npy").string()) + " >/dev/null 2>&1";
  std::vector<double> times;
  for (int i = 0; i < 3 * o.pairs; ++i) {
    auto const start = bench::Clock::now();
    m2u::expects(std::system(command.c_str()) == 0, "this failed: ", command);
    times.push_back(1e3 * bench::seconds_since(start));
  }
  fs::remove_all(folder);
  return {{"what", "cold start of m2umol embed"}, {"ms", Spread(times).to_json()}};
}

/// Molecules per second from SMILES to features with random-walk encodings, in one thread.
json run_features(Options const& o) {
  std::vector<double> rates;
  for (int i = 0; i < o.pairs; ++i) {
    auto const result = run(quoted((o.programs / "bench_prepare").string()) +
                            " --threads=1 --data=" + quoted(o.data) +
                            " --benchmark_filter='SMILES to features' --benchmark_format=json");
    rates.push_back(result.at("benchmarks").at(0).at("items_per_second"));
  }
  return {{"what", "SMILES to features, one thread"}, {"molecules_per_s", Spread(rates).to_json()}};
}

bool chosen(Options const& o, std::string const& name) {
  return o.only.empty() || std::any_of(o.only.begin(), o.only.end(), [&](auto const& part) {
           return name.find(part) != std::string::npos;
         });
}

std::string describe(json const& run, Options const& o) {
  auto const& peak = run.at("sgemm_gflop_per_s");
  return run.at("cpu").get<std::string>() + ", " + std::to_string(o.threads) +
         " threads; revision " + run.at("revision").get<std::string>() +
         "; sgemm with 2048 rows: ours " + text(peak.at("ours"), 0) + ", Eigen " +
         text(peak.at("eigen"), 0) + ", OpenBLAS " + text(peak.at("openblas"), 0) + " GFLOP/s";
}

void compare(Options const& o) {
  std::vector<std::string> header{"what", "ours"};
  if (!o.peers.empty()) {
    header.insert(header.end(), {"peer", "ours / peer", "published", "ours / published"});
  }
  header.insert(header.end(), {"GFLOP/s", "of sgemm", "MiB"});
  if (!o.peers.empty()) {
    header.insert(header.end(), {"peer's MiB", "targets"});
  }
  Table table(header);
  json result{{"pairs", o.pairs}, {"cases", json::array()}};
  double drift_of_3d = 0.0;
  for (auto const& c : cases()) {
    if (chosen(o, c.name)) {
      result["cases"].push_back(run_case(o, c, &drift_of_3d, table));
    }
  }
  std::string notes;
  if (chosen(o, "scaling") && o.threads > 1) {
    auto const scaling = run_scaling(o);
    auto const& ratio = scaling.at("ratio");
    notes += "\nFull step, batch 32, with 2 threads against 1: " + text(ratio.at("median"), 2) +
             " (" + text(ratio.at("min"), 2) + "–" + text(ratio.at("max"), 2) +
             ") times as fast.\n";
    result["scaling"] = scaling;
  }
  if (fs::exists(o.programs / "bench_prepare") && chosen(o, "features")) {
    auto const features = run_features(o);
    notes += "\nFrom SMILES to features with random-walk encodings, one thread: " +
             text(features.at("molecules_per_s").at("median"), 0) +
             " molecules per second (published, in Python: up to 1240).\n";
    result["features"] = features;
  }
  if (!o.m2umol.empty() && chosen(o, "cold start")) {
    auto const cold = run_cold_start(o);
    auto const& ms = cold.at("ms");
    notes += "\nFrom the start of `m2umol embed` to the vector of one molecule: median " +
             text(ms.at("median"), 0) + " ms (" + text(ms.at("min"), 0) + "–" +
             text(ms.at("max"), 0) + "; published: 3,700 ms).\n";
    result["cold_start"] = cold;
  }
  for (auto const& c : result["cases"]) {
    auto const& last = c.at("runs").back();
    if (last.contains("smiles_to_vector_ms")) {
      notes += "\nFrom SMILES to a vector, one molecule at a time: median " +
               text(last.at("smiles_to_vector_ms"), 2) + " ms, of which RDKit's parsing " +
               text(last.at("smiles_parsing_ms"), 2) + " ms and all after the features " +
               text(last.at("features_to_vector_ms"), 2) + " ms.\n";
    }
    if (c.contains("memory_to_published")) {
      notes += "\n" + c.at("what").get<std::string>() + ": " +
               text(100.0 * c.at("memory_to_published").get<double>(), 0) +
               " % of the published implementation's peak memory.\n";
    }
  }
  std::string report = table.str() + notes;
  if (!result["cases"].empty()) {
    report = describe(result["cases"][0].at("runs")[0], o) + "; medians of " +
             std::to_string(o.pairs) + " runs in turn, molecules per second.\n\n" + report;
  }
  std::fputs(report.c_str(), stdout);
  if (!o.json_file.empty()) {
    m2u::write_file(o.json_file, result.dump(1) + "\n");
  }
  if (!o.document.empty()) {
    replace_between_marks(o.document, report);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App program{"Our benchmarks and the peer's in turn, as one table.", "bench_compare"};
  Options o;
  o.programs = fs::path(argv[0]).parent_path();
  o.blas = "/usr/lib/x86_64-linux-gnu/openblas-openmp";
  program.add_option("--data", o.data, "The peer's molecules, as m2umol prepare wrote them")
      ->required();
  program.add_option("--peers", o.peers, "Folder with torch_peer.py and mols.npz")
      ->check(CLI::ExistingDirectory);
  program.add_option("--blas", o.blas, "Folder with the libblas.so.3 that PyTorch takes")
      ->capture_default_str();
  program.add_option("--pairs", o.pairs, "Runs of each, in turn")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option("--threads", o.threads, "Threads of both")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  program.add_option(
      "--only", o.only,
      "Lines whose name has this in it (repeatable); also scaling, features, cold start");
  auto* const m2umol = program.add_option("--m2umol", o.m2umol, "m2umol, to time its cold start");
  program.add_option("--model", o.model, "A model of it")->needs(m2umol);
  program.add_option("--out", o.json_file, "File for everything that was measured, as JSON");
  program.add_option("--document", o.document, "Markdown file in which the table is replaced")
      ->check(CLI::ExistingFile);
  CLI11_PARSE(program, argc, argv);
  try {
    compare(o);
    return 0;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "bench_compare: error: %s\n", error.what());
    return 1;
  }
}
