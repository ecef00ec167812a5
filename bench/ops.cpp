// SPDX-License-Identifier: Apache-2.0
// bench_ops: every differentiable operation at the sizes of the published model, forward and with
// its backward pass; and sgemm at the shapes of its layers. 2D sizes are those of a batch of 256
// molecules, 3D sizes those of 32.
#include "m2u/nn/norms.hpp"
#include "m2u/ops/activation.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/basis_aggregate.hpp"
#include "m2u/ops/concat_columns.hpp"
#include "m2u/ops/concat_rows.hpp"
#include "m2u/ops/cosine_loss.hpp"
#include "m2u/ops/cross_attention.hpp"
#include "m2u/ops/cross_entropy.hpp"
#include "m2u/ops/dropout.hpp"
#include "m2u/ops/embedding_sum.hpp"
#include "m2u/ops/filter_aggregate.hpp"
#include "m2u/ops/gather_rows.hpp"
#include "m2u/ops/gine_aggregate.hpp"
#include "m2u/ops/graph_norm.hpp"
#include "m2u/ops/info_nce.hpp"
#include "m2u/ops/linear.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/ops/multiply.hpp"
#include "m2u/ops/normalise_rows.hpp"
#include "m2u/ops/nt_xent.hpp"
#include "m2u/ops/radial_basis.hpp"
#include "m2u/ops/ragged_attention.hpp"
#include "m2u/ops/scale.hpp"
#include "m2u/ops/segment.hpp"
#include "m2u/ops/sparse_linear.hpp"
#include "m2u/ops/spherical_basis.hpp"

#include "support/differentiate.hpp"
#include "support/molecules.hpp"

namespace {

using bench::Space;
using bench::Tape;
using bench::Tensor;
using In = std::vector<Tensor>;
using m2u::Shape;

/// Batches whose shapes and graphs the operations work on.
struct Batches {
  Batches(Space const& space, std::string const& data)
      : flat(bench::first_batch(space, data, 256, false)),
        conformers(bench::first_batch(space, data, 32, true)) {}
  m2u::GraphBatch<Space> const& graph() const { return flat.get<m2u::GraphBatch<Space>>("2d"); }
  m2u::ConformerBatch<Space> const& shapes() const {
    return conformers.get<m2u::ConformerBatch<Space>>("3d");
  }
  m2u::MultiBatch<Space> flat;
  m2u::MultiBatch<Space> conformers;
};

/// c = op(a) · op(b) at m × k × n.
void add_gemm(Space const& space, std::string const& name, int m, int k, int n,
              m2u::GemmOptions options) {
  bench::add_benchmark(
      "sgemm " + name + " " + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n),
      [=]() -> bench::Step {
        auto const shaped = [&](int rows, int cols, bool transposed, std::uint64_t seed) {
          return bench::random_matrix(space, transposed ? cols : rows, transposed ? rows : cols,
                                      seed);
        };
        auto const a = shaped(m, k, options.transpose_a, 1);
        auto const b = shaped(k, n, options.transpose_b, 2);
        auto const c = shaped(m, n, false, 3);
        return [=](std::uint64_t) {
          m2u::gemm(space, a, b, c, options);
          space.fence();
        };
      },
      2e-9 * m * k * n);
}

/// The three products of a linear layer: output, input's gradient, weight's gradient.
void add_layer(Space const& space, int rows, int in, int out) {
  add_gemm(space, "output", rows, in, out, {.transpose_b = true});
  add_gemm(space, "input_gradient", rows, out, in, {});
  add_gemm(space, "weight_gradient", out, rows, in, {.transpose_a = true});
}

class Registration {
 public:
  Registration(Space const& space, Batches const& batches) : space_(space), batches_(batches) {}

  void operator()() {
    rows();
    graphs();
    conformers();
    objectives();
    auto const nodes = batches_.graph().size();
    auto const atoms = batches_.shapes().atoms.total;
    for (auto const& [in, out] : {std::pair(128, 128), {128, 384}, {128, 256}, {256, 128}}) {
      add_layer(space_, nodes, in, out);
    }
    add_layer(space_, atoms, 256, 256);
    add_layer(space_, atoms, 512, 256);
    add_layer(space_, 256, 768, 128);
    add_gemm(space_, "square", 2048, 2048, 2048, {});
  }

 private:
  template <class F>
  void op(std::string const& name, std::vector<Shape> const& inputs, F const& f, double flop = 0) {
    bench::add_differentiable(space_, layout_, name, inputs, f, 1e-9 * flop);
  }

