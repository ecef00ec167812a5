// SPDX-License-Identifier: Apache-2.0
// The published geometry of edges by our own code, on the entries that rounding does not decide.
#include "parity/golden.hpp"

namespace m2u::parity {

void compare_geometry(Dims const& dims, Inputs const& inputs, Recorded& recorded) {
  auto const& batch = inputs.conformers.conformers;
  Tape<Space> tape(Space{}, Parameters<Space>(Space{}, {}, {}), Mode::evaluation);
  auto const basis = spherical_basis(tape, batch.distances, batch.geometry, dims.conformers.radial,
                                     dims.conformers.cutoff);
  auto const compare = [&](char const* name, char const* stable, Matrix<float, Space> const& ours) {
    if (!recorded.has(name)) {
      return;
    }
    auto const flags = recorded.feed_integers(stable);
    recorded.compare(name, in_recorded_order(to_host(Space{}, ours), inputs.edge_order),
                     Kind::value, std::vector<bool>(flags.begin(), flags.end()));
  };
  compare("geom.feature1_f64", "geom.stable1", basis.angles);
  compare("geom.feature2_f64", "geom.stable2", basis.torsions);
}

}  // namespace m2u::parity
