// SPDX-License-Identifier: Apache-2.0
#include "m2umol/molecule_view.hpp"

#include <GraphMol/RWMol.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>

#include "m2u/chem/draw.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/report/conformer_svg.hpp"

#include "m2umol/explain.hpp"
#include "m2umol/library.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

namespace {

std::string drawing(std::string const& smiles) {
  auto const parsed = m2u::parse_smiles(smiles);
  return parsed ? m2u::draw_svg(*parsed.mol, {.width = 240, .height = 180}) : std::string();
}

/// The library's conformer of a row; empty if it has none.
std::string conformer_drawing(m2u::Table const& table, int row, std::string const& name) {
  if (!table.has("3d.positions")) {
    return {};
  }
  auto const positions = table.column<float>("3d.positions")[row];
  if (positions.empty()) {
    return {};
  }
  return m2u::conformer_svg({.atomic_numbers = table.column<int>("3d.atomic_numbers")[row],
                             .positions = positions,
                             .title = "3D conformer of " + name});
}

std::string shortened(std::string text, std::size_t length) {
  if (text.size() > length) {
    // Not within a character of several bytes.
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) {
      --length;
    }
    text = text.substr(0, length) + "…";
  }
  return text;
}

MoleculeView::Hit hit_of(m2u::Table const& table, int row, double similarity) {
  MoleculeView::Hit hit;
  hit.id = table.text("id", row);
  hit.name = table.text("name", row);
  hit.smiles = table.text("smiles", row);
  hit.svg = drawing(hit.smiles);
  hit.note = shortened(std::string(table.text("categories", row)), 160);
  hit.similarity = similarity;
  hit.conformer_svg = conformer_drawing(table, row, hit.name.empty() ? hit.id : hit.name);
  if (auto const text = table.text("description", row); !text.empty()) {
    hit.about.push_back(shortened(std::string(text), 240));
  }
  if (auto const targets = table.text("targets", row); !targets.empty()) {
    hit.about.push_back("targets: " + shortened(std::string(targets), 160));
  }
  return hit;
}

/// The query's vectors by space.
struct QueryVectors {
  m2u::Embeddings embeddings;

  std::vector<float> const& of(std::string const& space) const {
    auto const dot = space.find('.');
    return dot == std::string::npos ? embeddings.hub.values
                                    : embeddings.modality(space.substr(dot + 1)).generated.values;
  }
};

double cosine(std::span<float const> a, std::span<float const> b) {
  double ab = 0.0;
  double aa = 0.0;
  double bb = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    aa += static_cast<double>(a[i]) * static_cast<double>(a[i]);
    bb += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return aa > 0.0 && bb > 0.0 ? ab / std::sqrt(aa * bb) : 0.0;
}

/// In words: "generated text vector, among real ones".
std::string title_of(std::string const& space) {
  if (space == "2d") {
    return "2D vector";
  }
  auto const modality = space.substr(space.find('.') + 1);
  return "generated " + modality + " vector" +
         (space.starts_with("real.") ? " among real ones" : " among generated ones");
}

MoleculeView::Group nearest_in(ViewLibrary const& library, QueryVectors const& query,
                               std::string const& space, std::optional<int> row, int top) {
  MoleculeView::Group group{title_of(space), {}};
  auto const& values = query.of(space);
  auto const matrix = m2u::host_matrix("m2umol::query", 1, static_cast<int>(values.size()), values);
  auto const nearest = library.vectors.search(m2u::Host{}, space, matrix, top + 1);
  for (auto const& found : nearest.at(0)) {
    if (found.row != row && static_cast<int>(group.hits.size()) < top) {
      group.hits.push_back(hit_of(library.table, found.row, static_cast<double>(found.score)));
    }
  }
  return group;
}

/// By the mean similarity of the 2D and all generated vectors, which every molecule has.
MoleculeView::Group nearest_in_all(ViewLibrary const& library, QueryVectors const& query,
                                   std::optional<int> row, int top) {
  std::vector<std::string> spaces{"2d"};
  for (std::string const modality : modalities) {
    if (library.vectors.has(generated_space(modality))) {
      spaces.push_back(generated_space(modality));
    }
  }
  int const rows = library.table.size();
  std::vector<double> similarity(static_cast<std::size_t>(rows), 0.0);
  for (auto const& space : spaces) {
    auto const column = library.vectors.table().column<float>(space + ".vector");
    auto const& own = query.of(space);
    for (int i = 0; i < rows; ++i) {
      similarity[static_cast<std::size_t>(i)] +=
          cosine(own, column[i]) / static_cast<double>(spaces.size());
    }
  }
  std::vector<int> order;
  for (int i = 0; i < rows; ++i) {
    if (i != row) {
      order.push_back(i);
    }
  }
  auto const count = std::min(order.size(), static_cast<std::size_t>(top));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](int a, int b) {
                      auto const x = similarity[static_cast<std::size_t>(a)];
                      auto const y = similarity[static_cast<std::size_t>(b)];
                      return x != y ? x > y : a < b;
                    });
  MoleculeView::Group group{"all together: the mean over 2D and generated vectors", {}};
  for (std::size_t i = 0; i < count; ++i) {
    group.hits.push_back(
        hit_of(library.table, order[i], similarity[static_cast<std::size_t>(order[i])]));
  }
  return group;
}

