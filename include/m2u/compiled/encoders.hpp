// SPDX-License-Identifier: Apache-2.0
/// @file
/// The layers, encoders, adapters and objectives that the compiled library holds, as in ops.hpp;
/// the library's source defines M2U_COMPILE_ENCODERS.
#pragma once

#if defined(M2U_COMPILED)

#include "m2u/compiled/ops.hpp"
#include "m2u/encoders/comenet.hpp"
#include "m2u/encoders/gin.hpp"
#include "m2u/encoders/gps.hpp"
#include "m2u/encoders/hashed_text.hpp"
#include "m2u/encoders/multi_hot.hpp"
#include "m2u/encoders/pooling.hpp"
#include "m2u/encoders/precomputed.hpp"
#include "m2u/encoders/schnet.hpp"
#include "m2u/encoders/sequence_cnn.hpp"
#include "m2u/nn/composed.hpp"
#include "m2u/nn/embedding_sum.hpp"
#include "m2u/nn/linear.hpp"
#include "m2u/nn/mlp.hpp"
#include "m2u/nn/multihead_attention.hpp"
#include "m2u/objectives/modality_classifier.hpp"

namespace m2u::compiled {
using GraphBatch = m2u::GraphBatch<Space>;
using ConformerBatch = m2u::ConformerBatch<Space>;
using SparseBatch = m2u::SparseBatch<Space>;
using EmbeddedGraph = m2u::EmbeddedGraph<Space>;
using GeneratedParts = std::span<Generated<Space> const>;
}  // namespace m2u::compiled

#if defined(M2U_COMPILE_ENCODERS)
#define M2U_TEMPLATE template
#else
#define M2U_TEMPLATE extern template
#endif

namespace m2u {

M2U_TEMPLATE compiled::Tensor Linear::operator()(compiled::Tape&, compiled::Tensor const&,
                                                 Activation) const;
M2U_TEMPLATE compiled::Tensor Linear::operator()(compiled::Tape&, compiled::Tensor const&,
                                                 compiled::LinearTail const&) const;
M2U_TEMPLATE compiled::Tensor Linear::operator()(compiled::Tape&, compiled::Tensor const&,
                                                 compiled::Tensor const&,
                                                 compiled::LinearTail const&) const;
M2U_TEMPLATE compiled::Tensor Mlp::operator()(compiled::Tape&, compiled::Tensor const&,
                                              compiled::LinearTail const&) const;
M2U_TEMPLATE compiled::Tensor EmbeddingSum::operator()(compiled::Tape&,
                                                       compiled::Integers const&) const;
M2U_TEMPLATE std::pair<compiled::Tensor, compiled::IntegerList> EmbeddingSum::by_kind(
    compiled::Tape&, compiled::Integers const&) const;
M2U_TEMPLATE compiled::Tensor MultiheadAttention::operator()(compiled::Tape&,
                                                             compiled::Tensor const&,
                                                             compiled::Ragged const&,
                                                             compiled::LinearTail const&) const;
M2U_TEMPLATE compiled::Tensor MultiheadAttention::weights(compiled::Tape&, compiled::Tensor const&,
                                                          compiled::Ragged const&) const;

M2U_TEMPLATE compiled::Tensor pool(compiled::Tape&, compiled::Tensor const&,
                                   compiled::Ragged const&, Pooling);
M2U_TEMPLATE compiled::Tensor composed_weight(compiled::Tape&, Slice const&, Slice const&);
M2U_TEMPLATE compiled::Tensor composed_bias(compiled::Tape&, Slice const&, Linear const&);
M2U_TEMPLATE compiled::Tensor composed_linear(compiled::Tape&, compiled::Tensor const&,
                                              Linear const&, Linear const&,
                                              compiled::LinearTail const&);

M2U_TEMPLATE compiled::Tensor GpsLayer::operator()(compiled::Tape&, compiled::Tensor const&,
                                                   compiled::Tensor const&,
                                                   compiled::IntegerList const&,
                                                   compiled::GraphBatch const&) const;
M2U_TEMPLATE compiled::Tensor FeatureInput::operator()(compiled::Tape&, compiled::Integers const&,
                                                       compiled::Floats const&) const;
M2U_TEMPLATE std::pair<compiled::Tensor, compiled::IntegerList> FeatureInput::by_kind(
    compiled::Tape&, compiled::Integers const&, compiled::Floats const&) const;
M2U_TEMPLATE compiled::EmbeddedGraph Gps::embed(compiled::Tape&, compiled::GraphBatch const&) const;
M2U_TEMPLATE compiled::Tensor Gps::pool_embedded(compiled::Tape&, compiled::EmbeddedGraph const&,
                                                 compiled::GraphBatch const&) const;
M2U_TEMPLATE compiled::Tensor Gps::operator()(compiled::Tape&, compiled::GraphBatch const&) const;
M2U_TEMPLATE compiled::Tensor Gin::nodes(compiled::Tape&, compiled::GraphBatch const&) const;
M2U_TEMPLATE compiled::Tensor Gin::operator()(compiled::Tape&, compiled::GraphBatch const&) const;
M2U_TEMPLATE compiled::Tensor SchNet::operator()(compiled::Tape&,
                                                 compiled::ConformerBatch const&) const;
M2U_TEMPLATE compiled::Tensor ComENet::atoms(compiled::Tape&,
                                             compiled::ConformerBatch const&) const;
M2U_TEMPLATE compiled::Tensor ComENet::atoms(compiled::Tape&, compiled::ConformerBatch const&,
                                             EdgeBasis<compiled::Space> const&) const;
M2U_TEMPLATE compiled::Tensor ComENet::operator()(compiled::Tape&,
                                                  compiled::ConformerBatch const&) const;
M2U_TEMPLATE compiled::Tensor HashedText::operator()(compiled::Tape&,
                                                     compiled::SparseBatch const&) const;
M2U_TEMPLATE compiled::Tensor MultiHot::operator()(compiled::Tape&,
                                                   compiled::SparseBatch const&) const;
M2U_TEMPLATE compiled::Tensor Precomputed::operator()(compiled::Tape&,
                                                      DenseBatch<compiled::Space> const&) const;
M2U_TEMPLATE compiled::Tensor SequenceCnn::operator()(compiled::Tape&,
                                                      SequenceBatch<compiled::Space> const&) const;

M2U_TEMPLATE compiled::Tensor ModalityClassifier::operator()(compiled::Tape&,
                                                             compiled::GeneratedParts) const;
M2U_TEMPLATE compiled::Tensor ModalityClassifier::logits(compiled::Tape&,
                                                         compiled::GeneratedParts) const;

}  // namespace m2u

#undef M2U_TEMPLATE

#endif
