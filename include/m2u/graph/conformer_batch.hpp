// SPDX-License-Identifier: Apache-2.0
/// @file
/// Atoms in space: a batch of conformers with their radius graph.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "m2u/graph/edge_geometry.hpp"
#include "m2u/graph/graph_batch.hpp"

namespace m2u {

/// One conformer in borrowed memory, with its radius graph.
struct ConformerView {
  std::span<int const> atomic_numbers;   ///< [atoms]
  std::span<float const> positions;      ///< [atoms, 3] in Å, row-major
  std::span<int const> source;           ///< [edges] of the radius graph
  std::span<int const> target;           ///< [edges]
  std::span<float const> geometry = {};  ///< [edges, edge_geometry_columns], or empty for none
};

/// The same, owning its memory. An empty one means "no conformer".
struct ConformerRecord {
  std::vector<int> atomic_numbers;
  std::vector<float> positions;
  std::vector<int> source;
  std::vector<int> target;
  std::vector<float> geometry = {};

  ConformerView view() const { return {atomic_numbers, positions, source, target, geometry}; }
  bool present() const { return !atomic_numbers.empty(); }
};

/// How a radius graph is made.
struct RadiusGraphOptions {
  float cutoff = 8.0F;  ///< Å; closer pairs are neighbours
  int neighbours = 32;  ///< at most so many per atom: the nearest, ties by index
  EdgeGeometry geometry = EdgeGeometry::none;  ///< directions, for encoders that use them: ComENet
};

/// Fills source, target and geometry of a conformer from its positions: for each atom the edges
/// from its nearest neighbours. Coincident atoms are neighbours like others; encoders treat
/// distance zero.
inline void add_radius_graph(ConformerRecord& conformer, RadiusGraphOptions const& options = {}) {
  auto const atoms = conformer.atomic_numbers.size();
  expects(conformer.positions.size() == 3 * atoms, "add_radius_graph: ", atoms, " atoms need ",
          3 * atoms, " coordinates, but ", conformer.positions.size(), " were given");
  conformer.source.clear();
  conformer.target.clear();
  std::vector<std::pair<float, int>> near;
  for (std::size_t i = 0; i < atoms; ++i) {
    near.clear();
    for (std::size_t j = 0; j < atoms; ++j) {
      float squared = 0.0F;
      for (std::size_t k = 0; k < 3; ++k) {
        float const d = conformer.positions[3 * i + k] - conformer.positions[3 * j + k];
        squared += d * d;
      }
      if (j != i && squared < options.cutoff * options.cutoff) {
        near.emplace_back(squared, static_cast<int>(j));
      }
    }
    auto const kept = std::min(near.size(), static_cast<std::size_t>(options.neighbours));
    std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(kept), near.end());
    near.resize(kept);
    std::sort(near.begin(), near.end(),
              [](auto const& a, auto const& b) { return a.second < b.second; });
    for (auto const& [squared, j] : near) {
      conformer.source.push_back(j);
      conformer.target.push_back(static_cast<int>(i));
    }
  }
  conformer.geometry = edge_geometry(options.geometry, conformer.positions, conformer.source,
                                     conformer.target, options.cutoff, options.neighbours);
}

/// A batch of conformers in the memory of S. Atom numbers run through the batch.
template <ExecutionSpace S>
struct ConformerBatch {
  Ragged<S> atoms;                ///< groups = conformers, total = atoms
  Vector<int, S> atomic_numbers;  ///< [atoms]
  Matrix<float, S> positions;     ///< [atoms, 3] in Å
  Ragged<S> incoming;             ///< groups = atoms, total = edges of the radius graphs
  RowIndex<S> source;             ///< per edge the neighbour's atom, and the inverse
  Vector<int, S> target;          ///< [edges] per edge the atom where it ends, rising
  Vector<float, S> distances;     ///< [edges] in Å
  Matrix<float, S> geometry;      ///< [edges, edge_geometry_columns], or without columns
  int elements = 0;               ///< one more than the largest atomic number
};

template <ExecutionSpace S>
ConformerBatch<S> to_space(CopyTo<S> const& to, ConformerBatch<Host> const& batch) {
  return {to_space(to, batch.atoms),
          to_space(to, batch.atomic_numbers),
          to_space(to, batch.positions),
          to_space(to, batch.incoming),
          to_space(to, batch.source),
          to_space(to, batch.target),
          to_space(to, batch.distances),
          to_space(to, batch.geometry),
          batch.elements};
}

