// SPDX-License-Identifier: Apache-2.0
/// @file
/// Rows that are searched where they lie, with their lengths.
#pragma once

#include <utility>

#include "m2u/core/matrix.hpp"
#include "m2u/kernels/row_lengths.hpp"

namespace m2u {

/// A block of a library: rows and their lengths. Views are not copied.
template <ExecutionSpace S>
class SearchRows {
 public:
  /// Computes the lengths: one pass over the rows. @param rows [rows, cols]
  /// @param what begins the message, for example "nearest: library"
  /// @throws Error naming the first row that holds a number that is not finite.
  SearchRows(S const& space, Matrix<float, S> rows, char const* what)
      : rows_(std::move(rows)),
        lengths_(make_vector<float>(space, "m2u::retrieve::lengths", rows_.extent(0))) {
    int bad = 0;
    kernels::row_lengths(space, rows_, lengths_, bad);
    expects(bad == rows_.extent_int(0), what, " row ", bad, " holds a number that is not finite");
  }

  /// Takes lengths that the other constructor computed, for example from a file.
  /// @throws Error unless there is one for each row.
  SearchRows(Matrix<float, S> rows, Vector<float, S> lengths)
      : rows_(std::move(rows)), lengths_(std::move(lengths)) {
    expects(lengths_.extent(0) == rows_.extent(0), "SearchRows: ", lengths_.extent(0),
            " lengths do not fit rows of the shape ", shape(rows_));
  }

  Matrix<float, S> const& rows() const { return rows_; }
  /// [rows]; 0 for zeros, NaN for rows so short or long that float products cannot rank them.
  Vector<float, S> const& lengths() const { return lengths_; }

 private:
  Matrix<float, S> rows_;
  Vector<float, S> lengths_;
};

}  // namespace m2u
