// SPDX-License-Identifier: Apache-2.0
/// @file
/// Batch normalisation (Ioffe and Szegedy 2015).
#pragma once

#include <algorithm>
#include <array>

#include "m2u/autodiff/tape.hpp"
#include "m2u/kernels/arithmetic.hpp"
#include "m2u/kernels/batch_norm.hpp"
#include "m2u/kernels/columns.hpp"

namespace m2u {

/// Options of batch_norm; the defaults are PyTorch's.
struct BatchNormOptions {
  float eps = 1e-5F;
  float momentum = 0.1F;  ///< how far the running statistics move towards those of a batch
};

/// One of the matrices that batch_norm normalises and adds up.
template <ExecutionSpace S, class R>
struct BatchNormTerm {
  Tensor<S, R> x;      ///< [rows, cols]
  Tensor<S, R> gamma;  ///< [1, cols]
  Tensor<S, R> beta;   ///< [1, cols]
  StateSlice running_mean;
  StateSlice running_variance;
};

namespace detail {

template <ExecutionSpace S, class R, std::size_t terms>
struct BatchNormCall {
  static constexpr int count = static_cast<int>(terms);
  std::array<BatchNormTerm<S, R>, terms> term;
  bool of_batch;  ///< whether the statistics are those of the rows
  std::array<Matrix<R, S>, terms> statistics = {};

  int rows() const { return term[0].x.rows(); }
  int cols() const { return term[0].x.cols(); }

  void check(Tape<S, R> const& tape) const {
    for (auto const& t : term) {
      Shape const row{1, cols()};
      expects(shape(t.x) == shape(term[0].x), "batch_norm: the inputs ", shape(term[0].x), " and ",
              shape(t.x), " differ; to be added up they must be equal");
      expects(shape(t.gamma) == row && shape(t.beta) == row, "batch_norm: gamma ", shape(t.gamma),
              " and beta ", shape(t.beta), " do not fit the input ", shape(t.x), "; both must be ",
              row);
      auto const mean = tape.state(t.running_mean);
      auto const variance = tape.state(t.running_variance);
      expects(shape(mean) == row && shape(variance) == row, "batch_norm: the running mean ",
              shape(mean), " and variance ", shape(variance), " do not fit the input ", shape(t.x),
              "; both must be ", row);
    }
  }

  bool differentiable() const {
    return std::any_of(term.begin(), term.end(), [](auto const& t) {
      return t.x.differentiable() || t.gamma.differentiable() || t.beta.differentiable();
    });
  }

  kernels::NormTerms<R, count> pointers() const {
    kernels::NormTerms<R, count> result;
    for (std::size_t t = 0; t < terms; ++t) {
      result[t] = {term[t].x.value.data(), term[t].gamma.value.data(), term[t].beta.value.data(),
                   statistics[t].data()};
    }
    return result;
  }

  void find_statistics(Tape<S, R>& tape, BatchNormOptions const& options) {
    for (std::size_t t = 0; t < terms; ++t) {
      statistics[t] = of_batch ? batch_statistics(tape, term[t], options)
                               : running_statistics(tape, term[t], options);
    }
  }

  void backward(Tape<S, R>& tape, Matrix<R, S> const& dy) const {
    int const blocks = row_blocks(rows());
    Kokkos::Array<R*, terms> scaled;
    Kokkos::Array<kernels::NormGradient<R>, terms> gradients;
    std::array<Matrix<R, S>, terms> partial;
    for (std::size_t t = 0; t < terms; ++t) {
      partial[t] = tape.matrix(blocks, cols());
      scaled[t] = partial[t].data();
    }
    auto const plain = tape.matrix(blocks, cols());
    kernels::batch_norm_parameter_blocks<count>(tape.space(), pointers(), dy, scaled, plain);
    auto const plain_sum = tape.matrix(1, cols());
    kernels::combine_blocks(tape.space(), plain, plain_sum, false);
    for (std::size_t t = 0; t < terms; ++t) {
      auto const sum = tape.matrix(1, cols());
      kernels::combine_blocks(tape.space(), partial[t], sum, false);
      add_to(tape, term[t].gamma, sum);
      add_to(tape, term[t].beta, plain_sum);
      if (term[t].x.differentiable()) {
        auto const [dx, accumulate] = tape.gradient(term[t].x);
        gradients[t] = {dx.data(), sum.data(), accumulate};
      }
    }
    R const share = of_batch ? R(1) / static_cast<R>(rows()) : R(0);
    kernels::batch_norm_backward<count>(tape.space(), pointers(), gradients, dy, plain_sum, share);
  }

