// SPDX-License-Identifier: Apache-2.0
/// @file
/// Sizes of the value ranges of integer features, and the check that data keep to them.
#pragma once

#include "m2u/core/error.hpp"

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string_view>

namespace m2u {

/// The number of values of each integer feature, whose embedding tables are stacked in one: feature
/// f with value v has row offsets()[f] + v. Kernels capture it.
class Vocabularies {
 public:
  static constexpr int max_features = 16;

  /// @throws Error if there is no feature or more than 16, or a size is not positive.
  Vocabularies(std::initializer_list<int> sizes)
      : Vocabularies(std::span<int const>(sizes.begin(), sizes.size())) {}
  explicit Vocabularies(std::span<int const> sizes) : features_(static_cast<int>(sizes.size())) {
    expects(!sizes.empty() && features_ <= max_features, "Vocabularies: ", sizes.size(),
            " features; between 1 and ", max_features, " are supported");
    for (int f = 0; f < features_; ++f) {
      int const size = sizes[static_cast<std::size_t>(f)];
      expects(size > 0, "Vocabularies: feature ", f, " has ", size, " values; it needs at least 1");
      expects(size <= std::numeric_limits<int>::max() - offsets_[f],
              "Vocabularies: more than 2^31 - 1 values in total");
      offsets_[f + 1] = offsets_[f] + size;
    }
  }

  int features() const { return features_; }
  /// Number of values of feature f.
  KOKKOS_INLINE_FUNCTION int size(int f) const { return offsets_[f + 1] - offsets_[f]; }
  /// Number of combinations of the features' values, or `most + 1` where there are more.
  int combinations(int most) const {
    std::int64_t product = 1;
    for (int f = 0; f < features_ && product <= most; ++f) {
      product *= size(f);
    }
    return static_cast<int>(std::min<std::int64_t>(product, std::int64_t{most} + 1));
  }
  /// Number of values of all features: rows of the stacked table.
  int total() const { return offsets_[features_]; }
  /// Where each feature's rows begin; entry features() is the total.
  Kokkos::Array<int, max_features + 1> const& offsets() const { return offsets_; }

 private:
  Kokkos::Array<int, max_features + 1> offsets_{};
  int features_;
};

/// Checks features on the host, before they reach kernels, which trust them.
/// @param values [rows, features], row-major
/// @param what names the data in the message, for example "atom features of CCO"
/// @throws Error if the values do not fill whole rows or one is outside its vocabulary.
inline void check_features(std::span<int const> values, Vocabularies const& vocabularies,
                           std::string_view what) {
  auto const features = static_cast<std::size_t>(vocabularies.features());
  expects(values.size() % features == 0, what, ": ", values.size(),
          " values do not make whole rows of ", features, " features");
  for (std::size_t i = 0; i < values.size(); ++i) {
    int const f = static_cast<int>(i % features);
    expects(values[i] >= 0 && values[i] < vocabularies.size(f), what, ": feature ", f, " of row ",
            i / features, " is ", values[i], ", outside 0 … ", vocabularies.size(f) - 1);
  }
}

}  // namespace m2u
