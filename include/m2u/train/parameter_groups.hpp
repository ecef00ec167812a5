// SPDX-License-Identifier: Apache-2.0
/// @file
/// Learning rates and weight decay per part of a model.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "m2u/kernels/optimiser.hpp"
#include "m2u/parameters/parameters.hpp"

namespace m2u {

/// The parameters below a scope, with a learning rate of their own.
struct ParameterGroup {
  std::string scope;  ///< "hub" or "hub.": every name below it; or a whole name
  double learning_rate = 1e-3;
  std::optional<double> weight_decay = {};  ///< as the optimiser's if unset
};

/// Per block of 64 parameters the group, per group its rates, in the memory of S.
template <ExecutionSpace S>
struct GroupTable {
  Vector<int, S> groups;        ///< [parameters / 64]
  Vector<GroupRates, S> rates;  ///< [groups + 1]; the first is for parameters in no group
};

namespace detail {

inline bool in_scope(std::string_view name, std::string_view scope) {
  if (!scope.empty() && scope.back() == '.') {
    scope.remove_suffix(1);
  }
  return name.starts_with(scope) && (name.size() == scope.size() || name[scope.size()] == '.');
}

/// The scopes at the top of the names, for messages.
inline std::string top_scopes(std::vector<LayoutEntry> const& entries) {
  std::set<std::string> scopes;
  for (auto const& entry : entries) {
    scopes.insert(entry.name.substr(0, entry.name.find('.')));
  }
  std::string text;
  for (auto const& scope : scopes) {
    text += (text.empty() ? "" : ", ") + scope;
  }
  return text;
}

/// The group of a name: the longest scope that holds it, -1 for none.
inline int group_of(std::string const& name, std::vector<ParameterGroup> const& groups) {
  int best = -1;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    bool const longer =
        best < 0 || groups[i].scope.size() > groups[static_cast<std::size_t>(best)].scope.size();
    if (longer && in_scope(name, groups[i].scope)) {
      best = static_cast<int>(i);
    }
  }
  return best;
}

}  // namespace detail

/// Assigns every parameter to the group with the longest scope that holds it.
/// @throws Error if a scope holds no parameter or is given twice, or a rate is negative or not
/// finite.
template <ExecutionSpace S>
GroupTable<S> make_group_table(S const& space, ParameterLayout const& layout, GroupRates base,
                               std::vector<ParameterGroup> const& groups) {
  auto const check_rates = [](std::string const& what, GroupRates const& rates) {
    expects(rates.learning_rate >= 0.0 && std::isfinite(rates.learning_rate) &&
                rates.weight_decay >= 0.0 && std::isfinite(rates.weight_decay),
            what, ": learning rate ", rates.learning_rate, " and weight decay ", rates.weight_decay,
            " must be non-negative numbers");
  };
  check_rates("optimiser", base);
  std::vector<GroupRates> rates{base};
  for (auto const& group : groups) {
    auto const& entries = layout.parameters();
    expects(
        std::any_of(entries.begin(), entries.end(),
                    [&](auto const& entry) { return detail::in_scope(entry.name, group.scope); }),
        "optimiser: the parameter group \"", group.scope, "\" holds no parameter; the scopes are ",
        detail::top_scopes(entries));
    expects(std::count_if(groups.begin(), groups.end(),
                          [&](auto const& other) { return other.scope == group.scope; }) == 1,
            "optimiser: the parameter group \"", group.scope, "\" is given twice");
    rates.push_back({group.learning_rate, group.weight_decay.value_or(base.weight_decay)});
    check_rates("optimiser: the parameter group \"" + group.scope + "\"", rates.back());
  }
  static_assert(ParameterLayout::alignment == kernels::parameter_block);
  std::vector<int> table(layout.parameter_size() / ParameterLayout::alignment, 0);
  for (auto const& entry : layout.parameters()) {
    auto const first = entry.slice.offset / ParameterLayout::alignment;
    auto const last = (entry.slice.offset + entry.slice.size() - 1) / ParameterLayout::alignment;
    for (auto block = first; block <= last; ++block) {
      table[block] = detail::group_of(entry.name, groups) + 1;
    }
  }
  GroupTable<S> result{make_vector<int>(space, "m2u::train::groups", table.size()),
                       make_vector<GroupRates>(space, "m2u::train::rates", rates.size())};
  from_host(space, std::span<int const>(table), result.groups);
  from_host(space, std::span<GroupRates const>(rates), result.rates);
  return result;
}

}  // namespace m2u
