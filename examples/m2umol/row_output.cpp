// SPDX-License-Identifier: Apache-2.0
#include "m2umol/row_output.hpp"

#include <cmath>
#include <cstdio>
#include <utility>

#include "m2u/core/file.hpp"
#include "m2u/data/npy.hpp"
#include "m2u/parameters/safetensors.hpp"

namespace m2umol {

namespace fs = std::filesystem;

std::string csv_cell(std::string const& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string result = "\"";
  for (char const c : text) {
    result += c == '"' ? std::string("\"\"") : std::string(1, c);
  }
  return result + "\"";
}

void expect_row_format(fs::path const& out) {
  auto const end = out.extension();
  m2u::expects(end == ".npy" || end == ".csv" || end == ".safetensors", "--out ", out.string(),
               ": the ending must be .npy, .csv or .safetensors");
}

int row_width(std::vector<RowPart> const& parts) {
  int width = 0;
  for (auto const& part : parts) {
    width += part.width;
  }
  return width;
}

void append_row(std::vector<m2u::HostRows> const& parts, int row, std::vector<float>& line) {
  for (auto const& part : parts) {
    auto const begin = part.values.begin() + std::ptrdiff_t{row} * part.cols;
    line.insert(line.end(), begin, begin + part.cols);
  }
}

namespace {

class NpyOutput : public RowOutput {
 public:
  NpyOutput(fs::path const& path, int rows, int cols) : writer_(path, rows, cols) {}
  void add(std::size_t /*line*/, std::string_view /*id*/, std::span<float const> row) override {
    writer_.add(row);
  }
  void commit() override { writer_.commit(); }

 private:
  m2u::NpyWriter writer_;
};

class CsvOutput : public RowOutput {
 public:
  CsvOutput(fs::path const& path, std::vector<RowPart> const& parts) : file_(path) {
    std::string header = "line,id";
    for (auto const& part : parts) {
      for (int j = 0; j < part.width; ++j) {
        header +=
            "," + (part.columns.empty() ? part.name + "_" + std::to_string(j)
                                        : csv_cell(part.columns[static_cast<std::size_t>(j)]));
      }
    }
    file_.write(header + "\n");
  }
  void add(std::size_t at, std::string_view id, std::span<float const> row) override {
    std::string line = std::to_string(at) + "," + csv_cell(std::string(id));
    char number[32];
    for (float const value : row) {
      std::snprintf(number, sizeof number, std::isnan(value) ? ",nan" : ",%.9g",
                    static_cast<double>(value));
      line += number;
    }
    file_.write(line + "\n");
  }
  void commit() override { file_.commit(); }

 private:
  m2u::AtomicFile file_;
};

class SafetensorsOutput : public RowOutput {
 public:
  SafetensorsOutput(fs::path path, std::vector<RowPart> const& parts) : path_(std::move(path)) {
    for (auto const& part : parts) {
      tensors_.push_back({part.name, {0, part.width}, {}});
    }
  }
  void add(std::size_t /*line*/, std::string_view /*id*/, std::span<float const> row) override {
    std::size_t first = 0;
    for (auto& tensor : tensors_) {
      auto const values = row.subspan(first, static_cast<std::size_t>(tensor.shape[1]));
      tensor.values.insert(tensor.values.end(), values.begin(), values.end());
      ++tensor.shape[0];
      first += values.size();
    }
  }
  void commit() override {
    m2u::write_safetensors(path_, tensors_, {{"format", "m2umol embeddings"}});
  }

 private:
  fs::path path_;
  std::vector<m2u::NamedTensor> tensors_;
};

}  // namespace

std::unique_ptr<RowOutput> make_row_output(fs::path const& path, int rows,
                                           std::vector<RowPart> const& parts) {
  if (path.extension() == ".npy") {
    return std::make_unique<NpyOutput>(path, rows, row_width(parts));
  }
  if (path.extension() == ".csv") {
    return std::make_unique<CsvOutput>(path, parts);
  }
  return std::make_unique<SafetensorsOutput>(path, parts);
}

}  // namespace m2umol
