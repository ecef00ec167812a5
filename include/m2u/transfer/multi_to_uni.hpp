// SPDX-License-Identifier: Apache-2.0
/// @file
/// The composition: one hub encoder taught by any number of modalities.
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <Kokkos_Profiling_ScopedRegion.hpp>

#include "m2u/ops/add.hpp"
#include "m2u/ops/gather_rows.hpp"
#include "m2u/ops/scale.hpp"
#include "m2u/transfer/losses.hpp"
#include "m2u/transfer/parts.hpp"

namespace m2u {

namespace detail {
template <class Part>
inline constexpr bool is_match = requires(Part const& part) {
  part.encoder;
  part.adapter;
  part.objective;
};
template <class Part>
inline constexpr bool is_task = requires(Part const& part) { part.head; };
}  // namespace detail

/// A hub and what teaches it: `MultiToUni{hub(…), match<"3d">(…), match<"text">(…), joint(…)}`.
/// Holds slices and options only; the numbers are in Parameters.
template <class HubPart, class... Parts>
class MultiToUni {
 public:
  explicit MultiToUni(HubPart hub, Parts... parts)
      : hub_(std::move(hub)), parts_(std::move(parts)...) {}

  /// The loss of a batch. The hub is encoded once and each match gathers the rows that have its
  /// modality, or the hub is encoded for each match (HubPasses::each, which needs the batch's
  /// modalities "hub/match": see TableDatasetOptions). A match with fewer than two rows is skipped,
  /// and said so; so is a task whose labels the batch lacks. Generators take no part.
  /// @throws Error if a sample lacks the hub's modality or the batch lacks one that is needed.
  template <ExecutionSpace S, class R>
  Losses<S, R> losses(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    static_assert(learns(), "MultiToUni::losses: the model has no match<\"…\">(…) and no "
                            "task<\"…\">(…) part, so there is "
                            "nothing to learn from; a model of generators can only generate");
    Kokkos::Profiling::ScopedRegion const region("m2u::transfer::losses");
    auto const pooled =
        hub_passes() == HubPasses::once || predicts() ? hub(tape, batch) : Tensor<S, R>{};
    Losses<S, R> result;
    std::vector<Generated<S, R>> generated;
    for_each_match([&]<class M>(int number, M const& match) {
      if constexpr (detail::is_match<M>) {
        result.terms.push_back(match_term(tape, batch, pooled, number, match, generated));
      }
    });
    for_each_joint([&](auto const& joint) {
      LossTerm<S, R> term{"joint", {}, joint.objective.weight(), 0, generated.empty()};
      if (!term.skipped) {
        for (auto const& part : generated) {
          term.rows += part.rows.rows();
        }
        term.value = joint.objective(tape, std::span<Generated<S, R> const>(generated));
      }
      result.terms.push_back(term);
    });
    Tensor<S, R> represented;  // once for all tasks
    for_each_task([&]<class T>(T const& task) {
      bool const there = batch.find(T::modality()) != nullptr;
      if (there && represented.value.data() == nullptr) {
        represented = represent(tape, pooled);
      }
      result.terms.push_back(task_term(tape, batch, represented, task));
    });
    result.total = total(tape, result.terms);
    return result;
  }

  /// The representation: [samples, width of the hub].
  template <ExecutionSpace S, class R>
  Tensor<S, R> hub(Tape<S, R>& tape, MultiBatch<S> const& batch) const {
    using Batch = HubBatch<S>;
    auto const* const modality = batch.find(HubPart::modality());
    int const present = modality == nullptr ? 0 : modality->rows.picked();
    expects(present == batch.size(), "MultiToUni: every sample needs the hub's modality \"",
            HubPart::modality(), "\", but ", batch.size() - present, " of ", batch.size(),
            " lack it");
    return encode_hub(tape, batch.template get<Batch>(HubPart::modality()));
  }

  /// What the hub's encoder takes, for example GraphBatch.
  template <ExecutionSpace S>
  using HubBatch = typename decltype(HubPart::encoder)::template Batch<S>;

