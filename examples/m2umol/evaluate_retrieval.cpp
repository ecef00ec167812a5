// SPDX-License-Identifier: Apache-2.0
// m2umol evaluate-retrieval: how well a model's modalities find each other on a prepared table.
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "m2u/core/file.hpp"
#include "m2u/data/shard.hpp"
#include "m2u/train/batch_source.hpp"

#include "m2umol/library.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace {

struct EvaluateRetrievalArguments {
  std::string model;
  std::string data;
  std::string rows = "held-out";
  std::string json;
};

std::string table_of(std::vector<HeldOut> const& result) {
  std::string text =
      "cross-modal retrieval   R@1    R@5    R@10   R@20   MRR    median rank  pool\n";
  auto const add = [&](std::string name, m2u::RetrievalMetrics const& m) {
    char line[120];
    name.resize(22, ' ');
    std::snprintf(line, sizeof line, "%s  %.3f  %.3f  %.3f  %.3f  %.3f  %11.1f  %4d\n",
                  name.c_str(), m.recall_at_1, m.recall_at_5, m.recall_at_10, m.recall_at_20,
                  m.mean_reciprocal_rank, m.median_rank, m.pool);
    text += line;
  };
  for (auto const& row : result) {
    add("2d to " + row.modality, row.from_2d);
    add(row.modality + " to 2d", row.to_2d);
  }
  return text;
}

void run_evaluate_retrieval(EvaluateRetrievalArguments const& a, Common const& common) {
  if (!a.json.empty()) {
    expect_writable(a.json);
  }
  auto const engine = Engine::load(a.model);
  auto const table = m2u::open_shards(a.data);
  auto const reason = misfit(table, a.data, engine, a.model, "2d");
  m2u::expects(reason.empty(), reason);
  bool const all = a.rows == "all";
  auto const rows = all ? m2u::all_ids(table.size()) : split_rows(table).held_out;
  m2u::expects(rows.size() >= 2, a.data, " holds out ", rows.size(),
               " molecules, too few to choose among; --rows all takes every molecule");
  std::vector<std::string> without;
  std::string notes;
  for (auto const* const modality : modalities) {
    if (auto const why = misfit(table, a.data, engine, a.model, modality); !why.empty()) {
      without.emplace_back(modality);
      notes += std::string("without ") + modality + ": " + why + '\n';
    }
  }
  auto const result = evaluate(engine, table, rows, common.threads, without);
  m2u::expects(!result.empty(), "fewer than two of the ", rows.size(), " molecules of ", a.data,
               " have a modality that can be compared\n", notes);
  bool const conformers = std::find(without.begin(), without.end(), "3d") == without.end();
  auto const same =
      conformers ? evaluate_same_formula(engine, table, rows, common.threads) : SameFormula{};
  std::cout << rows.size() << (all ? "" : " held-out") << " molecules of " << a.data
            << "; the pool of a modality is those that have it\n"
            << table_of(result) << same_formula_line(same) << notes
            << "R@k: share of molecules whose own vector is among the k most similar (cosine) of "
               "the pool.\n"
            << tie_rule << '\n';
  if (!a.json.empty()) {
    nlohmann::json const json{{"rows", a.rows},
                              {"molecules", rows.size()},
                              {"retrieval", to_json(result)},
                              {"same_formula", to_json(same)},
                              {"ties", tie_rule}};
    m2u::write_file(a.json, json.dump(1) + "\n");
  }
}

}  // namespace

void add_evaluate_retrieval(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "evaluate-retrieval", "Measure how well generated and real vectors find each other");
  auto const arguments = std::make_shared<EvaluateRetrievalArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run")
      ->required()
      ->check(not_empty());
  command->add_option("--data", a.data, "Folder that prepare wrote")
      ->required()
      ->check(not_empty());
  command->add_option("--rows", a.rows, "The molecules that prepare held out, or all")
      ->check(CLI::IsMember({"held-out", "all"}))
      ->capture_default_str();
  command->add_option("--json", a.json, "Write the result to this file too")->check(not_empty());
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_evaluate_retrieval(*arguments, common); };
  });
}

}  // namespace m2umol
