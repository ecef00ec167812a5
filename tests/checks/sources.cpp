// SPDX-License-Identifier: Apache-2.0
// Rules on the sources that a compiler does not check: who includes whom, where device code lives,
// sizes.
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

namespace {

namespace fs = std::filesystem;

fs::path const root = M2U_SOURCE_DIR;
fs::path const include = root / "include";

struct Source {
  std::string path;  ///< relative to include/, for example "m2u/core/error.hpp"
  std::vector<std::string> lines;
  std::vector<std::string> includes;  ///< as written, with < > or " "
};

std::vector<Source> headers() {
  std::vector<Source> found;
  std::regex const include_line(R"(^\s*#\s*include\s*([<"][^>"]+[>"]))");
  for (auto const& file : fs::recursive_directory_iterator(include)) {
    if (file.path().extension() != ".hpp") {
      continue;
    }
    Source source{fs::relative(file.path(), include).string(), {}, {}};
    std::ifstream stream(file.path());
    for (std::string line; std::getline(stream, line);) {
      std::smatch match;
      if (std::regex_search(line, match, include_line)) {
        source.includes.push_back(match[1]);
      }
      source.lines.push_back(line);
    }
    found.push_back(std::move(source));
  }
  return found;
}

std::string folder_of(std::string const& path) {
  auto const first = path.find('/');
  auto const last = path.find('/', first + 1);
  return last == std::string::npos ? "" : path.substr(first + 1, last - first - 1);
}

// The folders, lowest first: each may include those before it (and itself).
std::vector<std::string> const order{
    "core",  "linalg",     "parameters", "autodiff", "kernels",  "ops",     "nn",
    "graph", "objectives", "encoders",   "adapters", "transfer", "explain", "retrieve",
    "train", "data",       "text",       "compiled", "mpi",      "chem",    "report"};
// kernels only need core; graph and transfer's batches are data that encoders take.
std::set<std::pair<std::string, std::string>> const allowed_up{
    {"encoders", "transfer"}, {"autodiff", "kernels"}, {"linalg", "kernels"}};

// Headers that need more than the component core. Most of data, and text and report, do not.
bool needs_more_than_core(std::string const& path) {
  static std::set<std::string> const paths{
      "m2u/data.hpp",        "m2u/data/delimited.hpp", "m2u/data/line_reader.hpp",
      "m2u/data/loader.hpp", "m2u/chem.hpp",           "m2u/graph/from_boost_graph.hpp"};
  auto const folder = folder_of(path);
  return folder == "chem" || folder == "mpi" || paths.contains(path);
}

int rank_of(std::string const& folder) {
  auto const found = std::find(order.begin(), order.end(), folder);
  return found == order.end() ? -1 : static_cast<int>(found - order.begin());
}

}  // namespace

TEST_CASE("headers are in known folders, start with their licence and stay short", "[sources]") {
  for (auto const& header : headers()) {
    INFO(header.path << " has " << header.lines.size() << " lines");
    CHECK((folder_of(header.path).empty() || rank_of(folder_of(header.path)) >= 0 ||
           header.path.find("m2u/linalg/backend") == 0));
    REQUIRE(header.lines.size() > 2);
    CHECK(header.lines[0] == "// SPDX-License-Identifier: Apache-2.0");
    CHECK(header.lines.size() <= 320);
  }
}

TEST_CASE("folders include only folders below them", "[sources]") {
  for (auto const& header : headers()) {
    auto const from = folder_of(header.path);
    for (auto const& included : header.includes) {
      if (included.rfind("\"m2u/", 0) != 0 || from.empty()) {
        continue;
      }
      auto const to = folder_of(included.substr(1));
      INFO(header.path << " includes " << included);
      CHECK((rank_of(to) <= rank_of(from) || allowed_up.contains({from, to})));
    }
  }
}

TEST_CASE("the core reaches no package but Kokkos, Eigen and nlohmann-json", "[sources]") {
  std::map<std::string, Source> by_path;
  for (auto& header : headers()) {
    by_path[header.path] = header;
  }
  // Everything reachable from the headers of the core, including the umbrella.
  std::set<std::string> seen;
  std::vector<std::string> todo;
  for (auto const& [path, header] : by_path) {
    if (!needs_more_than_core(path)) {
      todo.push_back(path);
    }
  }
  std::regex const foreign(
      R"(<(tbb|oneapi|boost|GraphMol|RDGeneral|Geometry|ForceField|zlib|fmt|spdlog|mpi))");
  while (!todo.empty()) {
    auto const path = todo.back();
    todo.pop_back();
    if (!seen.insert(path).second) {
      continue;
    }
    INFO(path);
    REQUIRE(by_path.contains(path));
    CHECK_FALSE(needs_more_than_core(path));
    for (auto const& included : by_path[path].includes) {
      INFO("includes " << included);
      CHECK_FALSE(std::regex_search(included, foreign));
      CHECK((included.rfind("<Eigen/", 0) != 0 || path.starts_with("m2u/linalg/backend/eigen")));
      if (included.rfind("\"m2u/", 0) == 0) {
        todo.push_back(included.substr(1, included.size() - 2));
      }
    }
  }
}

TEST_CASE("the umbrella header has all of the core", "[sources]") {
  std::map<std::string, Source> by_path;
  for (auto& header : headers()) {
    by_path[header.path] = header;
  }
  std::set<std::string> seen;
  std::vector<std::string> todo{"m2u/m2u.hpp"};
  while (!todo.empty()) {
    auto const path = todo.back();
    todo.pop_back();
    if (seen.insert(path).second) {
      for (auto const& included : by_path[path].includes) {
        if (included.rfind("\"m2u/", 0) == 0) {
          todo.push_back(included.substr(1, included.size() - 2));
        }
      }
    }
  }
  for (auto const& [path, header] : by_path) {
    if (!needs_more_than_core(path) && folder_of(path) != "report" &&
        folder_of(path) != "kernels" && path.find("/backend/") == std::string::npos) {
      INFO(path);
      CHECK(seen.contains(path));
    }
  }
}

TEST_CASE("device code is where nvcc takes it", "[sources]") {
  std::regex const launch(R"(\b(KOKKOS_LAMBDA|KOKKOS_CLASS_LAMBDA)\b)");
  std::regex const standard(R"(\bstd::(array|span|min|max|exp|log|sqrt|abs|numeric_limits)\b)");
  for (auto const& header : headers()) {
    auto const folder = folder_of(header.path);
    bool const device = folder == "kernels" || header.path == "m2u/linalg/backend/kokkos.hpp";
    for (std::size_t i = 0; i < header.lines.size(); ++i) {
      INFO(header.path << ':' << i + 1 << ": " << header.lines[i]);
      CHECK((device || !std::regex_search(header.lines[i], launch)));
      CHECK((folder != "kernels" || !std::regex_search(header.lines[i], standard)));
    }
  }
}
