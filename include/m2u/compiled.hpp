// SPDX-License-Identifier: Apache-2.0
/// @file
/// What a program that links m2u::compiled need not compile; empty header-only. m2u.hpp has it. A
/// program that includes single headers of the library includes this one beside them.
#pragma once

#include "m2u/compiled/encoders.hpp"
#include "m2u/compiled/ops.hpp"
#include "m2u/compiled/training.hpp"
