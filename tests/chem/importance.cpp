// SPDX-License-Identifier: Apache-2.0
// Whether importance means something: an encoder learns a task whose answer is a known group, and
// the methods are asked which group it looks at. docs/explain.md has the figures.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "chem/shared_data.hpp"
#include "m2u/chem/features.hpp"
#include "m2u/chem/functional_groups.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/explain/attention.hpp"
#include "m2u/explain/gradient.hpp"
#include "m2u/explain/masking.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/ops/concat_columns.hpp"
#include "m2u/ops/cross_entropy.hpp"
#include "m2u/train/adam.hpp"

namespace {

using S = Kokkos::DefaultExecutionSpace;

struct Sample {
  m2u::GraphRecord graph;
  std::vector<m2u::AtomGroup> named;  ///< functional groups and ring systems
  std::vector<m2u::AtomGroup> brics;
  int label = 0;  ///< whether the group is there
};

bool is_called(m2u::AtomGroup const& group, std::string const& name) {
  return group.name == name || group.name.starts_with(name + ".");
}

struct Labelled {
  std::string smiles;
  int label = 0;
};

/// Molecules of a file that RDKit reads, of a size as drugs have.
void add_molecules(std::filesystem::path const& file, std::string const& answer,
                   std::vector<Labelled>& molecules) {
  m2u::Rejects rejects;
  for (auto const& record : m2u::read_molecules(file, rejects)) {
    auto const parsed = m2u::parse_molecule(record);
    if (parsed && parsed.mol->getNumAtoms() >= 8 && parsed.mol->getNumAtoms() <= 60) {
      auto const groups = m2u::hierarchy_groups(*parsed.mol);
      bool const there = std::any_of(groups.begin(), groups.end(),
                                     [&](auto const& group) { return is_called(group, answer); });
      molecules.push_back({record.smiles, there ? 1 : 0});
    }
  }
}

Sample make_sample(Labelled const& molecule) {
  auto const parsed = m2u::parse_smiles(molecule.smiles);
  auto const& mol = *parsed.mol;
  Sample sample{m2u::featurise(mol), m2u::hierarchy_groups(mol), m2u::brics_fragments(mol),
                molecule.label};
  auto rings = m2u::ring_systems(mol);
  sample.named.insert(sample.named.end(), rings.begin(), rings.end());
  return sample;
}

std::vector<Sample> make_samples(std::span<Labelled const> molecules) {
  std::vector<Sample> samples;
  for (auto const& molecule : molecules) {
    samples.push_back(make_sample(molecule));
  }
  return samples;
}

std::vector<Sample const*> pointers(std::vector<Sample> const& samples) {
  std::vector<Sample const*> result;
  for (auto const& sample : samples) {
    result.push_back(&sample);
  }
  return result;
}

m2u::GraphBatch<m2u::Host> batch_of(std::vector<Sample const*> const& samples) {
  std::vector<m2u::GraphView> views;
  for (auto const* const sample : samples) {
    views.push_back(sample->graph.view());
  }
  return m2u::make_graph_batch(views, m2u::molecule_columns());
}

struct Head {
  m2u::Linear linear;
  template <m2u::ExecutionSpace Space, class R>
  m2u::Tensor<Space, R> operator()(m2u::Tape<Space, R>& tape,
                                   m2u::Tensor<Space, R> const& rows) const {
    return linear(tape, rows);
  }
};

/// An encoder with a head that says whether the group is there.
class Classifier {
 public:
  Classifier(m2u::GpsOptions const& options, m2u::Seed seed)
      : f_{m2u::Gps{layout_.scope("hub"), options},
           Head{{layout_.scope("head"), options.width, 1}}},
        theta_(S{}, layout_, seed) {}

  void train(std::vector<Sample const*> const& samples, int epochs) {
    m2u::Adam<S> adam(theta_, {.learning_rate = 1e-3});
    m2u::Tape<S> tape(S{}, theta_, m2u::Mode::training, m2u::Seed{7});
    constexpr std::size_t size = 64;
    std::uint64_t step = 0;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      auto const order =
          m2u::random_permutation(static_cast<int>(samples.size()), m2u::Seed{3},
                                  m2u::stream_of("importance") + static_cast<unsigned>(epoch));
      for (std::size_t first = 0; first + size <= order.size(); first += size) {
        std::vector<Sample const*> chosen;
        std::vector<int> labels;
        for (std::size_t i = first; i < first + size; ++i) {
          chosen.push_back(samples[static_cast<std::size_t>(order[i])]);
          labels.push_back(chosen.back()->label);
        }
        tape.reset(step++);
        theta_.zero_gradients(S{});
        tape.backward(loss(tape, m2u::to_space(S{}, batch_of(chosen)), labels));
        adam.step(S{});
      }
    }
  }

