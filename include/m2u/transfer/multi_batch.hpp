// SPDX-License-Identifier: Apache-2.0
/// @file
/// One batch with all its modalities: what the loader gives and the model takes.
#pragma once

#include <any>
#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <vector>

#include "m2u/core/ragged.hpp"
#include "m2u/graph/conformer_batch.hpp"
#include "m2u/graph/graph_batch.hpp"

namespace m2u {

/// Real-valued vectors, one row per sample that has them (input of Precomputed).
template <ExecutionSpace S>
struct DenseBatch {
  Matrix<float, S> values;
};
template <ExecutionSpace S>
DenseBatch<S> to_space(CopyTo<S> const& to, DenseBatch<Host> const& batch) {
  return {to_space(to, batch.values)};
}

/// Sparse features in one or more vocabularies, one row per sample that has them (input of MultiHot
/// and HashedText).
template <ExecutionSpace S>
struct SparseBatch {
  std::vector<SparseRows<S>> vocabularies;
};
template <ExecutionSpace S>
SparseBatch<S> to_space(CopyTo<S> const& to, SparseBatch<Host> const& batch) {
  SparseBatch<S> result;
  for (auto const& rows : batch.vocabularies) {
    result.vocabularies.push_back(to_space(to, rows));
  }
  return result;
}

/// Samples with any number of modalities. Each modality is present for some of the samples: it
/// holds the rows of those only, and `rows` says which samples they are. What a modality holds is
/// the user's choice: GraphBatch, ConformerBatch, SparseBatch, DenseBatch or a type of their own.
template <ExecutionSpace S>
class MultiBatch {
 public:
  struct Modality {
    std::string name;
    RowIndex<S> rows;  ///< the samples that have it, rising; sources = samples of the batch
    std::any batch;
  };

  MultiBatch() = default;
  /// @param size number of samples. @param ids their numbers in the data set, for messages.
  MultiBatch(int size, std::vector<int> ids) : size_(size), ids_(std::move(ids)) {}

  int size() const { return size_; }
  std::vector<int> const& ids() const { return ids_; }

  /// Adds a modality. @throws Error if the name is taken or `rows` is for another number of
  /// samples.
  template <class Batch>
  void add(std::string name, RowIndex<S> rows, Batch batch) {
    expects(find(name) == nullptr, "MultiBatch: the modality \"", name, "\" is added twice");
    expects(rows.sources() == size_, "MultiBatch: the modality \"", name, "\" is for a batch of ",
            rows.sources(), " samples, but this one has ", size_);
    modalities_.push_back({std::move(name), std::move(rows), std::any(std::move(batch))});
  }

  /// Null if no sample of the batch has the modality or it is unknown.
  Modality const* find(std::string_view name) const {
    for (auto const& modality : modalities_) {
      if (modality.name == name) {
        return &modality;
      }
    }
    return nullptr;
  }

  /// What the modality holds, as the type that an encoder takes.
  /// @throws Error if the batch lacks the modality or holds another type.
  template <class Batch>
  Batch const& get(std::string_view name) const {
    auto const* const modality = find(name);
    expects(modality != nullptr, "MultiBatch: there is no modality \"", name, "\" in this batch");
    auto const* const batch = std::any_cast<Batch>(&modality->batch);
    expects(batch != nullptr, "MultiBatch: the modality \"", name, "\" holds a ",
            modality->batch.type().name(), ", but the encoder takes a ", typeid(Batch).name(),
            "; the data set and the model disagree about this modality");
    return *batch;
  }

  std::vector<Modality> const& modalities() const { return modalities_; }

  /// Keeps memory that the views point to as long as this, and copies of this, live.
  void hold(std::shared_ptr<void const> memory) { memory_ = std::move(memory); }

 private:
  int size_ = 0;
  std::vector<int> ids_;
  std::vector<Modality> modalities_;
  std::shared_ptr<void const> memory_;
};

namespace detail {

/// Calls to_space unqualified, so that overloads beside a user's own batch types are found.
template <ExecutionSpace S, class Batch>
auto bring_to(CopyTo<S> const& to, Batch const& batch) {
  return to_space(to, batch);
}

}  // namespace detail

/// A batch as loader threads make it: still on the host, with all that is needed to bring it to S.
/// Making one launches nothing; `to_space` does.
template <ExecutionSpace S>
class HostBatch {
 public:
  /// @param ids the samples' numbers in the data set; the batch has as many rows.
  explicit HostBatch(std::vector<int> ids) : ids_(std::move(ids)) {}

  int size() const { return static_cast<int>(ids_.size()); }
  std::vector<int> const& ids() const { return ids_; }

  /// Adds a modality that the batch's rows `rows` (rising) have. `batch` is host data with a
  /// `to_space` overload that takes a CopyTo, for example GraphBatch<Host>.
  template <class Batch>
  void add(std::string name, std::span<int const> rows, Batch batch) {
    parts_.push_back([name = std::move(name), index = make_row_index(rows, size()),
                      batch = std::move(batch)](CopyTo<S> const& to, MultiBatch<S>& result) {
      result.add(name, detail::bring_to(to, index), detail::bring_to(to, batch));
    });
  }

  /// The batch in the memory of S; copies only where S cannot read the host's memory.
  MultiBatch<S> to_space(S const& space) const { return to_space(CopyTo<S>(space)); }
  MultiBatch<S> to_space(CopyTo<S> const& to) const {
    MultiBatch<S> result(size(), ids_);
    for (auto const& part : parts_) {
      part(to, result);
    }
    return result;
  }

 private:
  std::vector<int> ids_;
  std::vector<std::function<void(CopyTo<S> const&, MultiBatch<S>&)>> parts_;
};

/// A data set: `size()` samples, and `collate<S>(ids)` that joins some of them into a batch.
/// `collate` is called from several threads at once and launches nothing.
template <class D>
concept Dataset = requires(D const& dataset, std::span<int const> ids) {
  { dataset.size() } -> std::convertible_to<int>;
  { dataset.template collate<Host>(ids) } -> std::same_as<HostBatch<Host>>;
};

}  // namespace m2u
