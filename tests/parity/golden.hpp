// SPDX-License-Identifier: Apache-2.0
// A folder of recorded inputs, weights and results of the published implementation.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "m2u/encoders/comenet.hpp"
#include "m2u/parameters/parameters.hpp"
#include "m2u/transfer/multi_batch.hpp"
#include "parity/report.hpp"

namespace m2u::parity {

using Space = Kokkos::DefaultExecutionSpace;

/// Sizes of the recorded model.
struct Dims {
  int width = 0;
  int layers = 0;
  int heads = 0;
  int encoding_steps = 0;
  int encoding_width = 0;
  int text = 0;
  std::vector<int> bio;
  ComENetOptions conformers;
};

struct Folder {
  /// @throws Error naming the file that is missing or what the manifest lacks.
  explicit Folder(std::filesystem::path folder);

  struct Batch {
    std::string name;
    std::filesystem::path file;
    std::vector<std::string> smiles;
  };

  std::filesystem::path path;
  nlohmann::json manifest;
  Dims dims;
  std::vector<Batch> batches;
  std::filesystem::path weights;
};

/// Conformers with the recorded edges, and the recorded basis of each edge in the batch's order:
/// what the wrapped ComENet takes.
template <ExecutionSpace S>
struct FedConformers {
  ConformerBatch<S> conformers;
  Matrix<float, S> angles;
  Matrix<float, S> torsions;
};

/// A batch's inputs in the memory of the space.
struct Inputs {
  GraphBatch<Space> graphs;          ///< integer features
  GraphBatch<Space> one_hot_graphs;  ///< the package's features
  FedConformers<Space> conformers;   ///< with the published geometry by our own code
  std::vector<int> edge_order;       ///< place in the batch → recorded edge of the conformers
  DenseBatch<Space> text;
  SparseBatch<Space> bio;
  int molecules = 0;
};

/// Brings the recorded inputs in our form; compares random-walk encodings with our own and, with
/// RDKit, the features of the SMILES.
Inputs read_inputs(Dims const& dims, Folder::Batch const& batch, Recorded& recorded);

/// Conformers from recorded tensors, with the given basis in our order of edges.
FedConformers<Space> read_conformers(Recorded& recorded, std::string const& groups,
                                     ComENetOptions const& options, std::vector<int>& edge_order);

/// A column per reference edge: rows of `values` (in our order of edges) in the recorded order.
std::vector<float> in_recorded_order(std::vector<float> const& values,
                                     std::vector<int> const& edge_order);

/// Compares the features that our chemistry gives for the batch's SMILES.
void compare_features(Dims const& dims, Folder::Batch const& batch, Recorded& recorded);

// What the program compares, a part each. The weights are imported by the names map.
void compare_geometry(Dims const& dims, Inputs const& inputs, Recorded& recorded);
void compare_pretraining(Folder const& folder, Inputs const& inputs, Recorded& recorded);
void compare_package(Folder const& folder, Inputs const& inputs, Recorded& recorded);
void compare_full_conformers(Folder const& folder, Report& report);

}  // namespace m2u::parity
