// SPDX-License-Identifier: Apache-2.0
// The loader's batches; without oneTBB (on a GPU machine, say) the same ones, collated by the
// training thread.
#pragma once

#if defined(M2UMOL_LOADER)
#include "m2u/data/loader.hpp"
#else
#include <cstdint>
#include <utility>
#include <vector>

#include "m2u/train/batch_source.hpp"
#endif

namespace m2umol {

#if defined(M2UMOL_LOADER)
using m2u::batches;
using m2u::LoaderOptions;
#else
struct LoaderOptions {
  int size = 256;
  std::uint64_t seed = 1;
  bool shuffle = true;
  bool drop_last = false;
  int threads = 1;  ///< there is one
};

template <m2u::ExecutionSpace S, m2u::Dataset D>
m2u::SequentialBatches<S, D> batches(D dataset, LoaderOptions const& options,
                                     std::vector<int> ids) {
  return {std::move(dataset),
          m2u::BatchOptions{options.size, options.seed, options.shuffle, options.drop_last},
          std::move(ids)};
}
#endif

}  // namespace m2umol
