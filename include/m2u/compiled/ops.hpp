// SPDX-License-Identifier: Apache-2.0
/// @file
/// The ops that the compiled library holds, for the default execution space and float. One list: it
/// declares them where a program links the library, and makes them in the library's source, which
/// defines M2U_COMPILE_OPS.
#pragma once

#if defined(M2U_COMPILED)

#include "m2u/autodiff/cast.hpp"
#include "m2u/autodiff/tape.hpp"
#include "m2u/linalg/gemm.hpp"
#include "m2u/ops/activation.hpp"
#include "m2u/ops/add.hpp"
#include "m2u/ops/basis_aggregate.hpp"
#include "m2u/ops/batch_norm.hpp"
#include "m2u/ops/bilinear_attention.hpp"
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
#include "m2u/ops/label_loss.hpp"
#include "m2u/ops/layer_norm.hpp"
#include "m2u/ops/linear.hpp"
#include "m2u/ops/matmul.hpp"
#include "m2u/ops/multiply.hpp"
#include "m2u/ops/normalise_rows.hpp"
#include "m2u/ops/nt_xent.hpp"
#include "m2u/ops/outer_product.hpp"
#include "m2u/ops/radial_basis.hpp"
#include "m2u/ops/ragged_attention.hpp"
#include "m2u/ops/reverse_gradient.hpp"
#include "m2u/ops/scale.hpp"
#include "m2u/ops/segment.hpp"
#include "m2u/ops/sparse_linear.hpp"
#include "m2u/ops/spherical_basis.hpp"
#include "m2u/ops/unfold.hpp"

/// What the lists' types are: those of the default space, in float.
namespace m2u::compiled {
using Space = Kokkos::DefaultExecutionSpace;
using Tape = m2u::Tape<Space>;
using Tensor = m2u::Tensor<Space>;
using Floats = Matrix<float, Space>;
using FloatList = Vector<float, Space>;
using Integers = Matrix<int, Space>;
using IntegerList = Vector<int, Space>;
using Ragged = m2u::Ragged<Space>;
using RowIndex = m2u::RowIndex<Space>;
using SparseRows = m2u::SparseRows<Space>;
using LinearTail = m2u::LinearTail<Space, float>;
template <std::size_t count>
using LinearTerms = std::array<LinearTerm<Space, float>, count>;
template <std::size_t count>
using BatchNormTerms = std::array<BatchNormTerm<Space, float>, count>;

/// The library has this for the vectors of the processor that it was compiled for, and for no
/// others: packed factors of products are laid out by their width, so a program that was compiled
/// for another width must not link.
template <int vector_bytes>
void library_is_for_vectors_of();
#if defined(M2U_COMPILE_OPS)
template <>
void library_is_for_vectors_of<backend::vector_bytes>() {}
#endif
__attribute__((used)) static void (*const same_vectors)() =
    &library_is_for_vectors_of<backend::vector_bytes>;
}  // namespace m2u::compiled

#if defined(M2U_COMPILE_OPS)
#define M2U_TEMPLATE template
#else
#define M2U_TEMPLATE extern template
#endif

