// SPDX-License-Identifier: Apache-2.0
/// @file
/// The parts of a MultiToUni model: hub, matches, generators, joint objectives, tasks, a shared
/// norm. Names live here, in the outer layer; kernels never see them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/objectives/modality_classifier.hpp"
#include "m2u/transfer/hub_passes.hpp"
#include "m2u/transfer/multi_batch.hpp"

namespace m2u {

/// A name as a template argument: match<"text">(…). Up to 31 characters, kept in numbers: nvcc 13
/// takes no template arguments that hold an array.
struct Name {
  static constexpr std::size_t most = 31;
  std::uint64_t size = 0;
  std::uint64_t words_0 = 0;
  std::uint64_t words_1 = 0;
  std::uint64_t words_2 = 0;
  std::uint64_t words_3 = 0;

  template <std::size_t N>
  consteval Name(char const (&literal)[N]) : size(N - 1) {  // NOLINT: implicit
    static_assert(N - 1 <= most, "m2u: a name has at most 31 characters");
    std::uint64_t* const words[] = {&words_0, &words_1, &words_2, &words_3};
    for (std::size_t i = 0; i != size; ++i) {
      *words[i / 8] |= std::uint64_t{static_cast<unsigned char>(literal[i])} << (i % 8 * 8);
    }
  }
  /// As nvcc writes a name into what it hands to the host's compiler.
  constexpr Name(std::uint64_t length, std::uint64_t first, std::uint64_t second,
                 std::uint64_t third, std::uint64_t fourth)
      : size(length), words_0(first), words_1(second), words_2(third), words_3(fourth) {}

