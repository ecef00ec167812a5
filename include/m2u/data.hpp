// SPDX-License-Identifier: Apache-2.0
/// @file
/// m2u.hpp and what needs oneTBB or zlib besides (component data): batches made ahead, tables of
/// text, plain or gzipped.
#pragma once

#include "m2u/data/delimited.hpp"
#include "m2u/data/line_reader.hpp"
#include "m2u/data/loader.hpp"
#include "m2u/m2u.hpp"
