// SPDX-License-Identifier: Apache-2.0
// m2umol import and export: weights of the published implementation to ours and back.
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "m2umol/program.hpp"
#include "m2umol/reference_weights.hpp"

namespace m2umol {

namespace {

namespace fs = std::filesystem;

struct ImportArguments {
  std::string from;
  std::string names = "m2umol";
  std::string out;
  std::string form = "auto";
  int heads = 4;
  std::vector<std::string> allow_missing;
};

struct ExportArguments {
  std::string model;
  std::string names = "m2umol";
  std::string out;
};

/// Sizes that the shapes of a file's tensors tell.
class Sizes {
 public:
  Sizes(m2u::SafetensorsFile const& file, ReferenceForm form) : file_(file) {
    for (auto const& name : file.names()) {
      if (!left_out_reason(name, form)) {
        names_.emplace(name_in_form(name, form), name);
      }
    }
  }

  /// An extent of a tensor, else what the published model has.
  int extent(std::string const& name, std::size_t axis, int published) const {
    constexpr std::int64_t largest = 1 << 20;
    auto const found = names_.find(name);
    if (found == names_.end() || file_.info(found->second).shape.size() <= axis) {
      return published;  // the tensor is reported as missing or misshapen
    }
    auto const size = file_.info(found->second).shape[axis];
    m2u::expects(size > 0 && size <= largest, file_.path().string(), ": the tensor ", name, " has ",
                 size, axis == 0 ? " rows" : " columns", ", which is not between 1 and ", largest);
    return static_cast<int>(size);
  }

  /// How many numbered modules there are: those of `before` + number + `after`.
  int count(std::string const& before, std::string const& after, int published) const {
    int number = 0;
    while (names_.contains(before + std::to_string(number) + after)) {
      ++number;
    }
    return number == 0 ? published : number;
  }