  /// The representation of samples that come without a MultiBatch.
  template <ExecutionSpace S, class R>
  Tensor<S, R> encode_hub(Tape<S, R>& tape, HubBatch<S> const& batch) const {
    return hub_.encoder(tape, batch);
  }

  /// The hub's encoder, to look inside.
  auto const& hub_encoder() const { return hub_.encoder; }

  /// Vectors of a match's or generator's modality generated from hub rows: [rows, width of the
  /// modality].
  template <ExecutionSpace S, class R, class M>
  Tensor<S, R> generate(Tape<S, R>& tape, M const& match, Tensor<S, R> const& hub_rows) const {
    return normalised(tape, match.adapter(tape, hub_rows));
  }

  /// Vectors of a match's modality from its own encoder, for the samples that have it.
  template <ExecutionSpace S, class R, class M>
  Tensor<S, R> encode(Tape<S, R>& tape, M const& match, MultiBatch<S> const& batch) const {
    using Batch = typename decltype(match.encoder)::template Batch<S>;
    return normalised(tape, match.encoder(tape, batch.template get<Batch>(M::modality())));
  }

  /// Calls f(number, part) for each match and each generator, in order; only matches have an
  /// `encoder`.
  template <class F>
  void for_each_match(F const& f) const {
    int number = 0;
    for_each_part([&](auto const& part) {
      if constexpr (requires { part.adapter; }) {
        f(number++, part);
      }
    });
  }

  /// The names of the matches and generators, in order.
  std::vector<std::string> modalities() const {
    std::vector<std::string> names;
    for_each_match([&](int, auto const& match) { names.emplace_back(match.modality()); });
    return names;
  }
  static constexpr std::string_view hub_modality() { return HubPart::modality(); }
  /// Whether there is something to learn from: a match or a task.
  static constexpr bool learns() { return predicts() || (detail::is_match<Parts> || ...); }
  /// Whether there is a task(…) part.
  static constexpr bool predicts() { return (detail::is_task<Parts> || ...); }
  /// Whether there is a fused(…) part.
  static constexpr bool fuses() {
    return (requires(Parts const& part) { part.fusion; } || ...);
  }

  /// The hub's rows fused with the vectors that every match and generator makes of them; the hub's
  /// rows go through the shared norm first, as the generated ones do.
  template <ExecutionSpace S, class R>
    requires(fuses())
  Tensor<S, R> fuse(Tape<S, R>& tape, Tensor<S, R> const& hub_rows) const {
    std::vector<Tensor<S, R>> generated;
    for_each_match([&](int /*number*/, auto const& match) {
      generated.push_back(generate(tape, match, hub_rows));
    });
    auto const query = normalised(tape, hub_rows);
    Tensor<S, R> result;
    for_each_part([&](auto const& part) {
      if constexpr (requires { part.fusion; }) {
        result = part.fusion(tape, query, generated);
      }
    });
    return result;
  }

  /// What tasks predict from: the fused rows, or the hub's where there is no fused(…) part.
  template <ExecutionSpace S, class R>
  Tensor<S, R> represent(Tape<S, R>& tape, Tensor<S, R> const& hub_rows) const {
    if constexpr (fuses()) {
      return fuse(tape, hub_rows);
    } else {
      return hub_rows;
    }
  }

  /// Calls f(part) for each task.
  template <class F>
  void for_each_task(F const& f) const {
    for_each_part([&]<class P>(P const& part) {
      if constexpr (detail::is_task<P>) {
        f(part);
      }
    });
  }

  HubPasses hub_passes() const {
    auto result = HubPasses::once;
    for_each_part([&](auto const& part) {
      if constexpr (requires { part.hub_passes; }) {
        result = part.hub_passes;
      }
    });
    return result;
  }

 private:
  template <class F>
  void for_each_part(F const& f) const {
    std::apply([&](auto const&... part) { (f(part), ...); }, parts_);
  }

