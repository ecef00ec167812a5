// SPDX-License-Identifier: Apache-2.0
/// @file
/// Reverse-mode differentiation: ops record how to go back, the tape plays it in reverse.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <Kokkos_Profiling_ScopedRegion.hpp>

#include "m2u/autodiff/arena.hpp"
#include "m2u/autodiff/inference_cache.hpp"
#include "m2u/autodiff/tape_records.hpp"
#include "m2u/autodiff/tensor.hpp"
#include "m2u/core/random.hpp"
#include "m2u/kernels/arithmetic.hpp"
#include "m2u/parameters/parameters.hpp"

namespace m2u {

/// The tape of one step: explicit, never global. It owns the step's memory; `reset` starts the
/// next.
template <ExecutionSpace S, class R = float>
class Tape {
 public:
  /// The parameters are shared, not copied. Random draws depend on the seed and the step's number.
  Tape(S const& space, Parameters<S, R> parameters, Mode mode, Seed seed = {})
      : space_(space), parameters_(std::move(parameters)), mode_(mode), seed_(seed) {}
  Tape(Tape const&) = delete;
  Tape& operator=(Tape const&) = delete;
  ~Tape() { clear(); }

  S const& space() const { return space_; }
  Parameters<S, R> const& parameters() const { return parameters_; }
  Mode mode() const { return mode_; }
  bool training() const { return mode_ == Mode::training; }
  /// @throws Error for training where infer_only was called.
  void set_mode(Mode mode) {
    expects(mode == Mode::evaluation || !infers(),
            "Tape::set_mode: the tape is for inference only");
    mode_ = mode;
  }

  /// From now on the tape is for inference alone: nothing has a gradient, memory is used again at
  /// the end of each scope, and ops keep what they make of parameters, which pays where batches are
  /// small. Parameters and state must not change any more.
  /// @throws Error in training.
  void infer_only() {
    expects(!training(), "Tape::infer_only: parameters change in training; the tape's mode must be "
                         "evaluation");
    cache_ = std::make_unique<InferenceCache<S, R>>();
  }
  bool infers() const { return cache_ != nullptr; }
  /// Where ops keep what they made of parameters; nullptr without inference.
  InferenceCache<S, R>* inference_cache() const { return cache_.get(); }

  /// f(), a tensor. In inference what f needed besides is free for use afterwards.
  template <class F>
  Tensor<S, R> scoped(F const& f) {
    auto const mark = arena_.mark();
    Tensor<S, R> const result = f();
    if (infers()) {
      arena_.release_since(mark, result.value.data());
    }
    return result;
  }

  /// f(), a tensor for ops alone, as all that f makes on the way: nobody reads their values after
  /// the backward pass. Their memory may be that of dropped values.
  template <class F>
  Tensor<S, R> internal(F const& f) {
    bool const before = std::exchange(borrows_, true);
    Tensor<S, R> const result = f();
    borrows_ = before;
    return result;
  }

  /// Where the packed form of a parameter, or of what is kept of parameters, is kept; nullptr for
  /// other weights and without inference.
  PackedFactors<R>* packed_weights(R const* weight) const {
    return infers() ? cache_->packed_weights_for(weight, parameters_.values()) : nullptr;
  }

  /// Forgets the step and starts the one with this number. Tensors made before are invalid after.
  void reset(std::uint64_t step) {
    clear();
    arena_.reset(space_);
    step_ = step;
    streams_ = 0;
  }

  /// An independent random stream for one op of this step.
  RandomStream random_stream() { return {seed_.value, (step_ << 20U) | streams_++}; }

  /// Uninitialised workspace, valid until the reset; what is asked for on the way back, until the
  /// op is through. Gradients of ops' outputs end there too: those of variables and parameters
  /// stay.
  template <class T = R>
  Matrix<T, S> matrix(int rows, int cols) {
    auto const size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    return Matrix<T, S>(static_cast<T*>(workspace(size * sizeof(T))), rows, cols);
  }
  template <class T = R>
  Vector<T, S> vector(int size) {
    return Vector<T, S>(static_cast<T*>(workspace(static_cast<std::size_t>(size) * sizeof(T))),
                        size);
  }

