// SPDX-License-Identifier: Apache-2.0
/// @file
/// Directions around an edge as five numbers: what ComENet (Wang et al., NeurIPS 2022) knows of a
/// conformer besides distances. Computed once, in double on the host; rotations, translations and
/// the order of atoms do not matter, mirror images do.
///
/// For the edge from j to i let v = r_j - r_i. Its five numbers are
///   cos θ, sin θ · cos φ, sin θ · sin φ, cos τ, envelope
/// with θ the angle at i between -v and a first reference vector a of i, φ the angle about v
/// between the planes of a and of a second reference vector b of i, τ the torsion about v between a
/// reference of j and one of i, and the envelope the factor of the edge's whole basis.
///
/// published: a and b are the edges to i from its nearest and second nearest neighbour, the
/// references of τ the shortest edge to i that does not start at j and the shortest edge from j
/// that does not end at i (the next one if the shortest does). Negative φ and τ get +π, as in the
/// published program; the envelope is 1. An angle that no plane defines is 0. These numbers jump
/// where two distances are equal and where a torsion passes 0.
///
/// smooth: sums over all other atoms k within the cutoff take the place of single neighbours, with
/// v_k = r_k - r_i, d_k = |v_k|, f(x) = ½(cos πx + 1):
///   a = Σ v_k · exp(-(d_k / 2 Å)²) · f(d_k / cutoff),  b the same with 4 Å.
/// The references of τ are the sums a at i without j and, with the other sign, at j without i. A
/// vector is normalised as unit(x) = x / √(|x|² + (0.1 Å)²), so that directions without a meaning
/// fade to 0 instead of jumping (a of a molecule's atoms is mostly between 0.4 and 3 Å long). With
/// u = unit(v), p = unit(a) × u, q = unit(b × u), a' and a'' the references of τ at i and j:
///   cos θ = -u · unit(a),  sin θ cos φ = p · q,  sin θ sin φ = (p × q) · u,
///   cos τ = unit(u × a') · unit(u × a'').
/// The envelope is 1 - 28x⁶ + 48x⁷ - 21x⁸ (Gasteiger et al. 2021) of x = d / reach, 0 beyond, where
/// the reach is the cutoff or, if that is less, the distance of i's nearest neighbour that the
/// limit of neighbours leaves out. So no number jumps when an atom passes the cutoff or the limit.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <span>
#include <string_view>
#include <vector>

#include "m2u/core/error.hpp"