  void linear(int rows, int in, int out, m2u::Activation activation) {
    op(
        "linear " + std::to_string(rows) + "x" + std::to_string(in) + "->" + std::to_string(out),
        {{rows, in}, {out, in}, {1, out}},
        [=](Tape& tape, In const& x) { return m2u::linear(tape, x[0], x[1], x[2], activation); },
        bench::product(rows, in, out));
  }

  /// On whole matrices.
  void rows() {
    int const n = batches_.graph().size();
    int const a = batches_.shapes().atoms.total;
    linear(n, 128, 128, m2u::Activation::relu);
    linear(n, 128, 384, m2u::Activation::none);
    linear(n, 128, 256, m2u::Activation::relu);
    linear(n, 256, 128, m2u::Activation::none);
    linear(a, 256, 256, m2u::Activation::silu);
    linear(a, 512, 256, m2u::Activation::none);
    op("activation silu", {{a, 256}},
       [](Tape& tape, In const& x) { return m2u::activation(tape, x[0], m2u::Activation::silu); });
    op("add", {{a, 256}, {a, 256}},
       [](Tape& tape, In const& x) { return m2u::add(tape, x[0], x[1]); });
    op("multiply", {{a, 256}, {a, 256}},
       [](Tape& tape, In const& x) { return m2u::multiply(tape, x[0], x[1]); });
    op("scale", {{a, 256}}, [](Tape& tape, In const& x) { return m2u::scale(tape, x[0], 0.5F); });
    op("dropout", {{n, 128}},
       [](Tape& tape, In const& x) { return m2u::dropout(tape, x[0], 0.1F); });
    op("concat_columns", {{a, 256}, {a, 256}},
       [](Tape& tape, In const& x) { return m2u::concat_columns(tape, x[0], x[1]); });
    op("concat_rows", {{n, 128}, {n, 128}},
       [](Tape& tape, In const& x) { return m2u::concat_rows(tape, x); });
    op("layer_norm", {{n, 128}, {1, 128}, {1, 128}},
       [](Tape& tape, In const& x) { return m2u::layer_norm(tape, x[0], x[1], x[2]); });
    op("l2_normalise_rows", {{n, 128}},
       [](Tape& tape, In const& x) { return m2u::l2_normalise_rows(tape, x[0]); });
    op("matmul", {{256, 64}, {64, 12}},
       [](Tape& tape, In const& x) { return m2u::matmul(tape, x[0], x[1]); });
    m2u::BatchNorm const norm{layout_.scope("norm"), 128};
    op("batch_norm", {{n, 128}}, [=](Tape& tape, In const& x) { return norm(tape, x[0]); });
    op("batch_norm of two terms", {{n, 128}, {n, 128}}, [=](Tape& tape, In const& x) {
      return m2u::batch_norm(tape, std::array{norm.term(tape, x[0]), norm.term(tape, x[1])});
    });
  }

  /// On the 2D graphs, text and bio features.
  void graphs() {
    auto const& g = batches_.graph();
    int const n = g.size();
    op(
        "ragged_attention", {{n, 3 * 128}},
        [&](Tape& tape, In const& x) {
          return m2u::ragged_attention(tape, x[0], g.nodes, 4, {.dropout = 0.5F});
        },
        2.0 * bench::product(bench::shape_of(space_, batches_.flat).atoms_squared, 128, 1));
    op("gine_aggregate", {{n, 128}, {g.edges(), 128}}, [&](Tape& tape, In const& x) {
      return m2u::gine_aggregate(tape, x[0], x[1], g.incoming, g.source);
    });
    m2u::Vocabularies const bonds(m2u::ogb_bond_vocabularies());
    auto const kinds =
        m2u::make_vector<int>(space_, "m2u::bench::kinds", g.edge_features.extent(0));
    m2u::kernels::feature_kinds(space_, bonds, g.edge_features, kinds);
    op("gine_aggregate of kinds", {{n, 128}, {bonds.combinations(256), 128}},
       [&g, kinds](Tape& tape, In const& x) {
         return m2u::gine_aggregate(tape, x[0], x[1], g.incoming, g.source, 0.0F, kinds);
       });
    op("gin_aggregate", {{n, 128}}, [&](Tape& tape, In const& x) {
      return m2u::gin_aggregate(tape, x[0], g.incoming, g.source);
    });
    op("gather_rows", {{n, 128}},
       [&](Tape& tape, In const& x) { return m2u::gather_rows(tape, x[0], g.source); });
    op("segment_sum", {{n, 128}},
       [&](Tape& tape, In const& x) { return m2u::segment_sum(tape, x[0], g.nodes); });
    op("segment_mean", {{n, 128}},
       [&](Tape& tape, In const& x) { return m2u::segment_mean(tape, x[0], g.nodes); });
    op("segment_max", {{n, 128}},
       [&](Tape& tape, In const& x) { return m2u::segment_max(tape, x[0], g.nodes); });
    m2u::Vocabularies const atoms{m2u::ogb_atom_vocabularies()};
    op("embedding_sum", {{atoms.total(), 120}}, [&, atoms](Tape& tape, In const& x) {
      return m2u::embedding_sum(tape, x[0], atoms, g.node_features);
    });
    auto const& bio = batches_.flat.get<m2u::SparseBatch<Space>>("bio").vocabularies[0];
    op("sparse_dense", {{bio.width, 128}},
       [&](Tape& tape, In const& x) { return m2u::sparse_dense(tape, bio, x[0]); });
    op("sparse_linear", {{bio.width, 128}, {1, 128}},
       [&](Tape& tape, In const& x) { return m2u::sparse_linear(tape, bio, x[0], x[1]); });
  }

