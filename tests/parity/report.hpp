// SPDX-License-Identifier: Apache-2.0
// Comparisons of our numbers with recorded ones, and the account of what was compared.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "m2u/core/matrix.hpp"
#include "m2u/parameters/safetensors.hpp"

namespace m2u::parity {

/// What a tensor holds decides how close ours must be.
enum class Kind { value, gradient, exact };

/// Prints a row per comparison, counts, and in the end the rows that failed once more.
class Report {
 public:
  Report();
  void row(std::string const& name, double absolute, double relative, std::string const& tolerance,
           bool passed);
  void failure(std::string const& name, std::string const& reason);
  void not_compared(std::string const& name, std::string const& reason);
  /// Prints the account. @return whether everything passed.
  bool finish() const;

 private:
  int compared_ = 0;
  std::vector<std::string> failed_;  ///< rows, for a second look at the end
};

/// The tensors of one file of recorded values. Each is compared, fed to our model, or left out with
/// a reason; `finish` fails for the others.
class Recorded {
 public:
  /// @param label stands before the names in the table and in the manifest
  /// @param notes the manifest's entry "tensors": shapes, and the reference's own errors
  Recorded(std::string label, std::filesystem::path const& path, nlohmann::json const& notes,
           Report& report);

  bool has(std::string const& name) const { return file_.contains(name); }
  std::vector<std::string> names() const { return file_.names(); }
  /// @throws Error if the file lacks it.
  std::vector<std::int64_t> const& shape(std::string const& name) const {
    return file_.info(name).shape;
  }

  /// The values, of whatever type. The tensor counts as fed to our model.
  std::vector<float> feed(std::string const& name);
  std::vector<int> feed_integers(std::string const& name);

  /// Compares if the file has such a tensor; a row that is not in `rows` is left out of it.
  void compare(std::string const& name, std::span<float const> ours, Kind kind = Kind::value,
               std::vector<bool> const& rows = {});
  void compare(std::string const& name, float ours) { compare(name, std::span(&ours, 1)); }
  void skip(std::string const& name, std::string const& reason);
  void finish();

  /// For tensors whose error the manifest keeps elsewhere.
  void set_reference_error(std::string const& name, double error) { errors_[name] = error; }

 private:
  std::vector<double> values(std::string const& name) const;

  std::string label_;
  SafetensorsFile file_;
  std::map<std::string, double> errors_;  ///< max |float32 - float64| of the reference
  std::set<std::string> left_;
  std::set<std::string> fed_;
  Report& report_;
};

/// How closeness is judged, for --help.
extern char const* const tolerance_text;

}  // namespace m2u::parity
