// SPDX-License-Identifier: Apache-2.0
// ComENet and the geometry of its edges: what it must not depend on, and where it must not jump.
#include "m2u/encoders/comenet.hpp"

#include <array>
#include <filesystem>
#include <numeric>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include "m2u/autodiff/gradient_check.hpp"
#include "m2u/parameters/safetensors.hpp"
#include "support/spaces.hpp"

namespace {

using Catch::Matchers::ContainsSubstring;
using m2u::EdgeGeometry;
using S = Kokkos::DefaultExecutionSpace;

constexpr m2u::ComENetOptions small{.width = 16,
                                    .middle = 8,
                                    .blocks = 2,
                                    .radial = 2,
                                    .output_layers = 1,
                                    .elements = 36,
                                    .out = 8};

m2u::ConformerBatch<m2u::Host> batch_of(std::vector<m2u::ConformerRecord> const& conformers) {
  std::vector<m2u::ConformerView> views;
  for (auto const& conformer : conformers) {
    views.push_back(conformer.view());
  }
  return m2u::make_conformer_batch(views);
}

/// The encoder's output, with parameters of one seed.
template <class Space = S>
std::vector<float> run(std::vector<m2u::ConformerRecord> const& conformers, Space const& space = {},
                       m2u::ComENetOptions const& options = small) {
  m2u::ParameterLayout layout;
  m2u::ComENet const encoder(layout.scope("3d"), options);
  m2u::Tape<Space> tape(space, m2u::Parameters<Space>(space, layout, m2u::Seed{4}),
                        m2u::Mode::evaluation);
  return m2u::to_host(space, encoder(tape, m2u::to_space(space, batch_of(conformers))).value);
}

double norm(std::vector<float> const& a) {
  return std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0));
}
double distance(std::vector<float> a, std::vector<float> const& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] -= b[i];
  }
  return norm(a);
}
bool finite(std::vector<float> const& values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

// Molecules with near-ties of distances in their symmetric places.
m2u::ConformerRecord methane() {
  float const h = 0.6291F;
  return {{6, 1, 1, 1, 1}, {0, 0, 0, h, h, h, h, -h, -h, -h, h, -h, -h, -h, h}, {}, {}};
}
m2u::ConformerRecord benzene() {
  m2u::ConformerRecord result;
  for (int ring = 0; ring < 2; ++ring) {
    for (int k = 0; k < 6; ++k) {
      double const radius = ring == 0 ? 1.397 : 2.481;
      double const angle = k * M_PI / 3.0;
      result.atomic_numbers.push_back(ring == 0 ? 6 : 1);
      result.positions.insert(result.positions.end(),
                              {static_cast<float>(radius * std::cos(angle)),
                               static_cast<float>(radius * std::sin(angle)), 0.0F});
    }
  }
  return result;
}
/// Bromochlorofluoromethane, which is chiral.
m2u::ConformerRecord chiral() {
  return {{6, 1, 9, 17, 35},
          {0, 0, 0, 0.63F, 0.63F, 0.63F, 0.78F, -0.78F, -0.78F, -1.02F, 1.02F, -1.02F, -1.12F,
           -1.12F, 1.12F},
          {},
          {}};
}
/// Random places at least 0.9 Å apart.
m2u::ConformerRecord cluster(int atoms, float size, std::uint64_t seed) {
  m2u::RandomStream const random{seed, 1};
  m2u::ConformerRecord result;
  for (std::uint64_t i = 0; result.atomic_numbers.size() < static_cast<std::size_t>(atoms);
       i += 3) {
    std::array<float, 3> const at{size * random.uniform(i), size * random.uniform(i + 1),
                                  size * random.uniform(i + 2)};
    bool free = true;
    for (std::size_t k = 0; k < result.positions.size(); k += 3) {
      free = free && std::hypot(at[0] - result.positions[k], at[1] - result.positions[k + 1],
                                at[2] - result.positions[k + 2]) > 0.9F;
    }
    if (free) {
      result.atomic_numbers.push_back(1 + static_cast<int>(result.atomic_numbers.size()) % 9);
      result.positions.insert(result.positions.end(), at.begin(), at.end());
    }
  }
  return result;
}

m2u::ConformerRecord with_edges(m2u::ConformerRecord conformer, m2u::RadiusGraphOptions options) {
  m2u::add_radius_graph(conformer, options);
  return conformer;
}
m2u::ConformerRecord smooth(m2u::ConformerRecord conformer) {
  return with_edges(std::move(conformer), {.geometry = EdgeGeometry::smooth});
}

/// Rotated about two axes, shifted, the atoms in another order.
m2u::ConformerRecord moved(m2u::ConformerRecord const& conformer) {
  auto result = conformer;
  auto const atoms = conformer.atomic_numbers.size();
  auto const order = m2u::random_permutation(static_cast<int>(atoms), m2u::Seed{3}, 1);
  for (std::size_t i = 0; i < atoms; ++i) {
    auto const to = static_cast<std::size_t>(order[i]);
    double x = conformer.positions[3 * i];
    double y = conformer.positions[3 * i + 1];
    double z = conformer.positions[3 * i + 2];
    std::tie(x, y) = std::pair(0.8 * x - 0.6 * y, 0.6 * x + 0.8 * y);
    std::tie(y, z) =
        std::pair(std::cos(2.1) * y - std::sin(2.1) * z, std::sin(2.1) * y + std::cos(2.1) * z);
    result.atomic_numbers[to] = conformer.atomic_numbers[i];
    result.positions[3 * to] = static_cast<float>(x + 3.0);
    result.positions[3 * to + 1] = static_cast<float>(y - 1.0);
    result.positions[3 * to + 2] = static_cast<float>(z + 0.5);
  }
  return result;
}

/// The largest change of the output in a step, while the first atom moves 4 Å through a cluster.
double largest_step(EdgeGeometry geometry, int steps) {
  auto const start = cluster(24, 5.0F, 7);
  double largest = 0.0;
  std::vector<m2u::ConformerRecord> path;
  for (int step = 0; step <= steps; ++step) {
    auto conformer = start;
    for (std::size_t k = 0; k < 3; ++k) {
      conformer.positions[k] += static_cast<float>(2.3 * (static_cast<double>(step) / steps - 0.5));
    }
    path.push_back(with_edges(conformer, {.cutoff = 4.0F, .neighbours = 8, .geometry = geometry}));
  }
  auto options = small;
  options.cutoff = 4.0F;
  auto const rows = run(path, S{}, options);
  auto const width = static_cast<std::ptrdiff_t>(small.out);
  for (auto row = rows.begin(); row + width != rows.end(); row += width) {
    largest = std::max(largest, distance({row, row + width}, {row + width, row + 2 * width}));
  }
  return largest / norm(rows) * std::sqrt(static_cast<double>(steps));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("ComENet ignores rotation, translation and the order of atoms", "[comenet]",
                        m2u::test::Spaces) {
  for (auto const& conformer :
       {methane(), benzene(), chiral(), cluster(12, 4.0F, 1), cluster(60, 7.0F, 2)}) {
    INFO(conformer.atomic_numbers.size() << " atoms");
    auto const here = run({smooth(conformer)}, TestType{});
    CHECK(norm(here) > 0.1);
    CHECK(distance(run({smooth(moved(conformer))}, TestType{}), here) <= 1e-4 * norm(here));
  }
}

TEST_CASE("ComENet tells mirror images apart, but not those of a flat molecule", "[comenet]") {
  auto const mirrored = [](m2u::ConformerRecord conformer) {
    for (std::size_t k = 2; k < conformer.positions.size(); k += 3) {
      conformer.positions[k] *= -1.0F;
    }
    return conformer;
  };
  auto const here = run({smooth(chiral())});
  CHECK(distance(run({smooth(mirrored(chiral()))}), here) > 1e-2 * norm(here));
  // All of the difference is in the sign of sin φ.
  auto const left = smooth(chiral()).geometry;
  auto const right = smooth(mirrored(chiral())).geometry;
  double most = 0.0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    CHECK(std::abs(left[i] - (i % 5 == 2 ? -right[i] : right[i])) < 1e-6F);
    most = std::max(most, i % 5 == 2 ? std::abs(static_cast<double>(left[i])) : 0.0);
  }
  CHECK(most > 0.1);
  auto const flat = run({smooth(moved(benzene()))});
  CHECK(distance(run({smooth(mirrored(moved(benzene())))}), flat) < 1e-4 * norm(flat));
}

TEST_CASE("smooth geometry does not jump at the cutoff or the limit of neighbours", "[comenet]") {
  // Where nothing jumps, a quarter of the step makes about a quarter of the change.
  double const coarse = largest_step(EdgeGeometry::smooth, 400);
  double const fine = largest_step(EdgeGeometry::smooth, 1600);
  INFO("smooth " << coarse << " and " << fine);
  CHECK(fine < 0.4 * coarse);
  double const published_coarse = largest_step(EdgeGeometry::published, 400);
  double const published_fine = largest_step(EdgeGeometry::published, 1600);
  INFO("published " << published_coarse << " and " << published_fine);
  CHECK(published_fine > 0.7 * published_coarse);
}

TEST_CASE("conformers without edges or with coincident atoms are finite", "[comenet]") {
  m2u::ConformerRecord const single{{3}, {0, 0, 0}, {}, {}};
  m2u::ConformerRecord const ions{{11, 11, 17}, {1, 1, 1, 1, 1, 1, 2, 1, 1}, {}, {}};
  m2u::ConformerRecord const distant{{1, 1}, {0, 0, 0, 100, 0, 0}, {}, {}};
  m2u::ConformerRecord const line{{6, 8, 16}, {0, 0, 0, 1, 0, 0, 3, 0, 0}, {}, {}};
  m2u::ConformerRecord const stack{std::vector<int>(40, 8), std::vector<float>(120, 0.5F), {}, {}};
  for (auto const geometry : {EdgeGeometry::published, EdgeGeometry::smooth}) {
    std::vector<m2u::ConformerRecord> all;
    for (auto const& conformer : {single, ions, distant, line, stack}) {
      all.push_back(with_edges(conformer, {.geometry = geometry}));
      CHECK(all.back().geometry.size() == 5 * all.back().source.size());
      CHECK(finite(all.back().geometry));
    }
    CHECK(all[1].source.size() == 6);
    m2u::ParameterLayout layout;
    m2u::ComENet const encoder(layout.scope("3d"), small);
    S const space;
    m2u::Parameters<S> const theta(space, layout, m2u::Seed{4});
    m2u::Tape<S> tape(space, theta, m2u::Mode::training);
    auto const batch = m2u::to_space(space, batch_of(all));  // must outlive the way back
    auto const y = encoder(tape, batch);
    CHECK(finite(m2u::to_host(space, y.value)));
    tape.backward_from(y, std::vector<float>(y.value.size(), 1.0F));
    auto const gradients = m2u::to_host(space, theta.gradients());
    CHECK(finite(gradients));
    CHECK(norm(gradients) > 0.0);
    // Without any edge in the batch, and without any conformer.
    CHECK(finite(run({all[0], all[2]})));
    CHECK(run({}).empty());
  }
}

TEST_CASE("gradients of ComENet agree with central differences", "[comenet]") {
  m2u::ParameterLayout layout;
  m2u::ComENet const encoder(layout.scope("3d"), {.width = 4,
                                                  .middle = 3,
                                                  .blocks = 1,
                                                  .radial = 1,
                                                  .output_layers = 1,
                                                  .elements = 10,
                                                  .out = 2});
  S const space;
  auto const batch =
      m2u::to_space(space, batch_of({smooth(cluster(7, 3.0F, 5)), smooth(cluster(4, 3.0F, 6))}));
  auto const report = m2u::gradient_check(
      space, layout, {}, [&](auto& tape, auto const&) { return encoder(tape, batch); });
  INFO(report);
  CHECK(report.difference_error < 1e-6);
  CHECK(report.float_error < 1e-4);
}

TEST_CASE("ComENet asks for the geometry that it needs", "[comenet]") {
  auto const bare = with_edges(methane(), {});
  CHECK(bare.geometry.empty());
  CHECK_THROWS_WITH(run({bare}), ContainsSubstring("no geometry") &&
                                     ContainsSubstring("RadiusGraphOptions::geometry"));
  CHECK_THROWS_WITH(run({smooth(methane()), bare}),
                    ContainsSubstring("conformer 1 has 20 edges, but 0 numbers of geometry"));
  auto const edges = smooth(methane());
  for (auto const geometry : {EdgeGeometry::none, EdgeGeometry::published, EdgeGeometry::smooth}) {
    CHECK(m2u::edge_geometry_from_string(m2u::to_string(geometry)) == geometry);
  }
  CHECK_THROWS_WITH(m2u::edge_geometry_from_string("rough", "here"),
                    ContainsSubstring("here: there is no edge geometry \"rough\""));
  std::vector<int> const wrong(edges.source.size(), 5);
  CHECK_THROWS_WITH(
      m2u::edge_geometry(EdgeGeometry::smooth, edges.positions, edges.source, wrong, 8.0F, 32),
      ContainsSubstring("to 5, but there are 5 atoms"));
}

TEST_CASE("published geometry is that of the published program where that is stable", "[comenet]") {
  // Recorded features; "stable" marks what rounding does not decide there.
  std::string const folder = M2U_SOURCE_DIR "/../shared/reference";
  if (!std::filesystem::exists(folder)) {
    SKIP("no recorded features in " << folder);
  }
  for (auto const* const name : {"a", "b"}) {
    m2u::SafetensorsFile const file(folder + "/batch_" + name + ".safetensors");
    auto const narrow = [&](std::string const& tensor) {
      auto const wide = file.integers(tensor);
      return std::vector<int>(wide.begin(), wide.end());
    };
    // One graph for all: no edges lead from one molecule to another.
    auto const ends = narrow("in.edge_index3d");
    auto const edges = static_cast<std::ptrdiff_t>(ends.size() / 2);
    m2u::ConformerRecord all{narrow("in.z"),
                             file.tensor("in.pos").values,
                             {ends.begin(), ends.begin() + edges},
                             {ends.begin() + edges, ends.end()}};
    all.geometry = m2u::edge_geometry(EdgeGeometry::published, all.positions, all.source,
                                      all.target, 8.0F, 32);
    auto const batch = m2u::to_space(S{}, batch_of({all}));
    auto const order =
        m2u::sort_edges(all.source, all.target, static_cast<int>(all.atomic_numbers.size())).order;
    m2u::Tape<S> tape({}, {S{}, {}, {}}, m2u::Mode::evaluation);
    auto const basis = m2u::spherical_basis(tape, batch.distances, batch.geometry, 3, 8.0F);
    auto const check = [&](m2u::Matrix<float, S> const& found, std::string const& number) {
      auto const values = m2u::to_host(S{}, found);
      auto const expected = file.tensor("geom.feature" + number + "_f64").values;
      auto const stable = narrow("geom.stable" + number);
      auto const columns = expected.size() / stable.size();
      std::size_t compared = 0;
      float worst = 0.0F;
      for (std::size_t i = 0; i < values.size(); ++i) {
        auto const edge = static_cast<std::size_t>(order[i / columns]);
        if (stable[edge] != 0) {
          float const target = expected[edge * columns + i % columns];
          worst = std::max(worst, std::abs(values[i] - target) / std::max(1.0F, std::abs(target)));
          ++compared;
        }
      }
      INFO("batch " << name << ", feature" << number << ": " << compared << " of "
                    << values.size());
      CHECK(compared > values.size() / 2);
      CHECK(worst < 1e-5F);
    };
    check(basis.angles, "1");
    check(basis.torsions, "2");
  }
}

TEST_CASE("encoders of conformers refuse elements that their tables lack", "[comenet]") {
  m2u::ConformerRecord americium{{95}, {0, 0, 0}, {}, {}, {}};
  auto const view = americium.view();
  auto const batch = m2u::to_space(S{}, m2u::make_conformer_batch(std::span(&view, 1)));
  m2u::ParameterLayout layout;
  m2u::ComENet const encoder{layout.scope("3d"), {.width = 8, .middle = 4, .blocks = 1, .out = 4}};
  m2u::Parameters<S> const theta{S{}, layout, m2u::Seed{1}};
  m2u::Tape<S> tape(S{}, theta, m2u::Mode::evaluation);
  CHECK_THROWS_WITH(encoder(tape, batch),
                    Catch::Matchers::ContainsSubstring("0 … 94, but the batch has 95"));
}
