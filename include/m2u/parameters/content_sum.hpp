// SPDX-License-Identifier: Apache-2.0
/// @file
/// One checksum over everything that a safetensors file says, kept in its metadata: the format
/// itself would not notice an altered number.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/core/file.hpp"
#include "m2u/parameters/safetensors.hpp"

namespace m2u {

namespace detail {

inline std::string shape_text(std::vector<std::int64_t> const& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

inline constexpr char const* content_sum_key = "m2u_checksum";

/// Checksum over metadata (its own entry left out), names, shapes and bytes, in the order of the
/// names.
class ContentSum {
 public:
  void add(std::map<std::string, std::string> const& metadata) {
    for (auto const& [key, value] : metadata) {
      if (key != content_sum_key) {
        add(key);
        add(value);
      }
    }
  }
  void add(std::string const& name, std::vector<std::int64_t> const& shape,
           std::span<std::byte const> bytes) {
    add(name);
    add(shape_text(shape));
    sum_.add(bytes);
  }
  std::string text() const { return std::to_string(sum_.value()); }

 private:
  void add(std::string const& text) {
    sum_.add(std::as_bytes(std::span(text)));
    sum_.add(std::as_bytes(std::span("\0", 1)));
  }
  Checksum sum_;
};

}  // namespace detail

/// Puts the checksum of the contents into the metadata, as "m2u_checksum". The tensors are sorted
/// by name.
void add_content_sum(std::vector<NamedTensor>& tensors,
                     std::map<std::string, std::string>& metadata);

/// The checksum of a file's contents, which its metadata may hold.
std::string content_sum(SafetensorsFile const& file);

/// Compares a file's contents with the checksum in its metadata. A file without one passes: other
/// programs write none.
/// @throws Error naming the file if they do not agree.
void check_content_sum(SafetensorsFile const& file);

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <algorithm>

namespace m2u {

M2U_INLINE void add_content_sum(std::vector<NamedTensor>& tensors,
                                std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(),
            [](auto const& a, auto const& b) { return a.name < b.name; });
  detail::ContentSum sum;
  sum.add(metadata);
  for (auto const& tensor : tensors) {
    sum.add(tensor.name, tensor.shape, std::as_bytes(std::span(tensor.values)));
  }
  metadata[detail::content_sum_key] = sum.text();
}

M2U_INLINE std::string content_sum(SafetensorsFile const& file) {
  detail::ContentSum sum;
  sum.add(file.metadata());
  for (auto const& name : file.names()) {
    sum.add(name, file.info(name).shape, file.bytes(name));
  }
  return sum.text();
}

M2U_INLINE void check_content_sum(SafetensorsFile const& file) {
  auto const found = file.metadata().find(detail::content_sum_key);
  if (found == file.metadata().end()) {
    return;
  }
  expects(found->second == content_sum(file), file.path().string(),
          " is damaged: its checksum does not agree with its contents (if a program altered it on "
          "purpose, it must leave out the metadata \"",
          detail::content_sum_key, "\")");
}

}  // namespace m2u

#endif