  /// A value without gradient.
  Tensor<S, R> constant(Matrix<R, S> const& value) { return {value, -1}; }
  /// A value with a gradient, for example an input whose importance is asked for.
  Tensor<S, R> variable(Matrix<R, S> const& value) { return {value, new_entry({})}; }
  /// A parameter; its gradient is added to the flat gradient buffer.
  Tensor<S, R> parameter(Slice const& slice) {
    if (infers()) {
      return constant(parameters_.value(slice));
    }
    return {parameters_.value(slice), new_entry(parameters_.gradient(slice))};
  }
  /// State that the op may update in training.
  Matrix<R, S> state(StateSlice const& slice) const { return parameters_.state(slice); }
  /// The uninitialised output of an op; differentiable if any of its inputs is.
  template <class... Inputs>
    requires(sizeof...(Inputs) > 0 && !(std::is_same_v<Inputs, bool> || ...))
  Tensor<S, R> result(int rows, int cols, Inputs const&... inputs) {
    return result(rows, cols, (inputs.differentiable() || ...));
  }
  Tensor<S, R> result(int rows, int cols, bool differentiable) {
    return {matrix(rows, cols), differentiable ? new_entry({}) : -1};
  }

  /// Records how to go back through an op: `backward(tape, gradient of output)` is called only if a
  /// gradient reached the output, and asks `gradient(input)` where to put its results.
  /// @param name the op's name, which must be a string literal.
  template <class F>
  void record(char const* name, Tensor<S, R> const& output, F backward) {
    if (output.differentiable()) {
      records_.add(name, output, std::move(backward));
    }
  }

  /// Says how the output of an op can be made again, by f(), from what the op keeps anyway.
  template <class F>
  void remember(Tensor<S, R> const& output, F f) {
    if (output.differentiable() && !keeps_) {
      entries_[static_cast<std::size_t>(output.entry)].recipe =
          records_.remember(output, std::move(f));
    }
  }

  /// Gives the memory of a value to others until the backward pass comes to where this was called:
  /// there the value is made again. For values that later ops do not take and nobody reads; drop
  /// what a value is made of after it. Values that no op remembers how to make stay.
  void drop(Tensor<S, R> const& tensor) {
    if (tensor.differentiable() &&
        records_.repeat(entries_[static_cast<std::size_t>(tensor.entry)].recipe)) {
      arena_.lend(tensor.value.data(), tensor.value.size() * sizeof(R));
    }
  }

  /// Whether drop does nothing, in this and further steps: to look at all values.
  void keep_values(bool keep) { keeps_ = keep; }

  /// Where the gradient of a differentiable input goes. Call it once per use, and write all of it.
  Gradient<S, R> gradient(Tensor<S, R> const& input) {
    expects(input.differentiable(), "Tape::gradient: the tensor of shape ", shape(input),
            " is a constant; ask differentiable() first");
    auto& entry = entries_[static_cast<std::size_t>(input.entry)];
    bool const accumulate = entry.written;
    if (!accumulate) {
      R* const memory = static_cast<R*>(arena_.allocate(space_, input.value.size() * sizeof(R)));
      entry.set(Matrix<R, S>(memory, input.rows(), input.cols()), true);
    }
    return {entry.gradient, accumulate};
  }

  /// Makes the gradient of an op's output that of an input, where the two are equal, without a copy
  /// if no other reached the input before. Call it last: what comes later is added in place.
  void pass_gradient(Tensor<S, R> const& input, Matrix<R, S> const& output_gradient) {
    auto& entry = entries_[static_cast<std::size_t>(input.entry)];
    if (entry.written) {
      kernels::scale(space_, output_gradient, R(1), entry.gradient, true);
      return;
    }
    auto* const output = current_ < 0 ? nullptr : &entries_[static_cast<std::size_t>(current_)];
    expects(output != nullptr && output->gradient.data() == output_gradient.data(),
            "Tape::pass_gradient: give the gradient that the backward function was called with");
    if (last_use_) {
      entry.set(output->gradient, std::exchange(output->owned, false));
    } else {  // another record of the same output still needs it
      auto const [to, accumulate] = gradient(input);
      kernels::scale(space_, output_gradient, R(1), to, accumulate);
    }
  }

  /// Whether a gradient has reached the tensor.
  bool has_gradient(Tensor<S, R> const& tensor) const {
    return tensor.differentiable() && entries_[static_cast<std::size_t>(tensor.entry)].written;
  }

