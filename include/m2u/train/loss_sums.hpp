// SPDX-License-Identifier: Apache-2.0
/// @file
/// Mean losses of an epoch, added up on the device and read when someone wants to know.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "m2u/kernels/optimiser.hpp"
#include "m2u/train/info.hpp"
#include "m2u/transfer/losses.hpp"

namespace m2u {

template <ExecutionSpace S>
class LossSums {
 public:
  /// Most terms that a model may have.
  static constexpr int capacity = 64;

  explicit LossSums(S const& space)
      : sums_(Kokkos::view_alloc(space, std::string("m2u::train::loss_sums")), capacity + 1) {}

  void reset(S const& space) {
    Kokkos::deep_copy(space, sums_, 0.0);
    batches_ = 0;
    skipped_ = 0;
    terms_.clear();
  }

  /// Adds a batch's losses; does not wait. A total without gradient counts as a skipped batch.
  void add(S const& space, Losses<S> const& losses);

  int batches() const { return batches_; }
  int skipped() const { return skipped_; }

  /// The mean total so far, 0 before the first. Waits for `space`.
  double mean(S const& space) const {
    return batches_ == 0 ? 0.0 : to_host(space, sums_).front() / batches_;
  }

  /// The terms so far, in the order in which the model gave them. Waits for `space`.
  std::vector<TermInfo> terms(S const& space) const;

 private:
  void push(Scalar<S> const& value, int target) {
    expects(shape(value) == Shape{1, 1}, "Trainer: a loss must be [1, 1], but is ", shape(value));
    values_.push_back(value.value.data());
    targets_.push_back(target);
  }

  int find(std::string const& name);

  void launch(S const& space) const;

  Vector<double, S> sums_;  // [1 + terms]: the total first
  std::vector<TermInfo> terms_;
  std::vector<float const*> values_;
  std::vector<int> targets_;
  int batches_ = 0;
  int skipped_ = 0;
};

template <ExecutionSpace S>
void LossSums<S>::add(S const& space, Losses<S> const& losses) {
  values_.clear();
  targets_.clear();
  if (losses.total.differentiable()) {
    ++batches_;
    push(losses.total, 0);
  } else {
    ++skipped_;
  }
  for (auto const& term : losses.terms) {
    int const index = find(term.name);
    auto& info = terms_[static_cast<std::size_t>(index)];
    info.weight = term.weight;
    if (term.skipped) {
      ++info.skipped;
      continue;
    }
    ++info.batches;
    info.rows += term.rows;
    push(term.value, index + 1);
  }
  launch(space);
}

template <ExecutionSpace S>
std::vector<TermInfo> LossSums<S>::terms(S const& space) const {
  auto const sums = to_host(space, sums_);
  auto result = terms_;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (result[i].batches > 0) {
      result[i].mean = sums[i + 1] / result[i].batches;
    }
  }
  return result;
}

template <ExecutionSpace S>
int LossSums<S>::find(std::string const& name) {
  auto const found = std::find_if(terms_.begin(), terms_.end(),
                                  [&](auto const& info) { return info.name == name; });
  if (found != terms_.end()) {
    return static_cast<int>(found - terms_.begin());
  }
  expects(terms_.size() < static_cast<std::size_t>(capacity), "Trainer: a model may have at most ",
          capacity, " loss terms");
  terms_.emplace_back().name = name;
  return static_cast<int>(terms_.size()) - 1;
}

template <ExecutionSpace S>
void LossSums<S>::launch(S const& space) const {
  constexpr std::size_t most = 8;
  for (std::size_t first = 0; first < values_.size(); first += most) {
    Kokkos::Array<float const*, most> values{};
    Kokkos::Array<int, most> targets{};
    std::size_t const count = std::min(most, values_.size() - first);
    for (std::size_t k = 0; k < count; ++k) {
      values[k] = values_[first + k];
      targets[k] = targets_[first + k];
    }
    kernels::accumulate_scalars(space, values, static_cast<int>(count), targets, sums_);
  }
}

}  // namespace m2u