namespace m2u {

/// Which directions are kept of each edge: none, or five numbers in one of the two conventions.
enum class EdgeGeometry { none, published, smooth };

/// Numbers per edge.
inline constexpr int edge_geometry_columns = 5;

inline std::string_view to_string(EdgeGeometry geometry) {
  switch (geometry) {
    case EdgeGeometry::published:
      return "published";
    case EdgeGeometry::smooth:
      return "smooth";
    case EdgeGeometry::none:
      break;
  }
  return "none";
}

/// @param what begins the message. @throws Error if there is no such convention.
inline EdgeGeometry edge_geometry_from_string(std::string_view name,
                                              std::string_view what = "edge_geometry_from_string") {
  for (auto const geometry : {EdgeGeometry::none, EdgeGeometry::published, EdgeGeometry::smooth}) {
    if (name == to_string(geometry)) {
      return geometry;
    }
  }
  fail(what, ": there is no edge geometry \"", name, "\"; there are none, published and smooth");
}

namespace detail {

/// A vector in space, in Å.
struct Vector3 {
  double x = 0.0;
  double y = 0.0;
  double z = 0.0;
  friend Vector3 operator+(Vector3 a, Vector3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend Vector3 operator-(Vector3 a, Vector3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend Vector3 operator*(double s, Vector3 a) { return {s * a.x, s * a.y, s * a.z}; }
};
inline double dot(Vector3 a, Vector3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vector3 cross(Vector3 a, Vector3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double length(Vector3 a) { return std::sqrt(dot(a, a)); }

using EdgeNumbers = std::array<double, edge_geometry_columns>;

/// The radius graph whose edges are described.
struct EdgeGraph {
  std::vector<Vector3> atoms;
  std::span<int const> source;
  std::span<int const> target;

  std::size_t from(std::size_t edge) const { return static_cast<std::size_t>(source[edge]); }
  std::size_t to(std::size_t edge) const { return static_cast<std::size_t>(target[edge]); }
  Vector3 vector(std::size_t edge) const { return atoms[from(edge)] - atoms[to(edge)]; }
};

/// The nearest and second nearest edge of each atom at one of their ends; with one edge it is both.
class NearestEdges {
 public:
  NearestEdges(EdgeGraph const& graph, std::span<int const> atom_of)
      : edges_(graph.atoms.size(), {none, none}) {
    for (std::size_t edge = 0; edge < atom_of.size(); ++edge) {
      auto& [first, second] = edges_[static_cast<std::size_t>(atom_of[edge])];
      double const distance = length(graph.vector(edge));
      if (first == none || distance < length(graph.vector(first))) {
        second = first;
        first = edge;
      } else if (second == none || distance < length(graph.vector(second))) {
        second = edge;
      }
    }
  }
  std::size_t first(std::size_t atom) const { return edges_[atom][0]; }
  std::size_t second(std::size_t atom) const {
    return edges_[atom][1] == none ? edges_[atom][0] : edges_[atom][1];
  }

 private:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::vector<std::array<std::size_t, 2>> edges_;
};

/// The angle about v between two normals of planes that hold it, negative ones plus π.
inline double published_torsion(Vector3 p, Vector3 q, Vector3 v) {
  double const distance = length(v);
  if (distance == 0.0) {
    return 0.0;
  }
  double const angle = std::atan2(dot(cross(p, q), v) / distance, dot(p, q));
  return angle < 0.0 ? angle + std::numbers::pi : angle;
}

inline EdgeNumbers published_geometry(EdgeGraph const& graph, NearestEdges const& at_target,
                                      NearestEdges const& at_source, std::size_t edge) {
  auto const j = graph.from(edge);
  auto const i = graph.to(edge);
  auto const v = graph.vector(edge);
  auto const a = graph.vector(at_target.first(i));
  auto const b = graph.vector(at_target.second(i));
  auto const p = cross(a, v);
  double const theta = std::atan2(length(p), -dot(v, a));
  double const phi = published_torsion(p, cross(b, v), v);
  bool const i_meets_j = graph.from(at_target.first(i)) == j;
  bool const j_meets_i = graph.to(at_source.first(j)) == i;
  auto const of_i = graph.vector(i_meets_j ? at_target.second(i) : at_target.first(i));
  auto const of_j = graph.vector(j_meets_i ? at_source.second(j) : at_source.first(j));
  double const tau = published_torsion(cross(v, of_j), cross(v, of_i), v);
  return {std::cos(theta), std::sin(theta) * std::cos(phi), std::sin(theta) * std::sin(phi),
          std::cos(tau), 1.0};
}

/// v normalised, fading to 0 where it is short.
inline Vector3 smooth_unit(Vector3 v) { return 1.0 / std::sqrt(dot(v, v) + 0.01) * v; }

/// The weight of a neighbour in a sum of references with this length scale.
inline double reference_weight(double distance, double scale, double cutoff) {
  return distance < cutoff ? std::exp(-distance * distance / (scale * scale)) * 0.5 *
                                 (std::cos(std::numbers::pi * distance / cutoff) + 1.0)
                           : 0.0;
}

/// What the smooth convention knows of an atom's surroundings.
struct Surroundings {
  Vector3 near;        ///< first reference
  Vector3 far;         ///< second reference
  double reach = 0.0;  ///< where envelopes reach zero
};

inline constexpr double near_scale = 2.0;  // Å
inline constexpr double far_scale = 4.0;

inline Surroundings surroundings(std::span<Vector3 const> atoms, std::size_t i, double cutoff,
                                 int neighbours) {
  Surroundings result{{}, {}, cutoff};
  std::vector<double> distances;
  for (std::size_t k = 0; k < atoms.size(); ++k) {
    auto const v = atoms[k] - atoms[i];
    double const distance = length(v);
    if (k == i || distance >= cutoff) {
      continue;
    }
    distances.push_back(distance);
    result.near = result.near + reference_weight(distance, near_scale, cutoff) * v;
    result.far = result.far + reference_weight(distance, far_scale, cutoff) * v;
  }
  auto const limit = static_cast<std::ptrdiff_t>(neighbours);
  if (limit < std::ssize(distances)) {
    std::nth_element(distances.begin(), distances.begin() + limit, distances.end());
    result.reach = distances[static_cast<std::size_t>(limit)];
  }
  return result;
}

inline double envelope(double distance, double reach) {
  if (distance >= reach) {
    return 0.0;
  }
  double const x = distance / reach;
  double const x6 = x * x * x * x * x * x;
  return 1.0 - x6 * (28.0 - x * (48.0 - 21.0 * x));
}

inline EdgeNumbers smooth_geometry(EdgeGraph const& graph, std::span<Surroundings const> around,
                                   std::size_t edge) {
  auto const& of_j = around[graph.from(edge)];
  auto const& of_i = around[graph.to(edge)];
  auto const v = graph.vector(edge);
  double const distance = length(v);
  auto const u = smooth_unit(v);
  auto const a = smooth_unit(of_i.near);
  auto const p = cross(a, u);
  auto const q = smooth_unit(cross(of_i.far, u));
  // j's own share of the sum at i is along v, and i's at j against it: the cross products drop
  // them.
  auto const at_i = smooth_unit(cross(u, of_i.near));
  auto const at_j = smooth_unit(cross(of_j.near, u));
  return {-dot(u, a), dot(p, q), dot(cross(p, q), u), dot(at_j, at_i),
          envelope(distance, of_i.reach)};
}

}  // namespace detail

/// The five numbers of each edge, row-major [edges, edge_geometry_columns]; none for `none`.
/// @param positions [atoms, 3] in Å  @param source, target [edges] of the radius graph
/// @param cutoff, neighbours with which the radius graph was made
/// @throws Error if a size or an index is wrong.
inline std::vector<float> edge_geometry(EdgeGeometry geometry, std::span<float const> positions,
                                        std::span<int const> source, std::span<int const> target,
                                        float cutoff, int neighbours) {
  std::vector<float> result;
  if (geometry == EdgeGeometry::none) {
    return result;
  }
  expects(positions.size() % 3 == 0, "edge_geometry: ", positions.size(),
          " coordinates are not three per atom");
  expects(source.size() == target.size(), "edge_geometry: ", source.size(), " sources, but ",
          target.size(), " targets");
  detail::EdgeGraph graph{{}, source, target};
  for (std::size_t k = 0; k < positions.size(); k += 3) {
    graph.atoms.push_back({positions[k], positions[k + 1], positions[k + 2]});
  }
  auto const atoms = static_cast<int>(graph.atoms.size());
  for (std::size_t edge = 0; edge < source.size(); ++edge) {
    expects(source[edge] >= 0 && source[edge] < atoms && target[edge] >= 0 && target[edge] < atoms,
            "edge_geometry: edge ", edge, " goes from atom ", source[edge], " to ", target[edge],
            ", but there are ", atoms, " atoms");
  }
  std::vector<detail::Surroundings> around;
  if (geometry == EdgeGeometry::smooth) {
    for (std::size_t i = 0; i < graph.atoms.size(); ++i) {
      around.push_back(detail::surroundings(graph.atoms, i, cutoff, neighbours));
    }
  }
  detail::NearestEdges const at_target(graph, target);
  detail::NearestEdges const at_source(graph, source);
  for (std::size_t edge = 0; edge < source.size(); ++edge) {
    auto const numbers = geometry == EdgeGeometry::smooth
                             ? detail::smooth_geometry(graph, around, edge)
                             : detail::published_geometry(graph, at_target, at_source, edge);
    for (double const number : numbers) {
      result.push_back(static_cast<float>(number));
    }
  }
  return result;
}

}  // namespace m2u
