// SPDX-License-Identifier: Apache-2.0
#include "m2umol/reference_names.hpp"

#include <algorithm>
#include <array>

#include "m2u/core/error.hpp"
#include "m2u/encoders/gps.hpp"

namespace m2umol {

namespace {

/// A tensor of a module of the reference, and of ours.
struct Member {
  char const* reference;
  char const* ours;
  Placing placing = Placing::whole;
};
using Members = std::vector<Member>;

Members const linear{{".weight", ".weight"}, {".bias", ".bias"}};
Members const bare_weight{{".weight", ""}};
Members const embedding{{".weight", ".weight"}};
Members const tables{{".weight", ".weight", Placing::rows}};
Members const multi_hot{{".weight", ".weight", Placing::transposed}, {".bias", ".bias"}};
Members const graph_norm{
    {".weight", ".weight"}, {".bias", ".bias"}, {".mean_scale", ".mean_scale"}};
Members const batch_norm{{".weight", ".weight"},
                         {".bias", ".bias"},
                         {".running_mean", ".running_mean"},
                         {".running_var", ".running_var"},
                         {".num_batches_tracked", ".running_mean", Placing::counter}};
Members const attention{{".in_proj_weight", ".in_proj.weight"},
                        {".in_proj_bias", ".in_proj.bias"},
                        {".out_proj.weight", ".out_proj.weight"},
                        {".out_proj.bias", ".out_proj.bias"}};
Members const gine_eps{{".eps", ".linear1.bias", Placing::zero}};

enum class Forms { both, pretraining, package };

bool has(Forms forms, ReferenceForm form) {
  return forms == Forms::both || (forms == Forms::package) == (form == ReferenceForm::package);
}

/// A module of the reference and the same of ours. Each * stands for a number, in both in the same
/// order; ours has none for those that are stacked.
struct Rule {
  char const* reference;
  char const* ours;
  Members const* members;
  Forms forms = Forms::both;
};

std::vector<Rule> const rules{
    // The 2D encoder.
    {"linx.atom_embedding_list.*", "hub.node_embedding", &tables, Forms::pretraining},
    {"linedgea.bond_embedding_list.*", "hub.edge_embedding", &tables, Forms::pretraining},
    {"linx", "hub.node_linear", &linear, Forms::package},
    {"linedgea", "hub.edge_linear", &linear, Forms::package},
    {"pe_norm", "hub.encoding_norm", &batch_norm},
    {"pe_lin", "hub.encoding_linear", &linear},
    {"encoder2D.*.conv", "hub.layer*.gine", &gine_eps},
    {"encoder2D.*.conv.nn.0", "hub.layer*.gine.linear1", &linear},
    {"encoder2D.*.conv.nn.2", "hub.layer*.gine.linear2", &linear},
    {"encoder2D.*.attn", "hub.layer*.attention", &attention},
    {"encoder2D.*.mlp.0", "hub.layer*.mlp.linear1", &linear},
    {"encoder2D.*.mlp.3", "hub.layer*.mlp.linear2", &linear},
    {"encoder2D.*.norm1.module", "hub.layer*.norm1", &batch_norm},
    {"encoder2D.*.norm2.module", "hub.layer*.norm2", &batch_norm},
    {"encoder2D.*.norm3.module", "hub.layer*.norm3", &batch_norm},
    // The 3D encoder.
    {"encoder3D.emb.emb", "3d.embedding", &embedding, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin", "3d.block*.in", &linear, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin_feature1.lin1", "3d.block*.filter1.inner", &bare_weight,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin_feature1.lin2", "3d.block*.filter1.outer", &bare_weight,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin_feature2.lin1", "3d.block*.filter2.inner", &bare_weight,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin_feature2.lin2", "3d.block*.filter2.outer", &bare_weight,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.conv1.lin_rel", "3d.block*.conv1.neighbours", &linear,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.conv1.lin_root", "3d.block*.conv1.self", &bare_weight,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.conv2.lin_rel", "3d.block*.conv2.neighbours", &linear,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.conv2.lin_root", "3d.block*.conv2.self", &bare_weight,
     Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin1", "3d.block*.post1", &linear, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin2", "3d.block*.post2", &linear, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lin_cat", "3d.block*.join", &linear, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.lins.*", "3d.block*.residual*", &linear, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.norm", "3d.block*.norm", &graph_norm, Forms::pretraining},
    {"encoder3D.interaction_blocks.*.final", "3d.block*.out", &linear, Forms::pretraining},
    {"encoder3D.lins.*", "3d.output*", &linear, Forms::pretraining},
    {"encoder3D.lin_out", "3d.readout", &linear, Forms::pretraining},
    // Text and bio.
    {"lintext", "text.linear", &linear, Forms::pretraining},
    {"lintar", "bio.vocabulary0", &multi_hot, Forms::pretraining},
    {"linenz", "bio.vocabulary1", &multi_hot, Forms::pretraining},
    {"lincate", "bio.vocabulary2", &multi_hot, Forms::pretraining},
    {"linfin", "bio.linear", &linear, Forms::pretraining},
    // Adapters, the shared norm, the classifier and the fusion head.
    {"linto3d", "to_3d.linear", &linear},
    {"lintotext", "to_text.linear", &linear},
    {"lintobio", "to_bio.linear", &linear},
    {"norm", "norm", &linear},
    {"modelcls", "modality.linear", &linear, Forms::pretraining},
    {"attnfea", "fusion", &attention, Forms::package},
    {"normf", "fusion.norm", &batch_norm, Forms::package},
};

/// Tensors of the authors' files that no forward pass of the encoder uses, or that ours does not
/// have.
struct LeftOutRule {
  std::string_view prefix;
  char const* reason;
};
constexpr std::array<LeftOutRule, 4> never_used{{
    {"encoderText.", "the language model, whose vectors are an input here"},
    {"edge_emb.", "the reference never uses it"},
    {"linfi.", "the reference never uses it"},
    {"classification_mlp.", "the head of a downstream task, not of the encoder"},
}};

constexpr std::string_view both_forms_prefix = "finetune.";

/// The numbers that stand for the pattern's stars, if the name is of the pattern.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view name) {
  std::vector<std::string> numbers;
  for (; !pattern.empty(); pattern.remove_prefix(1)) {
    if (pattern.front() == '*') {
      auto const length = std::min(name.find_first_not_of("0123456789"), name.size());
      if (length == 0) {
        return std::nullopt;
      }
      numbers.emplace_back(name.substr(0, length));
      name.remove_prefix(length);
    } else if (name.empty() || name.front() != pattern.front()) {
      return std::nullopt;
    } else {
      name.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(numbers) : std::nullopt;
}

/// The pattern with numbers for its stars.
std::string fill(std::string_view pattern, std::vector<std::string> const& numbers) {
  std::string text;
  auto next = numbers.begin();
  for (char const c : pattern) {
    text += c == '*' ? *next++ : std::string(1, c);
  }
  return text;
}

/// Stacked tables one by one: the reference's sizes are the Open Graph Benchmark's.
void append_tables(Rule const& rule, Member const& member, m2u::NamedTensor const& ours,
                   std::vector<ReferenceTensor>& result) {
  auto const& sizes = std::string_view(rule.ours) == "hub.node_embedding"
                          ? m2u::ogb_atom_vocabularies()
                          : m2u::ogb_bond_vocabularies();
  std::int64_t first = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    result.push_back({fill(rule.reference, {std::to_string(i)}) + member.reference,
                      {sizes[i], ours.shape.at(1)},
                      Placing::rows,
                      ours.name,
                      first});
    first += sizes[i];
  }
  m2u::expects(first == ours.shape.at(0), ours.name, " has ", ours.shape.at(0),
               " rows, but the reference's tables have ", first);
}

std::vector<std::int64_t> shape_of(Member const& member, std::vector<std::int64_t> shape) {
  switch (member.placing) {
    case Placing::transposed:
      return {shape.at(1), shape.at(0)};
    case Placing::zero:
      return {1};
    case Placing::counter:
      return {};
    default:
      return shape;
  }
}

}  // namespace

std::string_view to_string(ReferenceForm form) {
  return form == ReferenceForm::package ? "package" : "pretraining";
}

ReferenceForm form_from_string(std::string_view text) {
  m2u::expects(text == "package" || text == "pretraining", "there is no form \"", text,
               "\" of a model; there are pretraining and package");
  return text == "package" ? ReferenceForm::package : ReferenceForm::pretraining;
}

std::vector<ReferenceTensor> reference_tensors(std::span<m2u::NamedTensor const> ours,
                                               ReferenceForm form) {
  std::vector<ReferenceTensor> result;
  for (auto const& tensor : ours) {
    auto const before = result.size();
    for (auto const& rule : rules) {
      for (auto const& member : *rule.members) {
        auto const numbers = match(std::string(rule.ours) + member.ours, tensor.name);
        if (!numbers || !has(rule.forms, form)) {
          continue;
        }
        if (member.placing == Placing::rows) {
          append_tables(rule, member, tensor, result);
        } else {
          result.push_back({fill(rule.reference, *numbers) + member.reference,
                            shape_of(member, tensor.shape), member.placing, tensor.name});
        }
      }
    }
    m2u::expects(result.size() > before, "the reference's ", to_string(form),
                 " model has no counterpart of ", tensor.name);
  }
  return result;
}

std::optional<std::string> left_out_reason(std::string_view name, ReferenceForm form) {
  if (name.starts_with(both_forms_prefix)) {
    if (form == ReferenceForm::pretraining) {
      return "of the package form";
    }
    name.remove_prefix(both_forms_prefix.size());
  }
  for (auto const& rule : never_used) {
    if (name.starts_with(rule.prefix)) {
      return rule.reason;
    }
  }
  std::optional<std::string> reason;
  for (auto const& rule : rules) {
    for (auto const& member : *rule.members) {
      if (match(std::string(rule.reference) + member.reference, name)) {
        if (has(rule.forms, form)) {
          return std::nullopt;
        }
        reason = form == ReferenceForm::package ? "of the pretraining form" : "of the package form";
      }
    }
  }
  return reason;
}

std::string_view name_in_form(std::string_view name, ReferenceForm form) {
  if (form == ReferenceForm::package && name.starts_with(both_forms_prefix)) {
    name.remove_prefix(both_forms_prefix.size());
  }
  return name;
}

}  // namespace m2umol
