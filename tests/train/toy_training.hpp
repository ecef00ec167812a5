// SPDX-License-Identifier: Apache-2.0
// A small training problem: batch norm, dropout, a term that is often skipped, and samples made up
// from their number.
#pragma once

#include <limits>
#include <vector>

#include "m2u/nn/linear.hpp"
#include "m2u/nn/norms.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/cosine_loss.hpp"
#include "m2u/ops/dropout.hpp"
#include "m2u/train/batch_source.hpp"
#include "m2u/transfer/losses.hpp"

namespace m2u::test {

/// 4 numbers per sample, and a direction in 3 dimensions that depends on them. Every fifth sample
/// has a second direction.
struct ToyVectors {
  int samples = 48;
  int broken = -1;  ///< a sample whose input is infinite

  int size() const { return samples; }

  template <ExecutionSpace S>
  HostBatch<S> collate(std::span<int const> ids) const {
    std::vector<float> x;
    std::vector<float> y;
    std::vector<float> z;
    std::vector<int> all;
    std::vector<int> some;
    for (int const id : ids) {
      RandomStream const random{7, static_cast<std::uint64_t>(id)};
      for (std::uint64_t k = 0; k < 4; ++k) {
        x.push_back(id == broken ? std::numeric_limits<float>::infinity()
                                 : random.uniform(k) - 0.5F);
      }
      for (std::uint64_t k = 0; k < 3; ++k) {
        float const target = random.uniform(k) - random.uniform(k + 1);
        y.push_back(target);
        if (id % 5 == 0) {
          z.push_back(-target);
        }
      }
      auto const row = static_cast<int>(all.size());
      all.push_back(row);
      if (id % 5 == 0) {
        some.push_back(row);
      }
    }
    HostBatch<S> batch({ids.begin(), ids.end()});
    auto const matrix = [](std::vector<float> const& values, int cols) {
      return DenseBatch<Host>{
          host_matrix("toy", static_cast<int>(values.size()) / cols, cols, values)};
    };
    batch.add("x", all, matrix(x, 4));
    batch.add("y", all, matrix(y, 3));
    batch.add("z", some, matrix(z, 3));
    return batch;
  }
};

class ToyNetwork {
 public:
  explicit ToyNetwork(ParameterLayout& layout)
      : first_(layout.scope("first"), 4, 8),
        norm_(layout.scope("norm"), 8),
        second_(layout.scope("head.second"), 8, 3) {}

  template <ExecutionSpace S>
  Losses<S> losses(Tape<S>& tape, MultiBatch<S> const& batch) const {
    auto const constant = [&](char const* name) {
      return tape.constant(batch.template get<DenseBatch<S>>(name).values);
    };
    auto const hidden = dropout(tape, norm_(tape, first_(tape, constant("x"))), 0.2F);
    auto const out = second_(tape, hidden);
    Losses<S> result;
    LossTerm<S> fit{"fit", cosine_loss(tape, out, constant("y")), 1.0, batch.size(), false};
    result.total = fit.value;
    auto const some = batch.find("z")->rows.picked();
    LossTerm<S> extra{"extra", {}, 1.0, some, true};
    if (some == batch.size()) {  // so that no gather is needed: mostly it is skipped
      extra.value = cosine_loss(tape, out, constant("z"));
      extra.skipped = false;
      result.total = add(tape, result.total, extra.value);
    }
    result.terms = {fit, extra};
    return result;
  }

 private:
  Linear first_;
  BatchNorm norm_;
  Linear second_;
};

/// A network with its parameters; `S` decides where.
template <ExecutionSpace S>
struct ToyProblem {
  ParameterLayout layout;
  ToyNetwork network{layout};
  Parameters<S> theta{S{}, layout, Seed{3}};
  SequentialBatches<S, ToyVectors> batches{ToyVectors{}, {.size = 7, .seed = 5}};
};

}  // namespace m2u::test
