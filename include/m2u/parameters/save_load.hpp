// SPDX-License-Identifier: Apache-2.0
/// @file
/// A model's parameters and state as a safetensors file, each under its own name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "m2u/core/config.hpp"
#include "m2u/parameters/content_sum.hpp"
#include "m2u/parameters/parameters.hpp"
#include "m2u/parameters/safetensors.hpp"

namespace m2u {

namespace detail {

/// The entries of a flat buffer, each named `prefix` + its name.
void append_tensors(std::string const& prefix, std::vector<LayoutEntry> const& entries,
                    std::vector<float> const& buffer, std::vector<NamedTensor>& tensors);

/// Whether no value is infinite or NaN. A sum of bits, which compilers vectorise.
bool all_finite(std::span<float const> values);

/// Tensors by name, from which flat buffers are filled; what is wrong is listed, one line each. The
/// tensors or the file must outlive it.
class TensorCollector {
 public:
  explicit TensorCollector(std::vector<NamedTensor> const& tensors);
  explicit TensorCollector(SafetensorsFile const& file);

  /// A buffer of `size` from the tensors named `prefix` + an entry's name.
  std::vector<float> take(std::string const& prefix, std::vector<LayoutEntry> const& entries,
                          std::size_t size);

  /// Everything that was wrong, tensors that nothing took included; empty if nothing was.
  std::string problems() const;

 private:
  struct Source {
    std::vector<std::int64_t> const* shape;
    std::function<void(std::span<float>)> read;
  };

  void add(std::string const& name, std::vector<std::int64_t> const& shape,
           std::function<void(std::span<float>)> read);

  std::map<std::string, Source> left_;
  std::string problems_;
};

/// Sets all parameters and all state from a collector that holds them and nothing else.
template <ExecutionSpace S>
void assign_collected(Parameters<S> const& theta, TensorCollector collector,
                      std::string const& what) {
  auto const& layout = theta.layout();
  auto const values = collector.take("", layout.parameters(), layout.parameter_size());
  auto const state = collector.take("", layout.state(), layout.state_size());
  auto const problems = collector.problems();
  expects(problems.empty(), what, " does not fit the model:", problems);
  Kokkos::fence("m2u::parameters::load");
  from_host(S{}, std::span<float const>(values), theta.values());
  from_host(S{}, std::span<float const>(state), theta.state());
}

}  // namespace detail

/// Every parameter, then every state entry, under its name. Waits for the device.
template <ExecutionSpace S>
std::vector<NamedTensor> parameter_tensors(Parameters<S> const& theta) {
  Kokkos::fence("m2u::parameters::save");
  std::vector<NamedTensor> tensors;
  detail::append_tensors("", theta.layout().parameters(), to_host(S{}, theta.values()), tensors);
  detail::append_tensors("", theta.layout().state(), to_host(S{}, theta.state()), tensors);
  return tensors;
}

/// Sets every parameter and every state entry from the tensor of its name.
/// @param what names where they come from in messages
/// @throws Error listing every tensor that is missing, unexpected, misshapen or not finite; the
/// parameters are then as before.
template <ExecutionSpace S>
void assign_parameters(Parameters<S> const& theta, std::vector<NamedTensor> const& tensors,
                       std::string const& what) {
  detail::assign_collected(theta, detail::TensorCollector(tensors), what);
}

/// Writes every parameter and every state entry under its name, atomically, with a checksum of
/// everything in the metadata. Waits for the device.
template <ExecutionSpace S>
void save_parameters(std::filesystem::path const& path, Parameters<S> const& theta,
                     std::map<std::string, std::string> metadata = {}) {
  auto tensors = parameter_tensors(theta);
  add_content_sum(tensors, metadata);
  write_safetensors(path, tensors, metadata);
}

/// Sets every parameter and every state entry from a file that is open. Its checksum is not looked
/// at.
/// @throws Error as load_parameters does for what does not fit.
template <ExecutionSpace S>
void assign_parameters(Parameters<S> const& theta, SafetensorsFile const& file) {
  detail::assign_collected(theta, detail::TensorCollector(file), file.path().string());
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
  assign_parameters(theta, file);
  return file.metadata();
}

}  // namespace m2u

#if M2U_DEFINES_CORE

#include <algorithm>
#include <bit>

namespace m2u {

namespace detail {

M2U_INLINE void append_tensors(std::string const& prefix, std::vector<LayoutEntry> const& entries,
                               std::vector<float> const& buffer,
                               std::vector<NamedTensor>& tensors) {
  for (auto const& entry : entries) {
    auto const first = buffer.begin() + static_cast<std::ptrdiff_t>(entry.slice.offset);
    tensors.push_back({prefix + entry.name,
                       {entry.shape.begin(), entry.shape.end()},
                       {first, first + static_cast<std::ptrdiff_t>(entry.slice.size())}});
  }
}

M2U_INLINE bool all_finite(std::span<float const> values) {
  constexpr std::uint32_t exponent = 0x7F800000U;
  std::uint32_t found = 0;
  for (float const value : values) {
    found |=
        static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & exponent) == exponent);
  }
  return found == 0;
}

M2U_INLINE TensorCollector::TensorCollector(std::vector<NamedTensor> const& tensors) {
  for (auto const& tensor : tensors) {
    add(tensor.name, tensor.shape, [&tensor](std::span<float> to) {
      std::copy(tensor.values.begin(), tensor.values.end(), to.begin());
    });
  }
}

M2U_INLINE TensorCollector::TensorCollector(SafetensorsFile const& file) {
  for (auto const& name : file.names()) {
    add(name, file.info(name).shape,
        [&file, name](std::span<float> to) { file.read_floats(name, to); });
  }
}

M2U_INLINE std::vector<float> TensorCollector::take(std::string const& prefix,
                                                    std::vector<LayoutEntry> const& entries,
                                                    std::size_t size) {
  std::vector<float> buffer(size, 0.0F);
  for (auto const& entry : entries) {
    auto const name = prefix + entry.name;
    std::vector<std::int64_t> const shape(entry.shape.begin(), entry.shape.end());
    auto const found = left_.extract(name);
    if (found.empty()) {
      problems_ += "\n  missing: " + name + " " + shape_text(shape);
    } else if (*found.mapped().shape != shape) {
      problems_ += "\n  misshapen: " + name + " is " + shape_text(*found.mapped().shape) +
                   ", but the model has " + shape_text(shape);
    } else {
      auto const values = std::span(buffer).subspan(entry.slice.offset, entry.slice.size());
      found.mapped().read(values);
      if (!all_finite(values)) {
        problems_ += "\n  not finite: " + name;
      }
    }
  }
  return buffer;
}

M2U_INLINE std::string TensorCollector::problems() const {
  auto text = problems_;
  for (auto const& [name, tensor] : left_) {
    text += "\n  unexpected: " + name + " " + shape_text(*tensor.shape);
  }
  return text;
}

M2U_INLINE void TensorCollector::add(std::string const& name,
                                     std::vector<std::int64_t> const& shape,
                                     std::function<void(std::span<float>)> read) {
  if (!left_.emplace(name, Source{&shape, std::move(read)}).second) {
    problems_ += "\n  twice: " + name;
  }
}

}  // namespace detail

}  // namespace m2u

#endif
