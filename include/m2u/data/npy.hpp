// SPDX-License-Identifier: Apache-2.0
/// @file
/// Matrices of floats in NumPy's .npy format (version 1.0, little-endian, C order).
#pragma once

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/core/file.hpp"

namespace m2u {

static_assert(std::endian::native == std::endian::little,
              "npy.hpp writes the machine's bytes as they are");

/// Writes a matrix row by row; the file appears, whole, with `commit`.
class NpyWriter {
 public:
  /// @throws Error if the file can't be made or the shape is negative.
  NpyWriter(std::filesystem::path const& path, int rows, int cols)
      : name_(path.string()), file_(path) {
    expects(rows >= 0 && cols >= 0, name_, ": cannot write a matrix of ", rows, " × ", cols);
    left_ = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(cols);
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                         std::to_string(rows) + ", " + std::to_string(cols) + "), }";
    header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');
    header += '\n';
    std::string start("\x93NUMPY\x01\x00", 8);
    start += static_cast<char>(header.size() % 256);
    start += static_cast<char>(header.size() / 256);
    file_.write(start);
    file_.write(header);
  }

  /// Adds values in row-major order. @throws Error if they are more than the shape holds.
  void add(std::span<float const> values) {
    expects(values.size() <= left_, name_, ": ", values.size() - left_,
            " values more than the matrix holds");
    left_ -= values.size();
    file_.write(std::as_bytes(values));
  }

  /// @throws Error if values are missing.
  void commit() {
    expects(left_ == 0, name_, ": ", left_, " values of the matrix were not given");
    file_.commit();
  }

 private:
  std::string name_;
  AtomicFile file_;
  std::uint64_t left_ = 0;
};

/// Writes a row-major matrix. @throws Error if the shape does not fit or the file can't be written.
inline void write_npy(std::filesystem::path const& path, std::span<float const> values, int rows,
                      int cols) {
  NpyWriter writer(path, rows, cols);
  writer.add(values);
  writer.commit();
}

/// A matrix from a file.
struct NpyMatrix {
  int rows = 0;
  int cols = 0;
  std::vector<float> values;  ///< [rows, cols], row-major
};

namespace detail {

/// The text after `key: ` in a header. @throws Error if the key is missing.
inline std::string_view npy_field(std::string_view header, std::string_view key,
                                  std::string const& name) {
  auto const at = header.find("'" + std::string(key) + "':");
  expects(at != std::string_view::npos, name, ", offset 10: the header has no '", key, "'");
  auto const value = header.find_first_not_of(' ', at + key.size() + 3);
  expects(value != std::string_view::npos, name, ", offset 10: the header is cut off");
  return header.substr(value);
}

/// "(3, 4)" or "(3,)", a column of 3.
inline std::pair<int, int> npy_shape(std::string_view text, std::string const& name) {
  int sizes[2] = {0, 1};
  auto const close = text.find(')');
  bool fine = text.starts_with('(') && close != std::string_view::npos;
  char const* at = text.data() + 1;
  char const* const end = fine ? text.data() + close : at;
  int dimensions = 0;
  while (fine && at != end) {
    auto const [after, code] = std::from_chars(at, end, sizes[dimensions < 2 ? dimensions : 1]);
    fine = code == std::errc{} && sizes[dimensions < 2 ? dimensions : 1] >= 0 && dimensions < 2;
    ++dimensions;
    for (at = after; at != end && (*at == ',' || *at == ' ');) {
      ++at;
    }
  }
  expects(fine && dimensions > 0, name, ", offset 10: the shape is not that of a matrix: ",
          text.substr(0, std::min<std::size_t>(close, 60)));
  return {sizes[0], sizes[1]};
}

}  // namespace detail

/// Reads a matrix (or a vector, as one column) of float32.
/// @throws Error naming the file if it is not such a matrix, or cut off.
inline NpyMatrix read_npy(std::filesystem::path const& path) {
  MappedFile const file(path);
  auto const bytes = file.bytes();
  auto const name = path.string();
  std::string_view const text(reinterpret_cast<char const*>(bytes.data()), bytes.size());
  expects(text.size() >= 10 && text.starts_with("\x93NUMPY"), name, ", offset 0: not an .npy file");
  expects(text[6] == 1, name, ", offset 6: format version ", static_cast<int>(text[6]),
          ", but only 1 is read");
  auto const header_size = static_cast<std::size_t>(static_cast<unsigned char>(text[8])) +
                           256 * static_cast<std::size_t>(static_cast<unsigned char>(text[9]));
  expects(header_size <= text.size() - 10, name, ", offset 8: the header is cut off");
  auto const header = text.substr(10, header_size);
  expects(detail::npy_field(header, "descr", name).starts_with("'<f4'"), name,
          ", offset 10: the values are not little-endian float32");
  expects(detail::npy_field(header, "fortran_order", name).starts_with("False"), name,
          ", offset 10: the matrix is in Fortran order");
  auto const [rows, cols] = detail::npy_shape(detail::npy_field(header, "shape", name), name);
  auto const data = bytes.subspan(10 + header_size);
  auto const values = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(cols);
  expects(data.size() % 4 == 0 && data.size() / 4 == values, name, ", offset ", 10 + header_size,
          ": ", rows, " × ", cols, " values need ", 4 * values, " bytes, but there are ",
          data.size());
  NpyMatrix matrix{rows, cols, std::vector<float>(static_cast<std::size_t>(values))};
  if (values > 0) {
    std::memcpy(matrix.values.data(), data.data(), data.size());
  }
  return matrix;
}

}  // namespace m2u
