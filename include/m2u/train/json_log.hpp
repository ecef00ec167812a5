// SPDX-License-Identifier: Apache-2.0
/// @file
/// One JSON object per epoch, one per line.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "m2u/core/config.hpp"
#include "m2u/train/info.hpp"

namespace m2u {

/// An epoch as JSON; numbers that are not finite become null.
nlohmann::json to_json(EpochInfo const& info);

/// Callback that logs every epoch to a file. A new run starts the file anew; a resumed run drops
/// the lines of epochs that it runs again. Give it after callbacks that fill EpochInfo::extra.
class JsonLog {
 public:
  explicit JsonLog(std::filesystem::path path) : path_(std::move(path)) {}

  /// @throws Error if the file can't be written, or a line before the last is not a log's.
  void on_start(StartInfo const& info);

  void on_epoch(EpochInfo const& info);

  void on_end(EndInfo const&) { out_.close(); }

 private:
  std::string lines_before(int epoch) const;

  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace m2u

#if M2U_DEFINES_CORE

#include "m2u/core/file.hpp"

namespace m2u {

M2U_INLINE nlohmann::json to_json(EpochInfo const& info) {
  auto terms = nlohmann::json::object();
  for (auto const& term : info.terms) {
    terms[term.name] = {{"loss", term.mean},
                        {"weight", term.weight},
                        {"rows", term.rows},
                        {"batches", term.batches},
                        {"skipped", term.skipped}};
  }
  nlohmann::json line{{"epoch", info.epoch},
                      {"step", info.step},
                      {"loss", info.loss},
                      {"terms", std::move(terms)},
                      {"batches", info.batches},
                      {"skipped_batches", info.skipped_batches},
                      {"samples", info.samples},
                      {"seconds", info.seconds},
                      {"samples_per_second", info.samples_per_second},
                      {"learning_rate_factor", info.learning_rate_factor},
                      {"gradient_norm", info.gradient_norm}};
  if (!info.extra.empty()) {
    line["extra"] = info.extra;
  }
  return line;
}

M2U_INLINE void JsonLog::on_start(StartInfo const& info) {
  if (path_.has_parent_path()) {
    std::error_code ignored;  // opening says what is wrong
    std::filesystem::create_directories(path_.parent_path(), ignored);
  }
  remove_unfinished(path_);
  write_file(path_, info.resumed ? lines_before(info.first_epoch) : std::string());
  out_.open(path_, std::ios::app);
  expects(out_.is_open(), "JsonLog: cannot write ", path_.string());
}

M2U_INLINE void JsonLog::on_epoch(EpochInfo const& info) {
  out_ << to_json(info).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n'
       << std::flush;
  expects(out_.good(), "JsonLog: cannot write ", path_.string());
}

M2U_INLINE std::string JsonLog::lines_before(int epoch) const {
  std::ifstream in(path_);
  std::string kept;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    bool const whole = !in.eof();  // a killed run may leave half a line at the end
    auto const json = nlohmann::json::parse(std::string_view(line), nullptr, false);
    bool const valid =
        json.is_object() && json.contains("epoch") && json["epoch"].is_number_integer();
    expects(valid || !whole, path_.string(), ", line ", number, " is not a line of a training log");
    if (valid && whole && json["epoch"] < epoch) {
      kept += line + '\n';
    }
  }
  return kept;
}

}  // namespace m2u

#endif
