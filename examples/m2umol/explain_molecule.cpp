// SPDX-License-Identifier: Apache-2.0
#include <GraphMol/RWMol.h>

#include <algorithm>
#include <span>

#include "m2u/chem/draw.hpp"
#include "m2u/chem/features.hpp"
#include "m2u/chem/functional_groups.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/chem/prepare_options.hpp"
#include "m2u/report/heat_map.hpp"

#include "m2umol/explain.hpp"
#include "m2umol/program.hpp"

namespace m2umol {

char const* to_string(ExplainMethod method) {
  switch (method) {
    case ExplainMethod::gradient:
      return "gradient";
    case ExplainMethod::masking:
      return "masking";
    case ExplainMethod::attention:
      break;
  }
  return "attention";
}

namespace {

std::string in_words(ExplainTarget const& target) {
  if (!target.task.empty()) {
    return "prediction of " + target.task;
  }
  return target.of == "2d" ? "2D vector" : "generated " + target.of + " vector";
}

std::vector<m2u::AtomGroup> groups_of(RDKit::ROMol const& mol, ExplainOptions const& options) {
  std::vector<m2u::AtomGroup> groups;
  auto const add = [&](std::vector<m2u::AtomGroup> more) {
    std::move(more.begin(), more.end(), std::back_inserter(groups));
  };
  if (options.hierarchy) {
    add(m2u::hierarchy_groups(mol));
    add(m2u::ring_systems(mol));
  }
  if (options.brics) {
    add(m2u::brics_fragments(mol));
  }
  return groups;
}

/// Scores of bonds in RDKit's order.
std::vector<float> in_bond_order(RDKit::ROMol const& mol, MethodExplanation const& method) {
  std::vector<float> scores(mol.getNumBonds(), 0.0F);
  for (std::size_t i = 0; i < method.ends.size(); ++i) {
    auto const* const bond = mol.getBondBetweenAtoms(static_cast<unsigned>(method.ends[i].first),
                                                     static_cast<unsigned>(method.ends[i].second));
    scores.at(bond->getIdx()) = static_cast<float>(method.bonds[i]);
  }
  return scores;
}

/// What the drawing shows, in words: the three atoms and the group that stand out.
std::string described(MethodExplanation const& method, std::vector<std::string> const& symbols,
                      std::string const& smiles) {
  std::string text = "Molecule " + smiles +
                     " with its atoms and bonds coloured by importance, "
                     "orange above and blue below zero.";
  auto const order = m2u::ranked(method.atoms);
  for (std::size_t i = 0; i < std::min<std::size_t>(3, order.size()); ++i) {
    text += i == 0 ? " Highest atoms: " : ", ";
    text += symbols[order[i]] + std::to_string(order[i]) + " (" +
            m2u::number_text(method.atoms[order[i]], 2) + ")";
  }
  if (!method.groups.empty()) {
    text += ". Highest group: " + method.groups.front().name;
  }
  return text + ".";
}

std::string drawing(RDKit::ROMol const& mol, MethodExplanation const& method,
                    Explanation const& explanation, ExplainOptions const& options) {
  std::vector<float> const atoms(method.atoms.begin(), method.atoms.end());
  auto const svg = m2u::draw_svg(mol, {.width = options.width,
                                       .height = options.height,
                                       .weights = atoms,
                                       .bond_weights = in_bond_order(mol, method)});
  bool const relative = method.method == ExplainMethod::attention;
  return m2u::heat_map_svg(
      {.drawing = svg,
       .width = options.width,
       .height = options.height,
       .scale = relative ? 1.0 : method.scale,
       .title = relative ? std::string("attention on bonds, relative to the molecule's mean")
                         : std::string(to_string(method.method)) + ": share in the " +
                               explanation.target + "'s value",
       .description = described(method, explanation.symbols, explanation.smiles)});
}

MethodExplanation scaled(ExplainMethod which, GraphExplanation const& raw,
                         std::vector<m2u::AtomGroup> const& groups) {
  MethodExplanation method;
  method.method = which;
  auto const& [nodes, ends, edges] = raw.importance;
  double bonds = m2u::largest_magnitude(edges);
  method.scale = m2u::largest_magnitude(nodes);
  if (which != ExplainMethod::attention) {  // atoms and bonds in the same unit: one scale
    bonds = method.scale = std::max(method.scale, bonds);
  }
  method.atoms = m2u::to_unit(nodes, method.scale);
  method.bonds = m2u::to_unit(edges, bonds);
  method.ends = ends;
  for (auto const place : m2u::ranked(raw.groups)) {
    auto const& group = groups[place];
    method.groups.push_back(
        {group.name, std::string(m2u::to_string(group.kind)), group.atoms, raw.groups[place]});
  }
  return method;
}

}  // namespace

Explanation explain_molecule(Engine const& engine, std::string const& smiles,
                             ExplainOptions const& options) {
  auto const parsed = m2u::parse_smiles(smiles);
  m2u::expects(static_cast<bool>(parsed), "the molecule \"", smiles,
               "\" can't be used: ", parsed.reason);
  auto const& mol = *parsed.mol;
  auto const limits = graph_only(engine.configuration(), 1);
  m2u::expects(mol.getNumAtoms() <= static_cast<unsigned>(limits.max_atoms), "the molecule \"",
               smiles, "\" has ", mol.getNumAtoms(), " atoms; the most are ", limits.max_atoms);
  auto const record = m2u::featurise(mol, limits.features);
  m2u::expects(record.nodes == static_cast<int>(mol.getNumAtoms()), "the molecule \"", smiles,
               "\" has explicit hydrogens that can't be told from its atoms");
  auto const view = record.view();
  auto const graph =
      m2u::make_graph_batch(std::span(&view, 1), m2u::molecule_columns(limits.features));
  auto const groups = groups_of(mol, options);
  std::vector<m2u::NodeGroup> atoms;
  for (auto const& group : groups) {
    atoms.push_back(group.atoms);
  }
  Explanation explanation{smiles, {}, in_words(options.target), 0.0, {}};
  for (auto const* const atom : mol.atoms()) {
    explanation.symbols.push_back(atom->getSymbol());
  }
  for (auto const method : options.methods) {
    auto const raw = engine.explain(graph, options.target, method, atoms);
    explanation.value = raw.value;
    explanation.methods.push_back(scaled(method, raw, groups));
    auto& last = explanation.methods.back();
    last.svg = drawing(mol, last, explanation, options);
  }
  return explanation;
}

nlohmann::json to_json(Explanation const& explanation) {
  nlohmann::json methods = nlohmann::json::array();
  for (auto const& method : explanation.methods) {
    nlohmann::json groups = nlohmann::json::array();
    for (auto const& group : method.groups) {
      groups.push_back({{"name", group.name},
                        {"kind", group.kind},
                        {"atoms", group.atoms},
                        {"score", group.score}});
    }
    methods.push_back({{"method", to_string(method.method)},
                       {"scale", method.scale},
                       {"atoms", method.atoms},
                       {"bonds", method.bonds},
                       {"bond_atoms", method.ends},
                       {"groups", groups}});
  }
  return {{"smiles", explanation.smiles},
          {"symbols", explanation.symbols},
          {"target", explanation.target},
          {"value", explanation.value},
          {"methods", methods}};
}

}  // namespace m2umol