  /// Gradients of `loss` for everything that it depends on; the parameters' are added to their
  /// buffer.
  /// @throws Error if `loss` is not [1, 1] or depends on nothing differentiable.
  void backward(Scalar<S, R> const& loss) {
    expects(shape(loss) == Shape{1, 1}, "Tape::backward: the loss must be [1, 1], but is ",
            shape(loss));
    expects(loss.differentiable(), "Tape::backward: the loss depends on no parameter or variable");
    Kokkos::deep_copy(space_, gradient(loss).matrix, R(1));
    play();
  }

  /// The same from an output of any shape, given the gradient that reaches it (row-major).
  void backward_from(Tensor<S, R> const& output, std::vector<R> const& output_gradient) {
    from_host(space_, std::span<R const>(output_gradient), gradient(output).matrix);
    play();
  }

  /// The first op whose output holds a value that is not finite, or an empty string. Slow: for
  /// errors. Needs keep_values(true) before the step.
  std::string first_non_finite_value() const { return records_.first_non_finite(space_); }
  /// As backward, and gives the name of the first op, going back from the loss, whose output's
  /// gradient is not finite, or an empty string. Slow: for errors.
  std::string first_non_finite_gradient(Scalar<S, R> const& loss) {
    Kokkos::deep_copy(space_, gradient(loss).matrix, R(1));
    return play(true);
  }

  /// The most bytes of a step so far.
  std::size_t high_water() const { return arena_.high_water(); }

 private:
  struct Entry {
    Matrix<R, S> gradient;
    bool written = false;
    bool owned = false;  ///< its memory is the tape's to take back
    int recipe = -1;     ///< how its value is made again
    void set(Matrix<R, S> const& to, bool own) {
      gradient = to;
      written = true;
      owned = own;
    }
  };
  void* workspace(std::size_t bytes) {
    return current_ >= 0 || infers() ? arena_.scratch(space_, bytes)
                                     : arena_.allocate(space_, bytes, borrows_);
  }

  /// @return the first op whose output's gradient is not finite, if one is looked for.
  std::string play(bool look = false) {
    Kokkos::Profiling::ScopedRegion const region("m2u::autodiff::backward");
    std::string found;
    auto const& records = records_.all();
    for (auto record = records.rbegin(); record != records.rend(); ++record) {
      current_ = record->output.entry;
      auto const next = std::next(record);
      last_use_ = next == records.rend() || next->output.entry != current_;
      if (record->repeats) {
        record->run(record->closure, *this, record->output.value);
        continue;
      }
      auto const& entry = entries_[static_cast<std::size_t>(current_)];
      if (!entry.written) {
        continue;
      }
      Matrix<R, S> const output_gradient = entry.gradient;  // entries_ may grow in the call
      if (look && found.empty() && !detail::all_finite(space_, output_gradient)) {
        found = record->name;
      }
      record->run(record->closure, *this, output_gradient);
      take_back();
    }
    current_ = -1;
    return found;
  }

  /// Memory that the current record is done with.
  void take_back() {
    arena_.release_since(0);
    auto& entry = entries_[static_cast<std::size_t>(current_)];
    if (last_use_ && entry.owned) {
      arena_.release(entry.gradient.data(), entry.gradient.size() * sizeof(R));
      entry.owned = false;
    }
  }

  int new_entry(Matrix<R, S> const& gradient) {
    entries_.push_back({gradient, gradient.data() != nullptr});
    return static_cast<int>(entries_.size()) - 1;
  }

  void clear() {
    records_.clear();
    entries_.clear();
    current_ = -1;
    borrows_ = false;
  }

  S space_;
  Parameters<S, R> parameters_;
  Mode mode_;
  Seed seed_;
  std::uint64_t step_ = 0;
  std::uint64_t streams_ = 0;
  ScratchArena<S> arena_;
  std::unique_ptr<InferenceCache<S, R>> cache_;
  TapeRecords<S, R> records_;
  std::vector<Entry> entries_;
  int current_ = -1;      // the entry whose record is going back
  bool last_use_ = true;  // no other record of it follows
  bool borrows_ = false;  // memory of dropped values
  bool keeps_ = false;    // drops nothing
};

}  // namespace m2u