  template <class F>
  void for_each_joint(F const& f) const {
    for_each_part([&](auto const& part) {
      if constexpr (requires { part.objective.weight(); } && !requires { part.adapter; }) {
        f(part);
      }
    });
  }

  template <ExecutionSpace S, class R>
  Tensor<S, R> normalised(Tape<S, R>& tape, Tensor<S, R> x) const {
    for_each_part([&](auto const& part) {
      if constexpr (requires { part.norm; }) {
        x = part.norm(tape, x);
      }
    });
    return x;
  }

  /// The hub on the samples that have a match's modality alone.
  template <ExecutionSpace S, class R>
  Tensor<S, R> encode_hub_part(Tape<S, R>& tape, MultiBatch<S> const& batch,
                               std::string_view modality, int present) const {
    using Batch = typename decltype(hub_.encoder)::template Batch<S>;
    auto const name = hub_part_name(HubPart::modality(), modality);
    auto const* const part = batch.find(name);
    expects(part != nullptr, "MultiToUni: HubPasses::each needs the batch's modality \"", name,
            "\"; TableDatasetOptions::hub_parts = \"", HubPart::modality(),
            "\" makes the data set add it");
    auto const rows = hub_.encoder(tape, batch.template get<Batch>(name));
    expects(part->rows.picked() == present && rows.rows() == present, "MultiToUni: \"", name,
            "\" has ", rows.rows(), " rows, but \"", modality, "\" ", present);
    return rows;
  }

  template <ExecutionSpace S, class R, class M>
  LossTerm<S, R> match_term(Tape<S, R>& tape, MultiBatch<S> const& batch,
                            Tensor<S, R> const& pooled, int number, M const& match,
                            std::vector<Generated<S, R>>& generated) const {
    auto const* const modality = batch.find(M::modality());
    int const present = modality == nullptr ? 0 : modality->rows.picked();
    LossTerm<S, R> term{std::string(M::modality()), {}, match.weight, present, present < 2};
    if (term.skipped) {
      return term;
    }
    Kokkos::Profiling::ScopedRegion const region("m2u::transfer::match " + term.name);
    auto const rows = hub_passes() == HubPasses::each
                          ? encode_hub_part(tape, batch, M::modality(), present)
                      : present == batch.size() ? pooled
                                                : gather_rows(tape, pooled, modality->rows);
    auto const from = generate(tape, match, rows);
    term.value = match.objective(tape, from, encode(tape, match, batch));
    generated.push_back({number, from});
    return term;
  }

  template <ExecutionSpace S, class R, class T>
  LossTerm<S, R> task_term(Tape<S, R>& tape, MultiBatch<S> const& batch,
                           Tensor<S, R> const& represented, T const& task) const {
    auto const* const modality = batch.find(T::modality());
    LossTerm<S, R> term{std::string(T::modality()), {}, task.weight, 0, modality == nullptr};
    if (!term.skipped) {
      using TaskBatch = typename decltype(task.head)::template Batch<S>;
      Kokkos::Profiling::ScopedRegion const region("m2u::transfer::task " + term.name);
      auto const& labels = batch.template get<TaskBatch>(T::modality());
      auto const predictions = task.head(tape, represented, labels);
      term.rows = predictions.rows();
      term.value = task.head.loss(tape, predictions, labels);
    }
    return term;
  }

  template <ExecutionSpace S, class R>
  static Scalar<S, R> total(Tape<S, R>& tape, std::vector<LossTerm<S, R>> const& terms) {
    Scalar<S, R> sum;
    bool any = false;
    for (auto const& term : terms) {
      if (!term.skipped) {
        auto const weighted =
            term.weight == 1.0 ? term.value : scale(tape, term.value, R(term.weight));
        sum = any ? add(tape, sum, weighted) : weighted;
        any = true;
      }
    }
    if (!any) {
      auto const zero = tape.matrix(1, 1);
      Kokkos::deep_copy(tape.space(), zero, R(0));
      sum = tape.constant(zero);
    }
    return sum;
  }

  HubPart hub_;
  std::tuple<Parts...> parts_;
};

}  // namespace m2u
