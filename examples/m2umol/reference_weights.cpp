// SPDX-License-Identifier: Apache-2.0
#include "m2umol/reference_weights.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "m2u/core/error.hpp"
#include "m2u/parameters/content_sum.hpp"

namespace m2umol {

namespace {

/// The place in ours of element i of a reference tensor.
class Place {
 public:
  Place(ReferenceTensor const& reference, m2u::NamedTensor const& ours)
      : transposed_(reference.placing == Placing::transposed),
        rows_(transposed_ ? static_cast<std::size_t>(reference.shape.at(0)) : 1),
        cols_(transposed_ ? static_cast<std::size_t>(reference.shape.at(1)) : 1),
        first_(reference.placing == Placing::rows
                   ? static_cast<std::size_t>(reference.first_row * ours.shape.at(1))
                   : 0) {}
  std::size_t operator()(std::size_t i) const {
    return transposed_ ? i % cols_ * rows_ + i / cols_ : first_ + i;
  }

 private:
  bool transposed_;
  std::size_t rows_;
  std::size_t cols_;
  std::size_t first_;
};

std::size_t size_of(std::vector<std::int64_t> const& shape) {
  std::size_t size = 1;
  for (auto const extent : shape) {
    size *= static_cast<std::size_t>(extent);
  }
  return size;
}

bool begins_with_any(std::string const& name, std::vector<std::string> const& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string const& prefix) { return name.starts_with(prefix); });
}

/// One import: takes the tensors of a file one by one and collects what is wrong.
class Importer {
 public:
  Importer(m2u::SafetensorsFile const& file, std::vector<m2u::NamedTensor> ours,
           ImportOptions const& options)
      : file_(file), options_(options) {
    result_.tensors = std::move(ours);
    for (std::size_t i = 0; i < result_.tensors.size(); ++i) {
      index_[result_.tensors[i].name] = i;
    }
    for (auto const& name : file.names()) {
      find_place_of(name);
    }
  }

  ImportedWeights run() {
    auto const expected = reference_tensors(result_.tensors, options_.form);
    for (auto const& prefix : options_.allow_missing) {
      m2u::expects(std::any_of(expected.begin(), expected.end(),
                               [&](auto const& t) { return t.name.starts_with(prefix); }),
                   "--allow-missing ", prefix, ": no tensor of the reference begins so");
    }
    for (auto const& tensor : expected) {
      take(tensor);
    }
    for (auto const& [name, in_file] : found_) {
      problems_ +=
          "\n  unexpected: " + in_file + " " + m2u::detail::shape_text(file_.info(in_file).shape);
    }
    m2u::expects(problems_.empty(), file_.path().string(), " does not fit the reference's ",
                 to_string(options_.form), " model:", problems_);
    return std::move(result_);
  }

 private:
  void find_place_of(std::string const& name) {
    if (auto const reason = left_out_reason(name, options_.form)) {
      result_.left_out.emplace_back(name, *reason);
    } else if (!found_.emplace(name_in_form(name, options_.form), name).second) {
      problems_ += "\n  twice: " + name + ", with and without the prefix of files of both forms";
    }
  }

  void take(ReferenceTensor const& tensor) {
    auto const found = found_.extract(tensor.name);
    if (tensor.placing == Placing::counter) {
      return;  // there or not, ours has no use for it
    }
    if (found.empty()) {
      if (begins_with_any(tensor.name, options_.allow_missing)) {
        result_.kept.push_back(tensor.name);
      } else {
        problems_ += "\n  missing: " + tensor.name + " " + m2u::detail::shape_text(tensor.shape);
      }
      return;
    }
    auto const& info = file_.info(found.mapped());
    if (info.shape != tensor.shape) {
      problems_ += "\n  misshapen: " + tensor.name + " is " + m2u::detail::shape_text(info.shape) +
                   ", but the model has " + m2u::detail::shape_text(tensor.shape);
      return;
    }
    if (!m2u::SafetensorsFile::holds_floats(info)) {
      problems_ += "\n  not of floats: " + tensor.name + " is of type " + info.type;
      return;
    }
    put(tensor, file_.tensor(found.mapped()).values);
  }

  void put(ReferenceTensor const& tensor, std::vector<float> const& values) {
    if (!std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); })) {
      problems_ += "\n  not finite: " + tensor.name;
      return;
    }
    if (tensor.placing == Placing::zero) {
      if (values.front() != 0.0F) {
        problems_ += "\n  not zero: " + tensor.name + " is " + std::to_string(values.front()) +
                     ", but only 0 is supported";
      }
      return;
    }
    put_reference(tensor, values, result_.tensors[index_.at(tensor.ours)]);
  }

  m2u::SafetensorsFile const& file_;
  ImportOptions const& options_;
  ImportedWeights result_;
  std::map<std::string, std::size_t> index_;  ///< of our names
  std::map<std::string, std::string> found_;  ///< names of the form to those in the file
  std::string problems_;
};

}  // namespace

ReferenceForm form_of(m2u::SafetensorsFile const& file) {
  auto const names = file.names();
  if (std::any_of(names.begin(), names.end(), [](std::string const& name) {
        return name.starts_with("linx.atom_embedding_list.");
      })) {
    return ReferenceForm::pretraining;
  }
  m2u::expects(file.contains("linx.weight") || file.contains("finetune.linx.weight"),
               file.path().string(),
               " holds neither linx.atom_embedding_list.0.weight nor linx.weight, so it is not of "
               "M2UMol's names; say --form if only these are missing");
  return ReferenceForm::package;
}

ImportedWeights import_weights(m2u::SafetensorsFile const& file, std::vector<m2u::NamedTensor> ours,
                               ImportOptions const& options) {
  return Importer(file, std::move(ours), options).run();
}

void put_reference(ReferenceTensor const& reference, std::span<float const> values,
                   m2u::NamedTensor& ours) {
  Place const place(reference, ours);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ours.values[place(i)] = values[i];
  }
}

ExportedWeights export_weights(std::vector<m2u::NamedTensor> const& ours, ReferenceForm form) {
  std::map<std::string, m2u::NamedTensor const*> by_name;
  for (auto const& tensor : ours) {
    by_name[tensor.name] = &tensor;
  }
  ExportedWeights result;
  for (auto const& reference : reference_tensors(ours, form)) {
    if (reference.placing == Placing::counter) {
      result.counters.push_back({reference.name, reference.shape, {0}});
      continue;
    }
    m2u::NamedTensor tensor{reference.name, reference.shape,
                            std::vector<float>(size_of(reference.shape), 0.0F)};
    if (reference.placing != Placing::zero) {
      auto const& source = *by_name.at(reference.ours);
      Place const place(reference, source);
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        tensor.values[i] = source.values[place(i)];
      }
    }
    result.tensors.push_back(std::move(tensor));
  }
  return result;
}

}  // namespace m2umol
