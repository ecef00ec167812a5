// SPDX-License-Identifier: Apache-2.0
/// @file
/// Bilinear attention between the rows of pairs of groups, for example atoms of a molecule and
/// residues of a protein.
#pragma once

#include <cstdint>
#include <vector>

#include "m2u/autodiff/tape.hpp"
#include "m2u/core/ragged.hpp"
#include "m2u/kernels/bilinear_attention.hpp"
#include "m2u/ops/column_sum.hpp"

namespace m2u {

/// Groups on the left and as many on the right: pair p is group p of both.
template <ExecutionSpace S>
struct GroupPairs {
  Ragged<S> left;
  Ragged<S> right;
  Vector<std::int64_t, S> cells;  ///< [pairs] where a pair's attention map begins
  Vector<int, S> slots;           ///< [pairs] its left rows, padded, in workspaces
  std::int64_t total_cells = 0;
  int total_slots = 0;
};

/// @throws Error if the numbers of groups differ.
inline GroupPairs<Host> make_group_pairs(std::span<int const> left, std::span<int const> right) {
  expects(left.size() == right.size(), "make_group_pairs: ", left.size(),
          " groups on the left, but ", right.size(), " on the right");
  GroupPairs<Host> pairs{make_ragged(left), make_ragged(right), {}, {}, 0, 0};
  std::vector<std::int64_t> cells;
  std::vector<int> slots;
  for (std::size_t p = 0; p < left.size(); ++p) {
    cells.push_back(pairs.total_cells);
    slots.push_back(pairs.total_slots);
    int const padded = kernels::padded_left(left[p]);
    pairs.total_cells += static_cast<std::int64_t>(padded) * right[p];
    pairs.total_slots += padded;
  }
  expects(
      pairs.total_cells <= std::numeric_limits<int>::max(),
      "make_group_pairs: the attention maps have more than 2^31 - 1 cells; use smaller batches");
  pairs.cells = host_vector("m2u::ops::pair_cells", cells);
  pairs.slots = host_vector("m2u::ops::pair_slots", slots);
  return pairs;
}

template <ExecutionSpace S>
GroupPairs<S> to_space(CopyTo<S> const& to, GroupPairs<Host> const& pairs) {
  return {to_space(to, pairs.left),  to_space(to, pairs.right), to_space(to, pairs.cells),
          to_space(to, pairs.slots), pairs.total_cells,         pairs.total_slots};
}

/// For each pair, y(k) = Σ_ij A_ij v(i, k) q(j, k) with A_ij = Σ_k weight(k) v(i, k) q(j, k) + bias
/// (Kim et al., Bilinear Attention Networks, NeurIPS 2018, without a softmax, as DrugBAN has it).
/// Several attention maps whose results are summed are one with the sums of their weights and
/// biases.
/// @param v [left rows, width]  @param q [right rows, width]  @param weight [1, width]
/// @param bias [1, 1]  @return [pairs, width]  @throws Error if the shapes do not fit.
template <ExecutionSpace S, class R>
Tensor<S, R> bilinear_attention(Tape<S, R>& tape, Tensor<S, R> const& v, Tensor<S, R> const& q,
                                GroupPairs<S> const& pairs, Tensor<S, R> const& weight,
                                Tensor<S, R> const& bias) {
  int const width = v.cols();
  expects(v.rows() == pairs.left.total && q.rows() == pairs.right.total && q.cols() == width,
          "bilinear_attention: inputs ", shape(v), " and ", shape(q), " do not fit groups of ",
          pairs.left.total, " and ", pairs.right.total, " rows of the same width");
  expects(shape(weight) == Shape{1, width} && shape(bias) == Shape{1, 1},
          "bilinear_attention: weight ", shape(weight), " and bias ", shape(bias),
          " do not fit the inputs; they must be ", Shape{1, width}, " and [1, 1]");
  int const count = pairs.left.groups;
  auto const cells = static_cast<int>(pairs.total_cells);
  auto const y = tape.result(count, width, v, q, weight, bias);
  auto const maps = tape.vector(cells);
  auto const u = tape.matrix(v.rows(), width);
  auto const turned = tape.matrix(pairs.total_slots, width);
  kernels::bilinear_attention(tape.space(), v.value, q.value, pairs.left, pairs.right, pairs.cells,
                              pairs.slots, weight.value, bias.value, turned, maps, u, y.value);
  tape.record("bilinear_attention", y, [=](Tape<S, R>& back, Matrix<R, S> const& dy) {
    kernels::BilinearGradients<S, R> to;
    to.dweight = back.matrix(count, width);
    to.dbias = back.matrix(count, 1);
    if (v.differentiable()) {
      auto const gradient = back.gradient(v);
      to.dv = gradient.matrix;
      to.accumulate_v = gradient.accumulate;
    }
    if (q.differentiable()) {
      auto const gradient = back.gradient(q);
      to.dq = gradient.matrix;
      to.accumulate_q = gradient.accumulate;
    }
    kernels::bilinear_attention_backward(
        back.space(), v.value, q.value, pairs.left, pairs.right, pairs.cells, pairs.slots,
        weight.value, maps, u, dy, back.matrix(pairs.total_slots, width), back.vector(cells),
        back.matrix(v.rows(), width), back.matrix(v.rows(), width), to);
    auto const add_up = [&back](Tensor<S, R> const& input, Matrix<R, S> const& parts) {
      if (input.differentiable()) {
        auto const gradient = back.gradient(input);
        ops::column_sum(back, parts, gradient.matrix, gradient.accumulate);
      }
    };
    add_up(weight, to.dweight);
    add_up(bias, to.dbias);
  });
  return y;
}

}  // namespace m2u