  constexpr std::array<char, most> characters() const {
    std::array<char, most> text{};
    std::uint64_t const words[] = {words_0, words_1, words_2, words_3};
    for (std::size_t i = 0; i < size; ++i) {
      text[i] = static_cast<char>(words[i / 8] >> (i % 8 * 8) & 0xFFU);
    }
    return text;
  }
};

namespace detail {
template <Name name>
inline constexpr auto name_characters = name.characters();

/// The name as text that stays.
template <Name name>
constexpr std::string_view name_text() {
  return {name_characters<name>.data(), name.size};
}

template <class F, class S>
using BatchOf = typename F::template Batch<S>;
}  // namespace detail

/// An encoder: names its batch type as `template <ExecutionSpace S> using Batch = …;` and turns one
/// into a row per sample.
template <class E, class S = Kokkos::DefaultExecutionSpace>
concept Encoder = requires {
  typename E::template Batch<S>;
} && requires(E const& encoder, Tape<S>& tape, typename E::template Batch<S> const& batch) {
  { encoder(tape, batch) } -> std::same_as<Tensor<S>>;
};

/// An adapter: hub rows to rows in the modality's space.
template <class A, class S = Kokkos::DefaultExecutionSpace>
concept Adapter = requires(A const& adapter, Tape<S>& tape, Tensor<S> const& rows) {
  { adapter(tape, rows) } -> std::same_as<Tensor<S>>;
};

/// An objective: two tensors whose rows belong together to one differentiable number.
template <class O, class S = Kokkos::DefaultExecutionSpace>
concept Objective =
    requires(O const& objective, Tape<S>& tape, Tensor<S> const& from, Tensor<S> const& to) {
      { objective(tape, from, to) } -> std::same_as<Scalar<S>>;
    };

/// A joint objective: a function of all generated vectors, with a weight.
template <class J, class S = Kokkos::DefaultExecutionSpace>
concept JointObjective =
    requires(J const& joint, Tape<S>& tape, std::span<Generated<S> const> generated) {
      { joint(tape, generated) } -> std::same_as<Scalar<S>>;
      { joint.weight() } -> std::convertible_to<double>;
    };

/// What predicts labels from the samples' representation, and compares them.
template <class H, class S = Kokkos::DefaultExecutionSpace>
concept TaskHead = requires { typename H::template Batch<S>; } &&
                   requires(H const& head, Tape<S>& tape, Tensor<S> const& rows,
                            typename H::template Batch<S> const& labels) {
                     { head(tape, rows, labels) } -> std::same_as<Tensor<S>>;
                     { head.loss(tape, rows, labels) } -> std::same_as<Scalar<S>>;
                   };

/// The encoder that every sample goes through.
template <Name name, class E>
struct Hub {
  E encoder;
  static constexpr std::string_view modality() { return detail::name_text<name>(); }
};

/// A modality: its own encoder, the adapter from the hub, and the objective between the two.
template <Name name, class E, class A, class O>
struct Match {
  E encoder;
  A adapter;
  O objective;
  double weight = 1.0;
  static constexpr std::string_view modality() { return detail::name_text<name>(); }
};

/// A modality that is generated from the hub, but has no encoder of its own: nothing to learn it
/// from.
template <Name name, class A>
struct Generator {
  A adapter;
  static constexpr std::string_view modality() { return detail::name_text<name>(); }
};

/// What makes one vector of the hub's and all generated ones, for tasks that come after.
template <class F>
struct Fused {
  F fusion;
};

/// Something to predict: labels that the batch's modality of this name holds.
template <Name name, class H>
struct Task {
  H head;
  double weight = 1.0;
  static constexpr std::string_view modality() { return detail::name_text<name>(); }
};

/// An objective of all generated vectors.
template <class J>
struct Joint {
  J objective;
};

/// One normalisation for generated and real vectors of all modalities.
template <class N>
struct SharedNorm {
  N norm;
};

template <Name name = "2d", class E>
Hub<name, E> hub(E encoder) {
  static_assert(
      Encoder<E>,
      "m2u::hub: the encoder needs `template <ExecutionSpace S> using Batch = …;` and a const call "
      "operator (Tape<S, R>&, Batch<S> const&) -> Tensor<S, R>");
  return {std::move(encoder)};
}

template <Name name, class E, class A, class O>
Match<name, E, A, O> match(E encoder, A adapter, O objective, double weight = 1.0) {
  static_assert(Encoder<E>, "m2u::match: the encoder needs `template <ExecutionSpace S> using "
                            "Batch = …;` and a const call "
                            "operator (Tape<S, R>&, Batch<S> const&) -> Tensor<S, R>");
  static_assert(
      Adapter<A>,
      "m2u::match: the adapter needs a const call operator (Tape<S, R>&, Tensor<S, R> const& "
      "hub_rows) -> Tensor<S, R>");
  static_assert(Objective<O>, "m2u::match: the objective needs a const call operator (Tape<S, R>&, "
                              "Tensor<S, R> const& from, "
                              "Tensor<S, R> const& to) -> Scalar<S, R>");
  return {std::move(encoder), std::move(adapter), std::move(objective), weight};
}

/// A part of a model that generates a modality without an encoder for it, for example one that was
/// trained elsewhere.
template <Name name, class A>
Generator<name, A> generator(A adapter) {
  static_assert(
      Adapter<A>,
      "m2u::generator: the adapter needs a const call operator (Tape<S, R>&, Tensor<S, R> const& "
      "hub_rows) -> Tensor<S, R>");
  return {std::move(adapter)};
}

/// What makes one vector of the hub's and all generated ones: MultiToUni::fuse.
template <class F>
Fused<F> fused(F fusion) {
  static_assert(
      requires(F const& f, Tape<Kokkos::DefaultExecutionSpace>& tape,
               Tensor<Kokkos::DefaultExecutionSpace> const& rows,
               std::vector<Tensor<Kokkos::DefaultExecutionSpace>> const& generated) {
        { f(tape, rows, generated) } -> std::same_as<Tensor<Kokkos::DefaultExecutionSpace>>;
      },
      "m2u::fused: needs a const call operator (Tape<S, R>&, Tensor<S, R> const& hub_rows, "
      "std::span<Tensor<S, R> const> generated) -> Tensor<S, R>, for example m2u::Fusion");
  return {std::move(fusion)};
}

/// A task that learns from labels: fine-tuning, alone or beside matches.
template <Name name, class H>
Task<name, H> task(H head, double weight = 1.0) {
  static_assert(TaskHead<H>,
                "m2u::task: the head needs `template <ExecutionSpace S> using Batch = …;`, a const "
                "call operator (Tape<S, R>&, Tensor<S, R> const& rows, Batch<S> const&) -> "
                "Tensor<S, R>, and loss(Tape<S, R>&, Tensor<S, R> const& predictions, Batch<S> "
                "const&) -> Scalar<S, R>, for example m2u::LabelHead");
  return {std::move(head), weight};
}

template <class J>
Joint<J> joint(J objective) {
  static_assert(JointObjective<J>,
                "m2u::joint: the objective needs weight() and a const call operator (Tape<S, R>&, "
                "std::span<Generated<S, R> const>) -> Scalar<S, R>");
  return {std::move(objective)};
}

template <class N>
SharedNorm<N> shared_norm(N norm) {
  static_assert(Adapter<N>,
                "m2u::shared_norm: needs a call operator (Tape<S, R>&, Tensor<S, R> const&) -> "
                "Tensor<S, R>, for example m2u::LayerNorm");
  return {std::move(norm)};
}

}  // namespace m2u
