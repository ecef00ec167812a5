// SPDX-License-Identifier: Apache-2.0
/// @file
/// A model's parameters and state as a safetensors file, each under its own name.
#pragma once

#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "m2u/parameters/content_sum.hpp"
#include "m2u/parameters/parameters.hpp"
#include "m2u/parameters/safetensors.hpp"

namespace m2u {

namespace detail {

/// The entries of a flat buffer, each named `prefix` + its name.
inline void append_tensors(std::string const& prefix, std::vector<LayoutEntry> const& entries,
                           std::vector<float> const& buffer, std::vector<NamedTensor>& tensors) {
  for (auto const& entry : entries) {
    auto const first = buffer.begin() + static_cast<std::ptrdiff_t>(entry.slice.offset);
    tensors.push_back({prefix + entry.name,
                       {entry.shape.begin(), entry.shape.end()},
                       {first, first + static_cast<std::ptrdiff_t>(entry.slice.size())}});
  }
}

/// Fills a flat buffer from the tensors named `prefix` + an entry's name. Appends what is wrong to
/// `problems`, one line each, and the names it looked for to `expected`.
inline std::vector<float> collect_tensors(SafetensorsFile const& file, std::string const& prefix,
                                          std::vector<LayoutEntry> const& entries, std::size_t size,
                                          std::set<std::string>& expected, std::string& problems) {
  std::vector<float> buffer(size, 0.0F);
  for (auto const& entry : entries) {
    auto const name = prefix + entry.name;
    expected.insert(name);
    std::vector<std::int64_t> const shape(entry.shape.begin(), entry.shape.end());
    if (!file.contains(name)) {
      problems += "\n  missing: " + name + " " + shape_text(shape);
      continue;
    }
    if (file.info(name).shape != shape) {
      problems += "\n  misshapen: " + name + " is " + shape_text(file.info(name).shape) +
                  ", but the model has " + shape_text(shape);
      continue;
    }
    auto const tensor = file.tensor(name);
    if (!std::all_of(tensor.values.begin(), tensor.values.end(),
                     [](float x) { return std::isfinite(x); })) {
      problems += "\n  not finite: " + name;
    }
    std::copy(tensor.values.begin(), tensor.values.end(),
              buffer.begin() + static_cast<std::ptrdiff_t>(entry.slice.offset));
  }
  return buffer;
}

inline void append_unexpected(SafetensorsFile const& file, std::set<std::string> const& expected,
                              std::string& problems) {
  for (auto const& name : file.names()) {
    if (!expected.contains(name)) {
      problems += "\n  unexpected: " + name + " " + shape_text(file.info(name).shape);
    }
  }
}

}  // namespace detail

/// Writes every parameter and every state entry under its name, atomically, with a checksum of
/// everything in the metadata. Waits for the device.
template <ExecutionSpace S>
void save_parameters(std::filesystem::path const& path, Parameters<S> const& theta,
                     std::map<std::string, std::string> metadata = {}) {
  Kokkos::fence("m2u::parameters::save");
  std::vector<NamedTensor> tensors;
  detail::append_tensors("", theta.layout().parameters(), to_host(S{}, theta.values()), tensors);
  detail::append_tensors("", theta.layout().state(), to_host(S{}, theta.state()), tensors);
  add_content_sum(tensors, metadata);
  write_safetensors(path, tensors, metadata);
}

/// Reads what save_parameters wrote, or any safetensors file with the same names and shapes.
/// @return the file's metadata.
/// @throws Error if the file has a checksum that is wrong, or listing every tensor that is missing,
/// unexpected, misshapen or not finite; the parameters are then as before.
template <ExecutionSpace S>
std::map<std::string, std::string> load_parameters(std::filesystem::path const& path,
                                                   Parameters<S> const& theta) {
  SafetensorsFile const file(path);
  check_content_sum(file);
  auto const& layout = theta.layout();
  std::set<std::string> expected;
  std::string problems;
  auto const values = detail::collect_tensors(file, "", layout.parameters(),
                                              layout.parameter_size(), expected, problems);
  auto const state =
      detail::collect_tensors(file, "", layout.state(), layout.state_size(), expected, problems);
  detail::append_unexpected(file, expected, problems);
  expects(problems.empty(), path.string(), " does not fit the model:", problems);
  Kokkos::fence("m2u::parameters::load");
  from_host(S{}, std::span<float const>(values), theta.values());
  from_host(S{}, std::span<float const>(state), theta.state());
  return file.metadata();
}

}  // namespace m2u
