// SPDX-License-Identifier: Apache-2.0
/// @file
/// data.hpp and molecules by RDKit (component chem).
#pragma once

#include "m2u/chem/conformers.hpp"
#include "m2u/chem/draw.hpp"
#include "m2u/chem/features.hpp"
#include "m2u/chem/fingerprint.hpp"
#include "m2u/chem/functional_groups.hpp"
#include "m2u/chem/molecule.hpp"
#include "m2u/chem/molecule_embedder.hpp"
#include "m2u/chem/one_hot.hpp"
#include "m2u/chem/one_hot_columns.hpp"
#include "m2u/chem/preparation_fit.hpp"
#include "m2u/chem/prepare.hpp"
#include "m2u/chem/prepare_options.hpp"
#include "m2u/chem/read.hpp"
#include "m2u/chem/rejects.hpp"
#include "m2u/chem/scaffold.hpp"
#include "m2u/chem/vocabulary.hpp"
#include "m2u/data.hpp"
