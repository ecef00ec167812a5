// SPDX-License-Identifier: Apache-2.0
// The published sizes, and the floor of a training step: FLOP of its matrix products, from the
// shapes of the model and the batch. What an implementation computes twice counts once; what is not
// a matrix product, nothing.
#pragma once

#include <array>

#include "m2umol/configuration.hpp"

namespace bench {

inline constexpr int given_width = 128;  // of the vectors that stand for conformers without 3D
inline constexpr int text_width = 768;   // PubMedBERT's vectors
inline constexpr std::array bio_vocabularies{4463, 419, 3607};  // DrugBank's, in the paper
inline constexpr double bio_ones_per_column = 0.002;            // of a molecule, on average

/// The published model's configuration, without the data's facts.
inline m2umol::Configuration published_configuration() {
  m2umol::Configuration configuration;
  configuration.geometry = "published";
  configuration.text_width = text_width;
  for (int const size : bio_vocabularies) {
    configuration.bio.push_back({"", size, {}});
  }
  return configuration;
}

/// The sizes of a batch that its cost depends on.
struct BatchShape {
  double molecules = 0;
  double atoms = 0;          ///< of the 2D graphs
  double atoms_squared = 0;  ///< sum over the molecules of their squared number: attention
  double edges = 0;          ///< directed, of the 2D graphs
  double conformers = 0;
  double conformer_atoms = 0;
  double conformer_edges = 0;

  BatchShape& operator+=(BatchShape const& other) {
    molecules += other.molecules;
    atoms += other.atoms;
    atoms_squared += other.atoms_squared;
    edges += other.edges;
    conformers += other.conformers;
    conformer_atoms += other.conformer_atoms;
    conformer_edges += other.conformer_edges;
    return *this;
  }
  BatchShape scaled(double factor) const {
    return {factor * molecules,  factor * atoms,           factor * atoms_squared,  factor * edges,
            factor * conformers, factor * conformer_atoms, factor * conformer_edges};
  }
};

struct StepFlops {
  double hub = 0;
  double conformers = 0;
  double rest = 0;  ///< text, bio, adapters, objectives
  double total() const { return hub + conformers + rest; }
};

/// One product of [rows, in] and [in, out].
inline double product(double rows, double in, double out) { return 2.0 * rows * in * out; }

/// Forward pass of the hub on a batch.
inline double hub_flops(m2umol::Configuration const& m, BatchShape const& b) {
  double const w = m.width;
  double const linear = product(b.atoms, w, w) * (2      // GINE's two layers
                                                  + 4    // queries, keys, values and the output
                                                  + 4);  // w → 2w → w
  double const attention = 2.0 * product(b.atoms_squared, w, 1);  // scores, weighted values
  return product(b.atoms, m.encoding_steps, m.encoding_width) + m.layers * (linear + attention);
}

/// Forward, backward and update of a batch whose molecules all have text and bio features.
inline StepFlops step_flops(m2umol::Configuration const& m, BatchShape const& b) {
  StepFlops flops;
  double const matches = 3;
  // Every product has two more in the backward pass: for its weights (or first factor) and its
  // input.
  flops.hub = 3.0 * hub_flops(m, b) * (m.three_passes ? matches : 1);
  double const w = m.conformer_width;
  // in 1, convolutions 2 · 2, join 2, residual 3: the convolutions' last layer and the block's have
  // nothing before the next one and fold into it.
  constexpr double layers_of_block = 10;
  constexpr double output_layers = 3;
  constexpr double filter_features = 12 + 6;
  if (b.conformers > 0) {
    double const linear =
        product(b.conformer_atoms, w, w) * (m.conformer_blocks * layers_of_block + output_layers) +
        product(b.conformer_atoms, w, m.width);
    // The edges' basis needs no gradient: two products, not three.
    double const filters = m.conformer_blocks * product(b.conformer_edges, filter_features, w);
    double const folding = m.conformer_blocks *
                           (product(filter_features, m.conformer_middle, w) + 5 * product(w, w, w));
    flops.conformers = 3.0 * (linear + folding) + 2.0 * filters;
  }
  double const n = b.molecules;
  double const small = product(n, m.width, m.width) * (matches + 1)  // adapters, bio's last layer
                       + product(matches * n, m.width, 3)            // classifier
                       + matches * product(2 * n, m.width, 2 * n);   // NT-Xent: both views' pairs
  flops.rest = 3.0 * small + 2.0 * product(n, m.text_width, m.width);
  return flops;
}

}  // namespace bench
