// SPDX-License-Identifier: Apache-2.0
// Fine-tuning on a table of molecules with labels: runs over seeds and folds, and their scores.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "m2umol/data_split.hpp"
#include "m2umol/engine.hpp"
#include "m2umol/labelled.hpp"
#include "m2umol/scores.hpp"

namespace m2umol {

struct FinetuneArguments : LabelSource {
  std::string task = "classification";
  std::string split = "scaffold";
  std::string init;  ///< a model, or "random"
  std::string head = "fusion";
  std::string seen;  ///< folder of the pre-training data; empty: not told apart
  std::string out;
  std::vector<int> seeds{0, 1, 2};
  int hidden = 128;
  float dropout = 0.1F;
  bool freeze = false;
  bool balance = false;  ///< weigh labels so that both classes count the same
  bool force = false;    ///< replace what an earlier run left in `out`
  FinetuneOptions training;
};

/// Files of pairs of molecules and what holds between them (`--task ddi`), or of molecules and
/// proteins (`--task dti`).
struct PairSource {
  std::string train;
  std::string validation;  ///< empty: a tenth of the training pairs, by the seed
  std::string test;
  std::string target;  ///< for dti: pairs of the domain to adapt to; empty for none
  std::string molecules;
  std::string id = "id";     ///< column of the molecules' file
  std::string first = "d1";  ///< columns of the pairs' files
  std::string second = "d2";
  std::string type = "type";
  std::string protein = "Protein";  ///< column of letters, for dti
  std::string label = "Y";          ///< column of 0 and 1, for dti
};

/// Reads, trains, prints and writes. @throws m2u::Error if options or files can't be used.
void run_finetune(FinetuneArguments arguments, PairSource const& pairs, int threads);

/// One training: a seed on one split.
struct FinetuneRun {
  int seed = 0;
  int fold = 0;  ///< of k-fold splits
  std::string folder;
  FinetuneOutcome outcome;
  LabelScores train;
  LabelScores validation;
  LabelScores test;
  std::optional<LabelScores> unseen;  ///< test molecules that were not in pre-training
};

/// A new model for the prediction that the configuration tells: what pre-training made from `init`,
/// all else by the seed.  @param init a pre-trained model, or null for none
Engine tuned_engine(Configuration configuration, Engine const* init, std::uint64_t seed);

/// Runs all seeds and folds; each writes its model, log and predictions.
std::vector<FinetuneRun> finetune_runs(FinetuneArguments const& arguments,
                                       LabelledMolecules const& molecules,
                                       std::vector<bool> const& seen, Engine const* init,
                                       Configuration const& base, int threads);

/// The options of one run: its seed, and its log in its folder.
FinetuneOptions training_of(FinetuneArguments const& arguments, int seed,
                            std::filesystem::path const& folder, int threads);

/// Tells on standard error how many pairs have a molecule that can't be used; nothing for none.
void warn_of_left_out(int pairs);

/// What training and testing on pairs gives, for one seed.
struct PairsRun {
  FinetuneOutcome outcome;
  std::map<std::string, double> test;              ///< measures
  nlohmann::json more = nlohmann::json::object();  ///< for metrics.json
  std::string note;                                ///< a line to print, with its end
};
/// The runs of all seeds on pairs.
struct PairsJob {
  std::string train;    ///< file of the pairs
  std::string measure;  ///< what chooses the epoch, such as "roc_auc"
  std::string title;    ///< the same for people
  nlohmann::json json;  ///< what metrics.json tells of all runs
  /// Trains and tests a model, and writes its predictions into the folder.
  std::function<PairsRun(Engine&, FinetuneOptions const&, std::filesystem::path const&)> run;
};
/// Runs every seed; prints, and writes the models and metrics.json.
void run_seeds(FinetuneArguments const& arguments, Configuration const& configuration,
               Engine const* init, PairsJob job, int threads);

/// Fine-tuning on pairs: reads, trains for every seed, prints and writes.
void run_finetune_pairs(FinetuneArguments const& arguments, PairSource const& source,
                        Engine const* init, Configuration configuration, int threads);

/// The same on molecules and proteins.
void run_finetune_interactions(FinetuneArguments const& arguments, PairSource const& source,
                               Engine const* init, Configuration configuration, int threads);

/// Mean and standard deviation of a measure over runs.
struct RunSummary {
  int runs = 0;
  double mean = 0.0;
  std::optional<double> deviation;  ///< needs two runs
};
RunSummary summarise(std::vector<std::optional<double>> const& values);

}  // namespace m2umol
