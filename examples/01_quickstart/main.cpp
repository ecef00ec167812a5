// SPDX-License-Identifier: Apache-2.0
// Shapes, texts and targets of drugs teach an encoder that needs only the 2D graph.
#include <cstdio>

#include "m2u/chem.hpp"

using Space = Kokkos::DefaultExecutionSpace;

int main(int argc, char** argv) {
  Kokkos::ScopeGuard const kokkos(argc, argv);

  // 300 drugs. Not all have a text or targets, and only the small ones get a 3D shape here: a
  // modality may be missing anywhere, except the 2D graph.
  m2u::Rejects rejects;
  auto const records = m2u::read_molecules(M2U_EXAMPLE_DATA "/drugs.tsv", rejects);
  auto const prepared = m2u::prepare_molecules(
      records, {.conformers = {.max_atoms = 30}, .text = {.buckets = 4096}, .text_width = 0});
  m2u::TableDataset const drugs{prepared.table};
  std::vector<int> train;
  std::vector<int> held_out;  // with text, to ask for it
  for (int row = 0; row < drugs.size(); ++row) {
    (row % 5 == 0 && drugs.present("text", row) ? held_out : train).push_back(row);
  }

  m2u::ParameterLayout layout;
  m2u::MultiToUni const model{
      m2u::hub(m2u::Gps{layout.scope("hub"), {.width = 64, .layers = 2}}),
      m2u::match<"3d">(m2u::SchNet{layout.scope("3d"), {.width = 64, .filters = 64, .out = 64}},
                       m2u::LinearAdapter{layout.scope("to_3d"), 64, 64}, m2u::NtXent{}),
      m2u::match<"text">(
          m2u::HashedText{layout.scope("text"), {.buckets = 4096, .width = 64, .out = 64}},
          m2u::LinearAdapter{layout.scope("to_text"), 64, 64}, m2u::NtXent{}),
      m2u::match<"bio">(
          m2u::MultiHot{
              layout.scope("bio"),
              {.vocabularies = {prepared.targets.size(), prepared.categories.size()}, .out = 64}},
          m2u::LinearAdapter{layout.scope("to_bio"), 64, 64}, m2u::NtXent{}),
      m2u::joint(m2u::ModalityClassifier{layout.scope("modality"), {.width = 64}})};

  m2u::Parameters<Space> const theta{Space{}, layout, m2u::Seed{42}};
  m2u::Adam<Space> adam{theta, {.learning_rate = 1e-3}};
  m2u::Trainer trainer{model, theta, adam, m2u::ProgressBar{{.unit = "molecules"}},
                       m2u::Checkpoints{"run/quickstart", {.overwrite = true}}};
  trainer.fit(m2u::batches<Space>(drugs, {.size = 64}, train), {.epochs = 20});

  // Which of the held-out texts belongs to this graph? Rank them by what the graph generates.
  auto source = m2u::batches<Space>(drugs, {.shuffle = false}, held_out);
  auto const text = m2u::embed(Space{}, model, theta, source).modality("text");
  auto const found = m2u::retrieval_metrics(text.generated.values, text.real.values, 64);
  std::printf("held-out texts by 2D graph: %.0f %% among the first 5 of %d (chance %.0f %%)\n",
              100.0 * found.recall_at_5, found.pool, 500.0 / found.pool);
}
