// SPDX-License-Identifier: Apache-2.0
/// @file
/// What inference makes of parameters and state once and keeps, as long as neither changes.
#pragma once

#include <algorithm>
#include <vector>

#include "m2u/core/matrix.hpp"
#include "m2u/linalg/gemm.hpp"

namespace m2u {

template <ExecutionSpace S, class R>
class InferenceCache {
 public:
  /// Where the packed form of a weight is kept: of a parameter or of what is kept here. nullptr for
  /// others.
  PackedFactors<R>* packed_weights_for(R const* weight, Vector<R, S> const& parameters) {
    R const* const first = parameters.data();
    bool const parameter = weight >= first && weight < first + parameters.extent(0);
    return parameter || keeps(weight) ? &packed_weights_ : nullptr;
  }

  /// The matrix that `make(matrix)` filled at the first call for these sources and this option.
  /// @param first, second what it is made of; their addresses are what counts
  template <class F>
  Matrix<R, S> find(S const& space, R const* first, R const* second, R option, Shape size,
                    F const& make) {
    auto const found = std::find_if(entries_.begin(), entries_.end(), [&](Entry const& entry) {
      return entry.first == first && entry.second == second && entry.option == option;
    });
    if (found != entries_.end()) {
      return found->matrix;
    }
    auto const matrix = make_matrix<R>(space, "m2u::autodiff::inference", size.rows, size.cols);
    make(matrix);
    entries_.push_back({first, second, option, matrix});
    return matrix;
  }

 private:
  /// Whether find gave the matrix that begins here: it stays as it is.
  bool keeps(R const* data) const {
    return std::any_of(entries_.begin(), entries_.end(),
                       [&](Entry const& entry) { return entry.matrix.data() == data; });
  }

  struct Entry {
    R const* first;
    R const* second;
    R option;
    Matrix<R, S> matrix;
  };
  PackedFactors<R> packed_weights_;
  std::vector<Entry> entries_;
};

}  // namespace m2u