  double accuracy(std::vector<Sample const*> const& samples) const {
    m2u::Tape<S> tape(S{}, theta_, m2u::Mode::evaluation);
    int right = 0;
    for (auto const* const sample : samples) {
      tape.reset(0);
      auto const batch = m2u::to_space(S{}, batch_of({sample}));
      auto const logit =
          m2u::to_host(S{}, f_(tape, f_.encoder.embed(tape, batch), batch).value).at(0);
      right += (logit > 0.0F) == (sample->label == 1) ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(samples.size());
  }

  /// Scores of groups by every method, by name.
  std::map<std::string, std::vector<double>> scores(
      Sample const& sample, std::vector<m2u::AtomGroup> const& groups) const {
    std::vector<m2u::NodeGroup> atoms;
    for (auto const& group : groups) {
      atoms.push_back(group.atoms);
    }
    auto const graph = batch_of({&sample});
    auto const& encoder = f_.encoder;
    auto attention = m2u::undirected(m2u::attention_importance(S{}, encoder, theta_, graph), graph,
                                     m2u::BondScore::mean);
    auto const gradient = m2u::undirected(m2u::gradient_importance(S{}, encoder, theta_, graph, f_),
                                          graph, m2u::BondScore::sum);
    return {{"attention", m2u::group_means(attention, atoms)},
            {"gradient x input", m2u::group_sums(gradient, atoms)},
            {"gradient, mean", m2u::group_means(gradient, atoms)},
            {"masking, removed", m2u::masked_groups(S{}, encoder, theta_, graph, f_, atoms,
                                                    {.masking = m2u::Masking::remove})},
            {"masking, zeros", m2u::masked_groups(S{}, encoder, theta_, graph, f_, atoms,
                                                  {.masking = m2u::Masking::zero})}};
  }

 private:
  m2u::Scalar<S> loss(m2u::Tape<S>& tape, m2u::GraphBatch<S> const& batch,
                      std::vector<int> const& labels) const {
    auto const logit = f_(tape, f_.encoder.embed(tape, batch), batch);
    auto const zero = tape.matrix(batch.graphs(), 1);
    Kokkos::deep_copy(tape.space(), zero, 0.0F);
    return m2u::cross_entropy(tape, m2u::concat_columns(tape, tape.constant(zero), logit),
                              m2u::to_space<S>(S{}, m2u::host_vector("labels", labels)));
  }

  m2u::ParameterLayout layout_;
  m2u::HeadOnGraphs<m2u::Gps, Head> f_;
  m2u::Parameters<S> theta_;
};

/// How often a right group comes first, over molecules.
struct Share {
  std::map<std::string, double> top;  ///< per method, and "chance"
  int molecules = 0;
  double groups = 0.0;  ///< mean number
};

/// @param right (sample, group) → whether the group is a right answer
template <class Right>
Share top_share(Classifier const& classifier, std::vector<Sample const*> const& samples,
                std::vector<m2u::AtomGroup> Sample::* groups, Right const& right) {
  Share share;
  for (auto const* const sample : samples) {
    auto const& candidates = sample->*groups;
    double answers = 0.0;
    for (auto const& group : candidates) {
      answers += right(*sample, group) ? 1.0 : 0.0;
    }
    ++share.molecules;
    share.groups += static_cast<double>(candidates.size());
    share.top["chance"] += answers / static_cast<double>(candidates.size());
    for (auto const& [method, scores] : classifier.scores(*sample, candidates)) {
      bool const hit = right(*sample, candidates[m2u::ranked(scores).front()]);
      share.top[method] += hit ? 1.0 : 0.0;
    }
  }
  for (auto& [method, sum] : share.top) {
    sum /= std::max(1, share.molecules);
  }
  share.groups /= std::max(1, share.molecules);
  return share;
}

std::string text_of(Share const& share) {
  std::ostringstream text;
  text << "  " << share.molecules << " molecules, " << share.groups << " candidates each\n";
  for (auto const& [method, top] : share.top) {
    text << "  top-1 " << top << "  " << method << '\n';
  }
  return text.str();
}

/// Molecules with the answer and at least so many candidates, the first `most` of them.
std::vector<Sample const*> to_explain(std::vector<Sample const*> const& samples,
                                      std::vector<m2u::AtomGroup> Sample::* groups,
                                      std::size_t least, std::size_t most) {
  std::vector<Sample const*> chosen;
  for (auto const* const sample : samples) {
    if (sample->label == 1 && (sample->*groups).size() >= least && chosen.size() < most) {
      chosen.push_back(sample);
    }
  }
  return chosen;
}

/// Every group that is part of the answer.
auto named(std::string const& answer) {
  return [answer](Sample const&, m2u::AtomGroup const& group) { return is_called(group, answer); };
}

/// Every fragment that holds all of a group that is part of the answer.
auto holds(std::string const& answer) {
  return [answer](Sample const& sample, m2u::AtomGroup const& fragment) {
    return std::any_of(sample.named.begin(), sample.named.end(), [&](auto const& group) {
      return is_called(group, answer) && std::includes(fragment.atoms.begin(), fragment.atoms.end(),
                                                       group.atoms.begin(), group.atoms.end());
    });
  };
}

}  // namespace