namespace detail {

/// The edges' geometry of a whole batch in a new order of the edges; without columns if there is
/// none.
inline Matrix<float, Host> join_geometry(std::span<ConformerView const> conformers,
                                         std::vector<int> const& order) {
  std::vector<float> joined;
  for (auto const& conformer : conformers) {
    joined.insert(joined.end(), conformer.geometry.begin(), conformer.geometry.end());
  }
  auto const edges = static_cast<int>(order.size());
  if (joined.empty()) {
    return host_matrix("m2u::graph::geometry", edges, 0, joined);
  }
  for (std::size_t c = 0; c < conformers.size(); ++c) {
    expects(conformers[c].geometry.size() == conformers[c].source.size() * edge_geometry_columns,
            "make_conformer_batch: conformer ", c, " has ", conformers[c].source.size(),
            " edges, but ", conformers[c].geometry.size(), " numbers of geometry; each edge needs ",
            edge_geometry_columns, " (in all conformers of a batch, or in none)");
  }
  std::vector<float> sorted;
  sorted.reserve(joined.size());
  for (int const edge : order) {
    auto const begin = joined.begin() + static_cast<std::ptrdiff_t>(edge) * edge_geometry_columns;
    sorted.insert(sorted.end(), begin, begin + edge_geometry_columns);
  }
  return host_matrix("m2u::graph::geometry", edges, edge_geometry_columns, sorted);
}

}  // namespace detail

/// @throws Error naming the encoder if the batch has an atomic number that its table lacks.
template <ExecutionSpace S>
void expects_elements(ConformerBatch<S> const& batch, int elements, char const* encoder) {
  expects(batch.elements <= elements, encoder, ": made for atomic numbers 0 … ", elements - 1,
          ", but the batch has ", batch.elements - 1, "; set its option elements");
}

/// Joins conformers into a batch on the host. Launches nothing, so loader threads may call it.
/// @throws Error naming the conformer's position if sizes, indices or coordinates are wrong.
inline ConformerBatch<Host> make_conformer_batch(std::span<ConformerView const> conformers) {
  std::vector<int> lengths;
  std::vector<int> numbers;
  std::vector<float> positions;
  std::vector<int> source;
  std::vector<int> target;
  for (std::size_t c = 0; c < conformers.size(); ++c) {
    auto const& conformer = conformers[c];
    auto const what = "make_conformer_batch: conformer " + std::to_string(c);
    auto const atoms = static_cast<int>(conformer.atomic_numbers.size());
    expects(conformer.positions.size() == 3 * conformer.atomic_numbers.size(), what, " has ", atoms,
            " atoms, but ", conformer.positions.size(), " coordinates");
    for (float const x : conformer.positions) {
      expects(std::isfinite(x), what, " has a coordinate that is not finite");
    }
    for (int const number : conformer.atomic_numbers) {
      expects(number >= 0, what, " has the negative atomic number ", number);
    }
    check_graph({atoms, {}, {}, conformer.source, conformer.target, {}}, {}, what);
    auto const first = static_cast<int>(numbers.size());
    lengths.push_back(atoms);
    numbers.insert(numbers.end(), conformer.atomic_numbers.begin(), conformer.atomic_numbers.end());
    positions.insert(positions.end(), conformer.positions.begin(), conformer.positions.end());
    for (std::size_t edge = 0; edge < conformer.source.size(); ++edge) {
      source.push_back(first + conformer.source[edge]);
      target.push_back(first + conformer.target[edge]);
    }
  }
  auto const atoms = static_cast<int>(numbers.size());
  auto const sorted = sort_edges(source, target, atoms);
  std::vector<float> distances;
  for (int const edge : sorted.order) {
    auto const from = 3 * static_cast<std::size_t>(source[static_cast<std::size_t>(edge)]);
    auto const to = 3 * static_cast<std::size_t>(target[static_cast<std::size_t>(edge)]);
    distances.push_back(std::hypot(positions[from] - positions[to],
                                   positions[from + 1] - positions[to + 1],
                                   positions[from + 2] - positions[to + 2]));
  }
  return {make_ragged(lengths),
          host_vector("m2u::graph::atomic_numbers", numbers),
          host_matrix("m2u::graph::positions", atoms, 3, positions),
          sorted.incoming,
          sorted.source,
          sorted.target,
          host_vector("m2u::graph::distances", distances),
          detail::join_geometry(conformers, sorted.order),
          numbers.empty() ? 0 : 1 + *std::max_element(numbers.begin(), numbers.end())};
}

}  // namespace m2u