 private:
  static Matrix<R, S> batch_statistics(Tape<S, R>& tape, BatchNormTerm<S, R> const& t,
                                       BatchNormOptions const& options) {
    auto const& x = t.x.value;
    auto const means = tape.matrix(row_blocks(t.x.rows()), t.x.cols());
    auto const squares = tape.matrix(row_blocks(t.x.rows()), t.x.cols());
    auto const result = tape.matrix(2, t.x.cols());
    kernels::batch_moment_blocks(tape.space(), x, means, squares);
    kernels::batch_moments(tape.space(), means, squares, t.x.rows(), static_cast<R>(options.eps),
                           static_cast<R>(options.momentum), result, tape.state(t.running_mean),
                           tape.state(t.running_variance));
    return result;
  }

  /// A copy: the running statistics may have moved on before the backward pass.
  static Matrix<R, S> running_statistics(Tape<S, R>& tape, BatchNormTerm<S, R> const& t,
                                         BatchNormOptions const& options) {
    auto const mean = tape.state(t.running_mean);
    auto const eps = static_cast<R>(options.eps);
    auto const variance = tape.state(t.running_variance);
    auto const fill = [&](Matrix<R, S> const& to) {
      kernels::running_moments(tape.space(), mean, variance, eps, to);
    };
    if (auto* const cache = tape.inference_cache()) {
      return cache->find(tape.space(), mean.data(), variance.data(), eps, {2, t.x.cols()}, fill);
    }
    auto const result = tape.matrix(2, t.x.cols());
    fill(result);
    return result;
  }

  static void add_to(Tape<S, R>& tape, Tensor<S, R> const& parameter, Matrix<R, S> const& sum) {
    if (parameter.differentiable()) {
      auto const [gradient, accumulate] = tape.gradient(parameter);
      kernels::scale(tape.space(), sum, R(1), gradient, accumulate);
    }
  }
};

}  // namespace detail

/// Each column normalised to mean 0 and variance 1, then scaled and shifted, and the terms added
/// up: y = Σ (x - mean) / √(variance + eps) · gamma + beta.
///
/// In training the statistics are those of the rows (biased variance), and the running statistics
/// move towards them (unbiased variance), as in PyTorch. In evaluation the running statistics are
/// used. They are also used, and left alone, in training with fewer than two rows, where PyTorch
/// raises: a batch with one molecule must not stop a run.
/// @return [rows, cols]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R, std::size_t terms>
Tensor<S, R> batch_norm(Tape<S, R>& tape, std::array<BatchNormTerm<S, R>, terms> const& term,
                        BatchNormOptions const& options = {}) {
  static_assert(terms > 0);
  detail::BatchNormCall<S, R, terms> call{term, tape.training() && term[0].x.rows() >= 2};
  call.check(tape);
  auto const y = tape.result(call.rows(), call.cols(), call.differentiable());
  call.find_statistics(tape, options);
  kernels::batch_norm<call.count>(tape.space(), call.pointers(), y.value);
  tape.record("batch_norm", y,
              [=](Tape<S, R>& back, Matrix<R, S> const& dy) { call.backward(back, dy); });
  return y;
}

/// The same of one matrix.
/// @param x [rows, cols]  @param gamma [1, cols]  @param beta [1, cols]
/// @param running_mean, running_variance state of [1, cols]
template <ExecutionSpace S, class R>
Tensor<S, R> batch_norm(Tape<S, R>& tape, Tensor<S, R> const& x, Tensor<S, R> const& gamma,
                        Tensor<S, R> const& beta, StateSlice const& running_mean,
                        StateSlice const& running_variance, BatchNormOptions const& options = {}) {
  return batch_norm(tape,
                    std::array{BatchNormTerm<S, R>{x, gamma, beta, running_mean, running_variance}},
                    options);
}

}  // namespace m2u
