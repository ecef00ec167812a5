// SPDX-License-Identifier: Apache-2.0
// Times the published pre-training step: m2u::Trainer on the composition of examples/m2umol.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/kernel_profile.hpp"
#include "support/machine.hpp"
#include "support/published.hpp"

namespace bench {

struct StepOptions {
  std::string data;  ///< folder that `m2umol prepare` wrote
  int batch = 32;
  int steps = 9;
  int warmup = 3;
  bool conformers = true;
  int least_atoms = 0;  ///< molecules with fewer heavy atoms, or more, are left out
  int most_atoms = std::numeric_limits<int>::max();
  std::uint64_t seed = 1;
  m2umol::Configuration model = published_configuration();
};

struct StepResult {
  std::vector<double> seconds;  ///< of each step
  BatchShape shape;             ///< mean of the batches of the steps
  StepFlops flops;
  double loss = 0.0;
  std::size_t parameters = 0;
  double arena_bytes = 0.0;
  double allocations_per_step = 0.0;
  double peak_rss_mib = 0.0;
  KernelProfile profile;

  double median_seconds() const { return median(seconds); }
  double molecules_per_second() const { return shape.molecules / median_seconds(); }
  double gflops() const { return 1e-9 * flops.total() / median_seconds(); }
};

/// @param profile times every kernel of the measured steps as well, which slows them a little
/// @throws m2u::Error if the data lack a modality or an option is wrong.
StepResult measure_step(Space const& space, StepOptions const& options, bool profile = false);

}  // namespace bench