TEST_CASE("gradient and masking find the group that a small model learned", "[chem][importance]") {
  std::string const answer = "Halogen";
  std::vector<Labelled> molecules;
  add_molecules(M2U_SOURCE_DIR "/examples/data/drugs.tsv", answer, molecules);
  auto const samples = make_samples(molecules);
  auto const all = pointers(samples);
  Classifier classifier({.width = 32, .layers = 2, .heads = 4}, m2u::Seed{5});
  auto const chosen = to_explain(all, &Sample::named, 4, 40);
  REQUIRE(chosen.size() >= 30);
  auto const before = top_share(classifier, chosen, &Sample::named, named(answer));
  classifier.train(all, 25);
  double const accuracy = classifier.accuracy(all);
  auto const after = top_share(classifier, chosen, &Sample::named, named(answer));
  INFO("before training:\n" << text_of(before) << "after:\n" << text_of(after));
  CHECK(accuracy > 0.95);
  for (auto const* const method : {"gradient x input", "masking, removed"}) {
    INFO(method);
    CHECK(after.top.at(method) > 0.7);
    CHECK(after.top.at(method) > before.top.at(method) + 0.2);
    CHECK(after.top.at(method) > 2.0 * after.top.at("chance"));
  }
}

// Takes minutes, and the shared data: run with test_chem '[nitro]'.
TEST_CASE("which method finds the nitro group", "[.][nitro]") {
  std::string const answer = "Nitro";
  std::vector<Labelled> molecules;
  for (auto const* const file : {"data/multimodal.tsv.gz", "data/hiv.csv.gz"}) {
    add_molecules(m2u::test::shared_file(file), answer, molecules);
  }
  // Every molecule with the group, and as many without, in a random order.
  std::vector<Labelled> parts[2];
  auto const order = m2u::random_permutation(static_cast<int>(molecules.size()), m2u::Seed{1},
                                             m2u::stream_of("nitro"));
  for (int const place : order) {
    auto const& molecule = molecules[static_cast<std::size_t>(place)];
    parts[molecule.label].push_back(molecule);
  }
  constexpr std::size_t held_out = 600;
  auto const most = std::min(parts[0].size(), parts[1].size());
  REQUIRE(most > 2 * held_out);
  std::vector<Labelled> train_part;
  std::vector<Labelled> test_part;
  for (auto const& part : parts) {
    auto const middle = part.begin() + held_out;
    test_part.insert(test_part.end(), part.begin(), middle);
    train_part.insert(train_part.end(), middle, part.begin() + static_cast<std::ptrdiff_t>(most));
  }
  auto const train = make_samples(train_part);
  auto const test = make_samples(test_part);
  std::printf("%zu molecules to train on, %zu held out, half of each with the group\n",
              train.size(), test.size());
  auto const by_name = to_explain(pointers(test), &Sample::named, 4, 200);
  auto const by_fragment = to_explain(pointers(test), &Sample::brics, 3, 200);
  auto const report = [&](char const* what, Classifier const& classifier) {
    std::printf("%s: accuracy %.4f\nfunctional groups and rings\n%sBRICS fragments\n%s\n", what,
                classifier.accuracy(pointers(test)),
                text_of(top_share(classifier, by_name, &Sample::named, named(answer))).c_str(),
                text_of(top_share(classifier, by_fragment, &Sample::brics, holds(answer))).c_str());
    std::fflush(stdout);
  };
  for (unsigned const seed : {1U, 2U, 3U}) {
    Classifier classifier({}, m2u::Seed{seed});
    if (seed == 1) {
      report("untrained", classifier);
    }
    classifier.train(pointers(train), 4);
    report(("seed " + std::to_string(seed)).c_str(), classifier);
  }
}
