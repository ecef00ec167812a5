// SPDX-License-Identifier: Apache-2.0
/// @file
/// Names, shapes and places of a model's parameters, before any memory exists.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "m2u/core/error.hpp"
#include "m2u/core/matrix.hpp"

namespace m2u {

/// A parameter's place in the flat buffer. Modules hold slices and nothing else of their
/// parameters.
struct Slice {
  std::size_t offset = 0;
  int rows = 0;
  int cols = 0;
  std::size_t size() const {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
  }
};

/// The place of state that has no gradient: running statistics that training updates, or numbers
/// that stay as they are.
struct StateSlice : Slice {};

/// How a parameter starts.
struct Initialiser {
  enum class Kind { constant, uniform, normal, xavier_tables };
  Kind kind = Kind::constant;
  float scale = 0.0F;  ///< the constant; half the width of U(-scale, scale); the standard deviation
  std::vector<int> table_rows = {};  ///< of xavier_tables: rows of each stacked table

  static Initialiser constant(float value) { return {Kind::constant, value}; }
  static Initialiser uniform(float bound) { return {Kind::uniform, bound}; }
  static Initialiser normal(float deviation) { return {Kind::normal, deviation}; }
  /// Embedding tables stacked in one matrix, each Glorot-uniform by its own size.
  static Initialiser xavier_tables(std::vector<int> rows) {
    return {Kind::xavier_tables, 1.0F, std::move(rows)};
  }
  /// Glorot and Bengio 2010: U(±√(6 / (fan_in + fan_out))).
  static Initialiser xavier_uniform(int fan_in, int fan_out);
  /// PyTorch's default of Linear: U(±1/√fan_in), for weight and bias.
  static Initialiser linear_default(int fan_in);
};

/// One parameter or state entry.
struct LayoutEntry {
  std::string name;        ///< scoped, for example "hub.layer0.attention.in_proj.weight"
  std::vector<int> shape;  ///< as files show it: one or two extents
  Slice slice;
  Initialiser initialiser;
};

class Scope;

/// Hands out slices under scoped names. Offsets are multiples of 64 floats.
class ParameterLayout {
 public:
  static constexpr std::size_t alignment = 64;

  /// A scope at the top of the names: `layout.scope("hub")`. Refers to this layout, which must
  /// outlive the making of the modules, not the modules.
  Scope scope(std::string name);

  std::vector<LayoutEntry> const& parameters() const { return parameters_; }
  std::vector<LayoutEntry> const& state() const { return state_; }
  /// Floats in the flat buffers, padding included.
  std::size_t parameter_size() const { return parameter_size_; }
  std::size_t state_size() const { return state_size_; }

 private:
  friend class Scope;
  Slice add(std::vector<LayoutEntry>& entries, std::size_t& size, std::string name,
            std::vector<int> shape, Initialiser initialiser);

  std::vector<LayoutEntry> parameters_;
  std::vector<LayoutEntry> state_;
  std::unordered_set<std::string> names_;
  std::size_t parameter_size_ = 0;
  std::size_t state_size_ = 0;
};

/// A prefix of names within a layout.
class Scope {
 public:
  Scope(ParameterLayout& layout, std::string prefix)
      : layout_(&layout), prefix_(std::move(prefix)) {}

  /// A scope below this one.
  Scope scope(std::string const& name) const { return {*layout_, qualified(name)}; }
  Scope scope(std::string const& name, int index) const {
    return scope(name + std::to_string(index));
  }
  /// A matrix parameter. @throws Error if the name is taken or an extent is not positive.
  Slice matrix(std::string const& name, int rows, int cols, Initialiser initialiser) const {
    return layout_->add(layout_->parameters_, layout_->parameter_size_, qualified(name),
                        {rows, cols}, std::move(initialiser));
  }
  /// A vector parameter, a slice of one row.
  Slice vector(std::string const& name, int size, Initialiser initialiser) const {
    return layout_->add(layout_->parameters_, layout_->parameter_size_, qualified(name), {size},
                        std::move(initialiser));
  }
  /// State of one row that starts at `value`.
  StateSlice state(std::string const& name, int size, float value) const {
    return {layout_->add(layout_->state_, layout_->state_size_, qualified(name), {size},
                         Initialiser::constant(value))};
  }
  /// A matrix of state, for example numbers that are drawn once and stay.
  StateSlice state(std::string const& name, int rows, int cols, Initialiser initialiser) const {
    return {layout_->add(layout_->state_, layout_->state_size_, qualified(name), {rows, cols},
                         std::move(initialiser))};
  }

 private:
  std::string qualified(std::string const& name) const {
    return prefix_.empty() ? name : prefix_ + "." + name;
  }
  ParameterLayout* layout_;
  std::string prefix_;
};

inline Scope ParameterLayout::scope(std::string name) { return {*this, std::move(name)}; }

inline Slice ParameterLayout::add(std::vector<LayoutEntry>& entries, std::size_t& size,
                                  std::string name, std::vector<int> shape,
                                  Initialiser initialiser) {
  for (int const extent : shape) {
    expects(extent > 0, "ParameterLayout: \"", name, "\" has the extent ", extent,
            "; extents must be positive");
  }
  expects(names_.insert(name).second, "ParameterLayout: the name \"", name,
          "\" is used twice; give each module its own scope");
  Slice const slice{size, shape.size() == 2 ? shape[0] : 1, shape.back()};
  size += (slice.size() + alignment - 1) / alignment * alignment;
  entries.push_back({std::move(name), std::move(shape), slice, std::move(initialiser)});
  return slice;
}

}  // namespace m2u