 private:
  m2u::SafetensorsFile const& file_;
  std::map<std::string, std::string> names_;  ///< names of the form to those in the file
};

Configuration configuration_of(m2u::SafetensorsFile const& file, ReferenceForm form, int heads) {
  Sizes const sizes(file, form);
  bool const package = form == ReferenceForm::package;
  Configuration result;
  result.form = to_string(form);
  result.width = sizes.extent("norm.weight", 0, 128);
  result.layers = sizes.count("encoder2D.", ".norm1.module.weight", 3);
  result.heads = heads;
  result.dropout = package ? 0.3F : 0.1F;
  result.attention_dropout = package ? 0.3F : 0.5F;
  result.encoding_steps = sizes.extent("pe_lin.weight", 1, 20);
  result.encoding_width = sizes.extent("pe_lin.weight", 0, 8);
  result.atoms = package ? "one-hot" : "ogb";
  result.geometry = "published";
  result.three_passes = !package;
  if (!package) {
    result.conformer_width = sizes.extent("encoder3D.emb.emb.weight", 1, 256);
    result.conformer_middle =
        sizes.extent("encoder3D.interaction_blocks.0.lin_feature1.lin1.weight", 0, 64);
    result.conformer_blocks = sizes.count("encoder3D.interaction_blocks.", ".lin.weight", 4);
    result.text_width = sizes.extent("lintext.weight", 1, 768);
    result.bio = {{"targets", sizes.extent("lintar.weight", 1, 4463), {}},
                  {"enzymes", sizes.extent("linenz.weight", 1, 419), {}},
                  {"categories", sizes.extent("lincate.weight", 1, 3607), {}}};
  }
  return result;
}

/// One line per reason and module, for a handful of tensors their names.
void print_left_out(std::vector<std::pair<std::string, std::string>> const& left_out) {
  constexpr std::size_t few = 4;
  std::map<std::string, std::map<std::string, std::vector<std::string>>> groups;
  for (auto const& [name, reason] : left_out) {
    groups[reason][name.substr(0, name.find('.'))].push_back(name);
  }
  for (auto const& [reason, modules] : groups) {
    std::cout << "left out (" << reason << "):\n";
    for (auto const& [module, names] : modules) {
      if (names.size() > few) {
        std::cout << "  " << module << ".* (" << names.size() << " tensors)\n";
        continue;
      }
      for (auto const& name : names) {
        std::cout << "  " << name << '\n';
      }
    }
  }
}

void expect_other_file(std::string const& in, std::string const& out, char const* option) {
  m2u::expects(fs::weakly_canonical(in) != fs::weakly_canonical(out), "--out ", out,
               " would replace the file of ", option);
}

void run_import(ImportArguments const& arguments, Common const& common) {
  expect_other_file(arguments.from, arguments.out, "--from");
  expect_writable(arguments.out);
  m2u::SafetensorsFile const file(arguments.from);
  auto const form = arguments.form == "auto" ? form_of(file) : form_from_string(arguments.form);
  auto const configuration = configuration_of(file, form, arguments.heads);
  Engine const fresh(configuration, common.seed);
  auto const imported = import_weights(file, fresh.tensors(), {form, arguments.allow_missing});
  auto const engine = Engine::from_tensors(configuration, imported.tensors);
  engine.save(arguments.out, {{"imported_from", fs::path(arguments.from).filename().string()},
                              {"initial_values_kept", imported.kept}});
  print_left_out(imported.left_out);
  if (!imported.kept.empty()) {
    std::cerr << "m2umol: warning: " << imported.kept.size()
              << " missing tensors keep their initial values:\n";
    for (auto const& name : imported.kept) {
      std::cerr << "  " << name << '\n';
    }
  }
  std::cout << "wrote a " << to_string(form) << " model of " << engine.parameters()
            << " parameters to " << arguments.out << '\n';
}

/// @throws m2u::Error if the published program would not give a model of these inputs the same
/// ones.
void expect_reference_inputs(Configuration const& model, std::string const& path) {
  bool const package = model.form == "package";
  m2u::expects(model.atoms == (package ? "one-hot" : "ogb"), path, " takes ", model.atoms,
               " features of atoms, but the reference's ", model.form, " model does not");
  if (package) {
    return;
  }
  std::string names;
  for (auto const& vocabulary : model.bio) {
    names += (names.empty() ? "" : ", ") + vocabulary.name;
  }
  m2u::expects(
      names == "targets, enzymes, categories", path, " has the bio vocabularies ", names,
      ", but the reference's model means over three: targets, enzymes, categories; train on a "
      "table that prepare made with a column \"enzymes\"");
  m2u::expects(model.geometry == "published" && model.cutoff == 8.0F, path,
               " was trained with the ", model.geometry, " geometry of conformers and a cutoff of ",
               model.cutoff,
               " Å, but the reference's model has the published one and 8 Å: prepare the data with "
               "--geometry published");
}

void run_export(ExportArguments const& arguments) {
  expect_other_file(arguments.model, arguments.out, "--model");
  expect_writable(arguments.out);
  auto const engine = Engine::load(arguments.model);
  auto const& configuration = engine.configuration();
  m2u::expects(!configuration.predicts(), arguments.model,
               " is fine-tuned: the published names are of pre-trained models and packages");
  expect_reference_inputs(configuration, arguments.model);
  auto const exported = export_weights(engine.tensors(), form_from_string(configuration.form));
  m2u::write_safetensors(arguments.out, exported.tensors, {{"format", "pt"}}, exported.counters);
  std::cout << "wrote " << exported.tensors.size() + exported.counters.size() << " tensors to "
            << arguments.out << '\n';
}

void add_names(CLI::App& command, std::string& names) {
  command
      .add_option("--names", names, "Whose names the tensors have: m2umol, the authors' program")
      ->required()
      ->check(CLI::IsMember({"m2umol"}));
}

}  // namespace

void add_import(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "import", "Turn weights of the published implementation into a model of ours");
  auto const arguments = std::make_shared<ImportArguments>();
  auto& a = *arguments;
  command->add_option("--from", a.from, "The authors' weights as safetensors")
      ->required()
      ->check(not_empty());
  add_names(*command, a.names);
  command->add_option("--out", a.out, "model.safetensors to write")->required()->check(not_empty());
  command
      ->add_option("--form", a.form,
                   "pretraining (all encoders), package (graph encoder, adapters and fusion), or "
                   "auto: by the tensors' names")
      ->check(CLI::IsMember({"auto", "pretraining", "package"}))
      ->capture_default_str();
  command->add_option("--heads", a.heads, "Attention heads, which the weights don't tell")
      ->check(at_least_one())
      ->capture_default_str();
  command
      ->add_option("--allow-missing", a.allow_missing,
                   "Tensors of the file whose names begin so may be missing; they keep the initial "
                   "values of --seed (repeatable)")
      ->type_name("PREFIX")
      ->take_all()
      ->expected(1)
      ->check(not_empty());
  add_common(*command, common);
  command->callback([arguments, &common, &body] {
    body = [arguments, &common] { run_import(*arguments, common); };
  });
}

void add_export(CLI::App& program, Common& common, Body& body) {
  auto* const command = program.add_subcommand(
      "export", "Write a model's weights under the names of the published implementation");
  auto const arguments = std::make_shared<ExportArguments>();
  auto& a = *arguments;
  command->add_option("--model", a.model, "model.safetensors of a run or of import")
      ->required()
      ->check(not_empty());
  add_names(*command, a.names);
  command->add_option("--out", a.out, "Weights to write, as safetensors")
      ->required()
      ->check(not_empty());
  add_common(*command, common);
  command->callback([arguments, &body] { body = [arguments] { run_export(*arguments); }; });
}

}  // namespace m2umol