void add_explanation(Engine const& engine, std::string const& task, MoleculeView& view) {
  ExplainOptions options;
  options.target.task = task;
  auto const explanation = explain_molecule(engine, view.smiles, options);
  for (auto const& method : explanation.methods) {
    view.maps.push_back(
        {method.svg, std::string(to_string(method.method)) + ": " + explanation.target, true});
    m2u::HtmlTable table{"Groups by " + std::string(to_string(method.method)),
                         {"Group", "Kind", "Atoms", "Score"},
                         {},
                         {3},
                         {},
                         true};
    for (auto const& group : method.groups) {
      std::string atoms;
      for (int const atom : group.atoms) {
        atoms += (atoms.empty() ? "" : " ") + std::to_string(atom);
      }
      table.rows.push_back({group.name, group.kind, atoms, m2u::significant_text(group.score, 3)});
    }
    if (!table.rows.empty()) {
      view.tables.push_back(std::move(table));
    }
  }
}

}  // namespace

std::vector<std::string> comparable_spaces(Engine const& engine, m2u::Table const& library,
                                           std::string const& folder, std::string const& model) {
  auto const reason = misfit(library, folder, engine, model, "2d");
  m2u::expects(reason.empty(), reason);
  std::vector<std::string> spaces{"2d"};
  if (!engine.configuration().generates()) {
    return spaces;
  }
  for (std::string const modality : modalities) {
    spaces.push_back(generated_space(modality));
    bool const there = library.has(modality + ".present");
    if (there && misfit(library, folder, engine, model, modality).empty()) {
      spaces.push_back(real_space(modality));
    }
  }
  return spaces;
}

MoleculeView view_molecule(Engine const& engine, ViewLibrary const& library,
                           std::string const& smiles, std::optional<int> row,
                           std::string const& task, int top) {
  MoleculeView view;
  view.name = row ? std::string(library.table.text("name", *row)) : std::string();
  view.smiles = smiles;
  view.svg = drawing(smiles);
  if (row) {
    view.svg += conformer_drawing(library.table, *row, view.name);
  }
  add_explanation(engine, task, view);
  QueryVectors const query{
      engine.embed(table_of_molecule(smiles, engine.configuration()), {0},
                   {.generated = engine.configuration().generates(), .real = false}, 1)};
  view.groups.push_back(nearest_in(library, query, "2d", row, top));
  for (std::string const modality : modalities) {
    auto const& vectors = library.vectors;
    auto const real = real_space(modality);
    if (vectors.has(real) && vectors.size(real) > 0) {
      view.groups.push_back(nearest_in(library, query, real, row, top));
    } else if (vectors.has(generated_space(modality))) {
      view.groups.push_back(nearest_in(library, query, generated_space(modality), row, top));
    }
  }
  view.groups.push_back(nearest_in_all(library, query, row, top));
  return view;
}

TrainingLog read_training_log(std::string const& path) {
  TrainingLog lines;
  std::ifstream in(path);
  m2u::expects(in.is_open(), "cannot read ", path);
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    auto json = nlohmann::json::parse(line, nullptr, false);
    m2u::expects(json.is_object(), path, ", line ", number, " is not a line of a training log");
    // The page takes plain numbers per term and the measures at the top.
    if (json.contains("terms") && json["terms"].is_object()) {
      for (auto& [name, term] : json["terms"].items()) {
        term = term.is_object() && term.contains("loss") ? term["loss"] : nlohmann::json();
      }
    }
    if (json.contains("extra") && json["extra"].is_object()) {
      for (auto const* const key : {"retrieval", "validation"}) {
        if (json["extra"].contains(key)) {
          json[key] = json["extra"][key];
        }
      }
    }
    lines.push_back(std::move(json));
  }
  return lines;
}

}  // namespace m2umol
