// SPDX-License-Identifier: Apache-2.0
/// @file
/// What the compiled library holds of training, retrieval and data sets, as in ops.hpp; the
/// library's source defines M2U_COMPILE_TRAINING.
#pragma once

#if defined(M2U_COMPILED)

#include "m2u/compiled/ops.hpp"
#include "m2u/data/table_dataset.hpp"
#include "m2u/parameters/save_load.hpp"
#include "m2u/retrieve/top_k.hpp"
#include "m2u/train/adam.hpp"
#include "m2u/train/checkpoint.hpp"
#include "m2u/train/clip.hpp"
#include "m2u/train/diagnose.hpp"
#include "m2u/train/loss_sums.hpp"
#include "m2u/train/sgd.hpp"

namespace m2u::compiled {
using Parameters = m2u::Parameters<Space>;
using TrainingState = m2u::TrainingState<Space>;
}  // namespace m2u::compiled

#if defined(M2U_COMPILE_TRAINING)
#define M2U_TEMPLATE template
#else
#define M2U_TEMPLATE extern template
#endif

namespace m2u {

M2U_TEMPLATE class GradientGuard<compiled::Space>;
M2U_TEMPLATE class detail::AdamBase<compiled::Space>;
M2U_TEMPLATE class Sgd<compiled::Space>;
M2U_TEMPLATE class LossSums<compiled::Space>;

M2U_TEMPLATE GroupTable<compiled::Space> make_group_table(compiled::Space const&,
                                                          ParameterLayout const&, GroupRates,
                                                          std::vector<ParameterGroup> const&);
M2U_TEMPLATE void clip_gradients(compiled::Space const&, compiled::Parameters const&, double);
M2U_TEMPLATE std::string detail::first_non_finite_parameter(compiled::Space const&,
                                                            ParameterLayout const&,
                                                            compiled::FloatList const&);

M2U_TEMPLATE void save_parameters(std::filesystem::path const&, compiled::Parameters const&,
                                  std::map<std::string, std::string>);
M2U_TEMPLATE std::map<std::string, std::string> load_parameters(std::filesystem::path const&,
                                                                compiled::Parameters const&);
M2U_TEMPLATE void assign_parameters(compiled::Parameters const&, SafetensorsFile const&);
M2U_TEMPLATE void assign_parameters(compiled::Parameters const&, std::vector<NamedTensor> const&,
                                    std::string const&);
M2U_TEMPLATE void save_checkpoint(std::filesystem::path const&, compiled::TrainingState const&);
M2U_TEMPLATE void load_checkpoint(std::filesystem::path const&, compiled::TrainingState&);

M2U_TEMPLATE HostBatch<compiled::Space> TableDataset::collate(std::span<int const>) const;
M2U_TEMPLATE std::vector<std::vector<Neighbour>> nearest(
    compiled::Space const&, compiled::Floats const&, std::span<SearchRows<compiled::Space> const>,
    int, Metric);
M2U_TEMPLATE std::vector<std::vector<Neighbour>> nearest(compiled::Space const&,
                                                         compiled::Floats const&,
                                                         compiled::Floats const&, int, Metric);

}  // namespace m2u

#undef M2U_TEMPLATE

#endif