namespace m2u {

M2U_TEMPLATE class Parameters<compiled::Space>;
M2U_TEMPLATE class Arena<compiled::Space>;
M2U_TEMPLATE class ScratchArena<compiled::Space>;
M2U_TEMPLATE class InferenceCache<compiled::Space, float>;
M2U_TEMPLATE class TapeRecords<compiled::Space, float>;
M2U_TEMPLATE class Tape<compiled::Space>;

M2U_TEMPLATE compiled::Tensor constant_of(compiled::Tape&, compiled::Floats const&);
M2U_TEMPLATE void gemm(compiled::Space const&, Strided<float>, Strided<float>, Strided<float>,
                       GemmOptions);
M2U_TEMPLATE void gemm(compiled::Space const&, compiled::Floats const&, compiled::Floats const&,
                       compiled::Floats const&, GemmOptions);

M2U_TEMPLATE compiled::Tensor activation(compiled::Tape&, compiled::Tensor const&, Activation);
M2U_TEMPLATE compiled::Tensor add(compiled::Tape&, compiled::Tensor const&,
                                  compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor basis_aggregate(compiled::Tape&, compiled::Tensor const&,
                                              compiled::Tensor const&, compiled::Floats const&,
                                              compiled::Ragged const&, compiled::RowIndex const&,
                                              compiled::IntegerList const&);
M2U_TEMPLATE compiled::Tensor batch_norm(compiled::Tape&, compiled::BatchNormTerms<1> const&,
                                         BatchNormOptions const&);
M2U_TEMPLATE compiled::Tensor batch_norm(compiled::Tape&, compiled::BatchNormTerms<2> const&,
                                         BatchNormOptions const&);
M2U_TEMPLATE compiled::Tensor batch_norm(compiled::Tape&, compiled::Tensor const&,
                                         compiled::Tensor const&, compiled::Tensor const&,
                                         StateSlice const&, StateSlice const&,
                                         BatchNormOptions const&);
M2U_TEMPLATE compiled::Tensor bilinear_attention(compiled::Tape&, compiled::Tensor const&,
                                                 compiled::Tensor const&,
                                                 GroupPairs<compiled::Space> const&,
                                                 compiled::Tensor const&, compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor concat_columns(compiled::Tape&, compiled::Tensor const&,
                                             compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor concat_rows(compiled::Tape&, std::span<compiled::Tensor const>);
M2U_TEMPLATE compiled::Tensor cosine_loss(compiled::Tape&, compiled::Tensor const&,
                                          compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor cross_attention(compiled::Tape&, compiled::Tensor const&,
                                              compiled::Tensor const&, compiled::Tensor const&, int,
                                              CrossAttentionOptions);
M2U_TEMPLATE compiled::Tensor cross_attention_weights(compiled::Tape&, compiled::Tensor const&,
                                                      compiled::Tensor const&, int);
M2U_TEMPLATE compiled::Tensor cross_entropy(compiled::Tape&, compiled::Tensor const&,
                                            compiled::IntegerList const&);
M2U_TEMPLATE compiled::Tensor dropout(compiled::Tape&, compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor embedding_sum(compiled::Tape&, compiled::Tensor const&,
                                            Vocabularies const&, compiled::Integers const&);
M2U_TEMPLATE compiled::Tensor fade(compiled::Tape&, compiled::Tensor const&,
                                   compiled::FloatList const&, float);
M2U_TEMPLATE compiled::Tensor filter_aggregate(compiled::Tape&, compiled::Tensor const&,
                                               compiled::Tensor const&, compiled::Ragged const&,
                                               compiled::RowIndex const&,
                                               compiled::IntegerList const&);
M2U_TEMPLATE compiled::Tensor gather_rows(compiled::Tape&, compiled::Tensor const&,
                                          compiled::RowIndex const&);
M2U_TEMPLATE compiled::Tensor gin_aggregate(compiled::Tape&, compiled::Tensor const&,
                                            compiled::Ragged const&, compiled::RowIndex const&,
                                            float);
M2U_TEMPLATE compiled::Tensor gine_aggregate(compiled::Tape&, compiled::Tensor const&,
                                             compiled::Tensor const&, compiled::Ragged const&,
                                             compiled::RowIndex const&, float,
                                             compiled::IntegerList const&);
M2U_TEMPLATE compiled::Tensor graph_norm(compiled::Tape&, compiled::Tensor const&,
                                         compiled::Ragged const&, compiled::Tensor const&,
                                         compiled::Tensor const&, compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor l2_normalise_rows(compiled::Tape&, compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor label_loss(compiled::Tape&, compiled::Tensor const&,
                                         compiled::SparseRows const&, LabelLoss,
                                         compiled::FloatList const&);
M2U_TEMPLATE compiled::Tensor layer_norm(compiled::Tape&, compiled::Tensor const&,
                                         compiled::Tensor const&, compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor linear(compiled::Tape&, compiled::LinearTerms<1> const&,
                                     std::optional<compiled::Tensor> const&,
                                     compiled::LinearTail const&);
M2U_TEMPLATE compiled::Tensor linear(compiled::Tape&, compiled::LinearTerms<2> const&,
                                     std::optional<compiled::Tensor> const&,
                                     compiled::LinearTail const&);
M2U_TEMPLATE compiled::Tensor linear(compiled::Tape&, compiled::Tensor const&,
                                     compiled::Tensor const&, compiled::Tensor const&,
                                     compiled::LinearTail const&);
M2U_TEMPLATE compiled::Tensor linear(compiled::Tape&, compiled::Tensor const&,
                                     compiled::Tensor const&, compiled::Tensor const&, Activation);
M2U_TEMPLATE compiled::Tensor linear(compiled::Tape&, compiled::Tensor const&,
                                     compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor matmul(compiled::Tape&, compiled::Tensor const&,
                                     compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor multiply(compiled::Tape&, compiled::Tensor const&,
                                       compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor nt_xent(compiled::Tape&, compiled::Tensor const&,
                                      compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor outer_product(compiled::Tape&, compiled::Tensor const&,
                                            compiled::Tensor const&);
M2U_TEMPLATE compiled::Floats radial_basis(compiled::Tape&, compiled::FloatList const&, int, float);
M2U_TEMPLATE compiled::Tensor ragged_attention(compiled::Tape&, compiled::Tensor const&,
                                               compiled::Ragged const&, int, AttentionOptions);
M2U_TEMPLATE AttentionWeights<compiled::Space> attention_weights(compiled::Space const&,
                                                                 compiled::Floats const&,
                                                                 compiled::Ragged const&, int);
M2U_TEMPLATE compiled::Tensor reverse_gradient(compiled::Tape&, compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor scale(compiled::Tape&, compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor segment_max(compiled::Tape&, compiled::Tensor const&,
                                          compiled::Ragged const&);
M2U_TEMPLATE compiled::Tensor segment_mean(compiled::Tape&, compiled::Tensor const&,
                                           compiled::Ragged const&);
M2U_TEMPLATE compiled::Tensor segment_sum(compiled::Tape&, compiled::Tensor const&,
                                          compiled::Ragged const&);
M2U_TEMPLATE compiled::Tensor sparse_dense(compiled::Tape&, compiled::SparseRows const&,
                                           compiled::Tensor const&);
M2U_TEMPLATE compiled::Tensor sparse_linear(compiled::Tape&, compiled::SparseRows const&,
                                            compiled::Tensor const&, compiled::Tensor const&);
M2U_TEMPLATE EdgeBasis<compiled::Space> spherical_basis(compiled::Tape&, compiled::FloatList const&,
                                                        compiled::Floats const&, int, float);
M2U_TEMPLATE compiled::Tensor symmetric_info_nce(compiled::Tape&, compiled::Tensor const&,
                                                 compiled::Tensor const&, float);
M2U_TEMPLATE compiled::Tensor unfold(compiled::Tape&, compiled::Tensor const&,
                                     compiled::Ragged const&, int);

}  // namespace m2u

#undef M2U_TEMPLATE

#endif