  void conformers() {
    auto const& c = batches_.shapes();
    int const atoms = c.atoms.total;
    int const edges = c.incoming.total;
    auto const features = bench::random_matrix(space_, edges, 12, 9);
    op(
        "basis_aggregate 12", {{atoms, 256}, {256, 12}},
        [&, features](Tape& tape, In const& x) {
          return m2u::basis_aggregate(tape, x[0], x[1], features, c.incoming, c.source, c.target);
        },
        bench::product(edges, 12, 256));
    op("filter_aggregate", {{atoms, 128}, {edges, 128}}, [&](Tape& tape, In const& x) {
      return m2u::filter_aggregate(tape, x[0], x[1], c.incoming, c.source, c.target);
    });
    op("fade", {{edges, 128}},
       [&](Tape& tape, In const& x) { return m2u::fade(tape, x[0], c.distances, 8.0F); });
    op("graph_norm", {{atoms, 256}, {1, 256}, {1, 256}, {1, 256}}, [&](Tape& tape, In const& x) {
      return m2u::graph_norm(tape, x[0], c.atoms, x[1], x[2], x[3]);
    });
    // Functions of the geometry: they have no backward pass.
    constant("spherical_basis",
             [&](Tape& tape) { m2u::spherical_basis(tape, c.distances, c.geometry, 3, 8.0F); });
    constant("radial_basis", [&](Tape& tape) { m2u::radial_basis(tape, c.distances, 32, 8.0F); });
  }

  template <class F>
  void constant(std::string const& name, F const& f) {
    bench::add_benchmark(name + "/forward", [=, this]() -> bench::Step {
      m2u::Parameters<Space> const theta(space_, layout_, m2u::Seed{1});
      auto const tape = std::make_shared<Tape>(space_, theta, m2u::Mode::training);
      return [=, space = space_](std::uint64_t number) {
        tape->reset(number);
        f(*tape);
        space.fence();
      };
    });
  }

  void objectives() {
    constexpr int n = 256;
    op(
        "nt_xent", {{n, 128}, {n, 128}},
        [](Tape& tape, In const& x) { return m2u::nt_xent(tape, x[0], x[1], 0.2F); },
        bench::product(2 * n, 128, 2 * n));
    op(
        "symmetric_info_nce", {{n, 128}, {n, 128}},
        [](Tape& tape, In const& x) { return m2u::symmetric_info_nce(tape, x[0], x[1], 0.2F); },
        bench::product(n, 128, n));
    op("cosine_loss", {{n, 128}, {n, 128}},
       [](Tape& tape, In const& x) { return m2u::cosine_loss(tape, x[0], x[1]); });
    op("cross_attention", {{n, 128}, {3 * n, 128}}, [](Tape& tape, In const& x) {
      return m2u::cross_attention(tape, x[0], x[1], x[1], 4, {.dropout = 0.1F});
    });
    auto const labels = m2u::make_vector<int>(space_, "m2u::bench::labels", 3 * n);
    Kokkos::deep_copy(space_, labels, 1);
    op("cross_entropy", {{3 * n, 3}},
       [=](Tape& tape, In const& x) { return m2u::cross_entropy(tape, x[0], labels); });
  }

  Space space_;
  Batches const& batches_;
  m2u::ParameterLayout layout_;
};

}  // namespace

int main(int argc, char** argv) {
  return bench::run_benchmarks(argc, argv, [](Space const& space, std::string const& data) {
    auto const batches = std::make_shared<Batches>(space, data);
    auto const registration = std::make_shared<Registration>(space, *batches);
    (*registration)();
    return [batches, registration] {};  // the benchmarks point into them
  });
}
