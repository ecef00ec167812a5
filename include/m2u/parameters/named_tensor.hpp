// SPDX-License-Identifier: Apache-2.0
/// @file
/// Tensors with their names, as files hold them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace m2u {

/// A tensor of floats under its name in a file.
struct NamedTensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< empty for one number
  std::vector<float> values;        ///< row-major
};

/// A tensor of integers under its name in a file.
struct NamedIntegers {
  std::string name;
  std::vector<std::int64_t> shape;   ///< empty for one number
  std::vector<std::int64_t> values;  ///< row-major
};

}  // namespace m2u
