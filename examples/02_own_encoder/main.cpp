// SPDX-License-Identifier: Apache-2.0
// An encoder and an objective of your own. Both are plain structs with a call operator, written
// from the library's layers and ops; gradients, devices and checkpoints come with those.
#include <cmath>
#include <cstdio>

#include "m2u/m2u.hpp"

using Space = Kokkos::DefaultExecutionSpace;

namespace {

/// Two layers with a way around them: y = LayerNorm(x W + MLP(x)).
class Residual {
 public:
  template <m2u::ExecutionSpace S>
  using Batch = m2u::DenseBatch<S>;  // what a data set has to hold for it; may be a type of yours

  Residual(m2u::Scope const& scope, int in, int out)
      : direct_(scope.scope("direct"), in, out),
        mlp_(scope.scope("mlp"), in, 2 * out, out),
        norm_(scope.scope("norm"), out) {}

  template <m2u::ExecutionSpace S, class R>
  m2u::Tensor<S, R> operator()(m2u::Tape<S, R>& tape, m2u::DenseBatch<S> const& batch) const {
    auto const x = m2u::constant_of(tape, batch.values);
    return norm_(tape, m2u::add(tape, direct_(tape, x), mlp_(tape, x)));
  }

 private:
  m2u::Linear direct_;
  m2u::Mlp mlp_;
  m2u::LayerNorm norm_;
};

/// The triplet loss on cosines: a row should be nearer to its partner than to the next row's, by
/// `margin`. Mean over the rows of max(0, margin + from_i · to_{i+1} - from_i · to_i).
struct Triplet {
  float margin = 0.5F;

  template <m2u::ExecutionSpace S, class R>
  m2u::Scalar<S, R> operator()(m2u::Tape<S, R>& tape, m2u::Tensor<S, R> const& from,
                               m2u::Tensor<S, R> const& to) const {
    auto const a = m2u::l2_normalise_rows(tape, from);
    auto const b = m2u::l2_normalise_rows(tape, to);
    std::vector<int> next(static_cast<std::size_t>(b.rows()));
    for (std::size_t i = 0; i < next.size(); ++i) {
      next[i] = static_cast<int>((i + 1) % next.size());
    }
    auto const picks = m2u::to_space(tape.space(), m2u::make_row_index(next, b.rows()));
    auto const difference =
        m2u::add(tape, m2u::gather_rows(tape, b, picks), m2u::scale(tape, b, R(-1)));
    // The sum over the columns and the margin are a linear map with fixed weights.
    auto const hinge =
        m2u::linear(tape, m2u::multiply(tape, a, difference), filled(tape, a.cols(), R(1)),
                    filled(tape, 1, R(margin)), m2u::Activation::relu);
    auto const all = m2u::to_space(tape.space(), m2u::make_ragged(std::vector<int>{b.rows()}));
    return m2u::segment_mean(tape, hinge, all);
  }

 private:
  template <m2u::ExecutionSpace S, class R>
  static m2u::Tensor<S, R> filled(m2u::Tape<S, R>& tape, int cols, R value) {
    auto const matrix = tape.matrix(1, cols);
    Kokkos::deep_copy(tape.space(), matrix, value);
    return tape.constant(matrix);
  }
};

/// Made-up events with a hidden state of 4 numbers: each is heard (24 numbers), most are seen (16).
m2u::TableDataset make_events(int count) {
  m2u::DenseModality const sound{"sound", 24};
  m2u::DenseModality const image{"image", 16};
  std::vector<m2u::ModalitySpec> const both{sound, image};
  m2u::TableBuilder builder;
  add_columns(builder, sound);
  add_columns(builder, image);
  for (int event = 0; event < count; ++event) {
    m2u::RandomStream const random{7, static_cast<std::uint64_t>(event)};
    auto const sense = [&](int width, float pitch) {
      std::vector<float> values;
      for (int j = 0; j < width; ++j) {
        float const state = random.uniform(static_cast<std::uint64_t>(j % 4));
        values.push_back(std::sin(pitch * static_cast<float>(j + 1) * state));
      }
      return values;
    };
    append(builder, sound, sense(24, 0.3F));
    if (event % 5 != 0) {
      append(builder, image, sense(16, 0.5F));
    }
    builder.end_row();
  }
  return m2u::TableDataset{builder.finish(m2u::with_modalities(both))};
}

}  // namespace

int main(int argc, char** argv) {
  Kokkos::ScopeGuard const kokkos(argc, argv);
  auto const events = make_events(512);

  m2u::ParameterLayout layout;
  m2u::MultiToUni const model{
      m2u::hub<"sound">(Residual{layout.scope("sound"), 24, 32}),
      m2u::match<"image">(Residual{layout.scope("image"), 16, 32},
                          m2u::LinearAdapter{layout.scope("to_image"), 32, 32}, Triplet{})};

  m2u::Parameters<Space> const theta{Space{}, layout, m2u::Seed{1}};
  m2u::Adam<Space> adam{theta, {.learning_rate = 3e-3}};
  m2u::Trainer trainer{model, theta, adam};
  auto const fit = trainer.fit(
      m2u::SequentialBatches<Space, m2u::TableDataset>(events, {.size = 64}), {.epochs = 20});

  double const first = fit.history.front().loss;
  double const last = fit.history.back().loss;
  std::printf("triplet loss: %.4f in the first epoch, %.4f in the last\n", first, last);
  return last < 0.3 * first ? 0 : 1;
}
