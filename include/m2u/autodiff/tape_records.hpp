// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a tape plays backwards: closures in memory that steps use again.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "m2u/autodiff/arena.hpp"
#include "m2u/autodiff/tensor.hpp"

namespace m2u {

template <ExecutionSpace S, class R>
class Tape;

namespace detail {

/// Slow: for errors. Waits for the space.
template <ExecutionSpace S, class R>
bool all_finite(S const& space, Matrix<R, S> const& matrix) {
  auto const values = to_host(space, matrix);
  return std::all_of(values.begin(), values.end(), [](R value) { return std::isfinite(value); });
}

}  // namespace detail

/// A closure with what it belongs to.
template <ExecutionSpace S, class R>
struct TapeRecord {
  char const* name;
  Tensor<S, R> output;
  void* closure;
  void (*run)(void*, Tape<S, R>&, Matrix<R, S> const&);
  void (*destroy)(void*);
  bool repeats = false;  ///< makes a dropped value again instead of going back through an op
};

template <ExecutionSpace S, class R>
class TapeRecords {
 public:
  TapeRecords() = default;
  TapeRecords(TapeRecords const&) = delete;
  TapeRecords& operator=(TapeRecords const&) = delete;
  ~TapeRecords() { clear(); }

  std::vector<TapeRecord<S, R>> const& all() const { return records_; }

  /// backward(tape, gradient of output)
  template <class F>
  void add(char const* name, Tensor<S, R> const& output, F backward) {
    F* const closure = closures_.emplace(std::move(backward));
    records_.push_back({name, output, closure,
                        [](void* f, Tape<S, R>& tape, Matrix<R, S> const& gradient) {
                          (*static_cast<F*>(f))(tape, gradient);
                        },
                        [](void* f) { static_cast<F*>(f)->~F(); }});
  }

  /// Keeps how to make a value again: f(). @return its number
  template <class F>
  int remember(Tensor<S, R> const& output, F f) {
    F* const closure = closures_.emplace(std::move(f));
    recipes_.push_back(
        {"repeat", output, closure,
         [](void* again, Tape<S, R>&, Matrix<R, S> const&) { (*static_cast<F*>(again))(); },
         [](void* again) { static_cast<F*>(again)->~F(); }, true});
    return static_cast<int>(recipes_.size()) - 1;
  }

  /// The value is made again here, on the way back. @param recipe its number, or negative: there is
  /// none. Negative afterwards. @return whether there was one
  bool repeat(int& recipe) {
    if (recipe < 0) {
      return false;
    }
    auto record = recipes_[static_cast<std::size_t>(std::exchange(recipe, -1))];
    record.destroy = [](void*) {};  // the recipe's
    records_.push_back(record);
    return true;
  }

  /// The name of the first op whose output holds a value that is not finite, or an empty string.
  std::string first_non_finite(S const& space) const {
    auto const found = std::find_if(records_.begin(), records_.end(), [&](auto const& record) {
      return !detail::all_finite(space, record.output.value);
    });
    return found == records_.end() ? std::string() : found->name;
  }

  void clear() {
    for (auto* const list : {&records_, &recipes_}) {
      for (auto record = list->rbegin(); record != list->rend(); ++record) {
        record->destroy(record->closure);
      }
      list->clear();
    }
    closures_.reset();
  }

 private:
  ClosureArena closures_;
  std::vector<TapeRecord<S, R>> records_;
  std::vector<TapeRecord<S, R>> recipes_;
};

}  // namespace m2u
