// SPDX-License-Identifier: Apache-2.0
/// @file
/// Curves and tables from the log of a training run.
#pragma once

#include "m2u/report/html_page.hpp"
#include "m2u/report/line_chart.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace m2umol {

/// One object per epoch: epoch, loss, terms {objective: loss}, samples_per_second, seconds,
/// learning_rate, retrieval {modality: {recall_at_1, recall_at_10, mrr}}. Any of them may be
/// missing.
using TrainingLog = std::vector<nlohmann::json>;

namespace detail {

/// The value at a path of keys, or null if there is none.
inline nlohmann::json const* find_at(nlohmann::json const& value,
                                     std::vector<std::string> const& path) {
  auto const* found = &value;
  for (auto const& key : path) {
    if (!found->is_object() || !found->contains(key)) {
      return nullptr;
    }
    found = &(*found)[key];
  }
  return found;
}

/// The number at a path of keys, or NaN.
inline double number_at(nlohmann::json const& value, std::vector<std::string> const& path) {
  auto const* found = find_at(value, path);
  return found && found->is_number() ? found->get<double>()
                                     : std::numeric_limits<double>::quiet_NaN();
}

/// One curve over the epochs. An epoch that lacks the key was not evaluated and is passed over; a
/// value that is there but no number (a loss that overflowed is null in JSON) is a gap.
inline m2u::LineSeries over_epochs(TrainingLog const& log, std::string name,
                                   std::vector<std::string> const& path) {
  m2u::LineSeries series{std::move(name), {}, {}};
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (find_at(log[i], path)) {
      auto const epoch = number_at(log[i], {"epoch"});
      series.x.push_back(std::isfinite(epoch) ? epoch : static_cast<double>(i + 1));
      series.y.push_back(number_at(log[i], path));
    }
  }
  return series;
}

/// All keys of the log's objects of one name, sorted.
inline std::set<std::string> keys_of(TrainingLog const& log, char const* field) {
  std::set<std::string> keys;
  for (auto const& entry : log) {
    if (entry.is_object() && entry.contains(field) && entry[field].is_object()) {
      for (auto const& item : entry[field].items()) {
        keys.insert(item.key());
      }
    }
  }
  return keys;
}

/// Every number that the curves show, for reading off and for those who can't see curves.
inline m2u::HtmlTable log_table(std::vector<m2u::LineSeries> const& all) {
  m2u::HtmlTable table{"The numbers of every epoch", {"epoch"}, {}, {0}, {}, true};
  std::map<double, std::vector<std::string>> rows;
  for (auto const& series : all) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      auto& row = rows[series.x[i]];
      row.resize(table.header.size());
      row.front() = m2u::significant_text(series.x[i], 8);
      row.push_back(m2u::significant_text(series.y[i]));
    }
    table.numeric.push_back(table.header.size());
    table.header.push_back(series.name);
  }
  for (auto& [epoch, row] : rows) {
    row.resize(table.header.size());
    table.rows.push_back(std::move(row));
  }
  return table;
}

/// The losses of the objectives: those that are modalities first, so that a modality has the same
/// colour in all charts.
inline std::vector<m2u::LineSeries> loss_terms(TrainingLog const& log) {
  auto const modalities = keys_of(log, "retrieval");
  std::vector<m2u::LineSeries> first, rest;
  for (auto const& term : keys_of(log, "terms")) {
    (modalities.count(term) ? first : rest).push_back(over_epochs(log, term, {"terms", term}));
  }
  std::move(rest.begin(), rest.end(), std::back_inserter(first));
  return first;
}

}  // namespace detail

}  // namespace m2umol
