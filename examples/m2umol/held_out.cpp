// SPDX-License-Identifier: Apache-2.0
#include "m2umol/held_out.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "m2u/data/modalities.hpp"

#include "m2umol/engine.hpp"

namespace m2umol {

namespace {

/// The rows of `from` at the given places.
m2u::HostRows select(m2u::HostRows const& from, std::vector<std::size_t> const& places) {
  m2u::HostRows result{0, from.cols, {}};
  auto const width = static_cast<std::ptrdiff_t>(from.cols);
  for (auto const place : places) {
    auto const begin = from.values.begin() + static_cast<std::ptrdiff_t>(place) * width;
    result.values.insert(result.values.end(), begin, begin + width);
    ++result.rows;
  }
  return result;
}

/// The place of each sample among the embedded ones.
std::map<int, std::size_t> places_of(std::vector<int> const& samples) {
  std::map<int, std::size_t> places;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    places.emplace(samples[i], i);
  }
  return places;
}

nlohmann::json to_json(m2u::RetrievalMetrics const& metrics) {
  return {{"recall_at_1", metrics.recall_at_1},
          {"recall_at_5", metrics.recall_at_5},
          {"recall_at_10", metrics.recall_at_10},
          {"recall_at_20", metrics.recall_at_20},
          {"mrr", metrics.mean_reciprocal_rank},
          {"median_rank", metrics.median_rank},
          {"pool", metrics.pool}};
}

}  // namespace

nlohmann::json to_json(std::vector<HeldOut> const& rows) {
  auto json = nlohmann::json::object();
  for (auto const& row : rows) {
    json[row.modality] = to_json(row.from_2d);
    json[row.modality]["reverse"] = to_json(row.to_2d);
  }
  return json;
}

nlohmann::json to_json(SameFormula const& result) {
  auto const& [metrics, chance] = result.from_2d;
  return {{"recall_at_1", metrics.recall_at_1},
          {"mrr", metrics.mean_reciprocal_rank},
          {"queries", metrics.queries},
          {"chance_recall_at_1", chance}};
}

std::vector<HeldOut> evaluate(Engine const& engine, m2u::Table const& table,
                              std::vector<int> const& rows, int threads,
                              std::vector<std::string> const& without) {
  std::vector<HeldOut> result;
  std::vector<std::string> use;
  for (auto const& spec : m2u::read_modalities(table.metadata())) {
    auto const& name = m2u::name_of(spec);
    if (name != "2d" && std::find(without.begin(), without.end(), name) == without.end()) {
      use.push_back(name);
    }
  }
  if (rows.empty() || use.empty()) {
    return result;
  }
  auto const vectors = engine.embed(table, rows, {}, threads, use);
  auto const place_of = places_of(vectors.ids);
  for (auto const& modality : vectors.modalities) {
    if (modality.samples.size() < 2) {
      continue;
    }
    std::vector<std::size_t> places;
    for (int const sample : modality.samples) {
      places.push_back(place_of.at(sample));
    }
    auto const generated = select(modality.generated, places).matrix();
    auto const real = modality.real.matrix();
    result.push_back({modality.name, m2u::retrieval_metrics(generated, real),
                      m2u::retrieval_metrics(real, generated)});
  }
  return result;
}

SameFormula evaluate_same_formula(Engine const& engine, m2u::Table const& table,
                                  std::vector<int> const& rows, int threads) {
  auto const present = table.column<char>("3d.present");
  auto const has = [&](int row) { return !present[row].empty() && present[row][0] == 1; };
  std::map<std::string, std::vector<int>> members;
  for (int row = 0; row < table.size(); ++row) {
    if (has(row)) {
      members[std::string(table.text("formula", row))].push_back(row);
    }
  }
  std::vector<int> queries;
  std::set<int> wanted;
  for (int const row : rows) {
    auto const& group = members[std::string(table.text("formula", row))];
    if (has(row) && group.size() > 1) {
      queries.push_back(row);
      wanted.insert(group.begin(), group.end());
    }
  }
  if (queries.empty()) {
    return {};
  }
  auto const vectors =
      engine.embed(table, std::vector<int>(wanted.begin(), wanted.end()), {}, threads, {"3d"});
  auto const& modality = vectors.modality("3d");
  auto const generated = places_of(vectors.ids);
  auto const real = places_of(modality.samples);
  std::vector<std::size_t> from;
  std::vector<m2u::Candidates> candidates;
  for (int const row : queries) {
    from.push_back(generated.at(row));
    m2u::Candidates pool;
    for (int const member : members[std::string(table.text("formula", row))]) {
      pool.answer = member == row ? static_cast<int>(pool.rows.size()) : pool.answer;
      pool.rows.push_back(static_cast<int>(real.at(member)));
    }
    candidates.push_back(std::move(pool));
  }
  return {m2u::retrieval_among(select(modality.generated, from).matrix(), modality.real.matrix(),
                               candidates)};
}

}  // namespace m2umol
