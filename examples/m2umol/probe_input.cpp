// SPDX-License-Identifier: Apache-2.0
#include "m2umol/probe_input.hpp"

#include <utility>

namespace m2umol {

ProbeInput read_probe_input(ProbeArguments const& arguments, Configuration const& configuration,
                            int threads) {
  LabelSource source = arguments;
  source.fingerprints = true;
  ProbeInput input;
  input.molecules = read_labelled(source, configuration, threads);
  input.fingerprints = {morgan_bits, {}, false};
  auto& molecules = input.molecules;
  auto& data = input.data;
  data.scaffolds = molecules.scaffolds;
  data.tasks = molecules.tasks;
  data.regression = arguments.regression;
  if (arguments.c) {
    data.grid = {*arguments.c};
  }
  for (auto const& bits : molecules.bits) {
    auto const first = input.fingerprints.values.size();
    input.fingerprints.values.resize(first + morgan_bits, 0.0F);
    for (int const bit : bits) {
      input.fingerprints.values[first + static_cast<std::size_t>(bit)] = 1.0F;
    }
  }
  if (!arguments.seen.empty()) {
    data.seen = seen_molecules(molecules.smiles, arguments.seen);
  }
  return input;
}

}  // namespace m2umol
