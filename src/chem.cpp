// SPDX-License-Identifier: Apache-2.0
#define M2U_DEFINES_CHEM 1
#include "m2u/chem.hpp"
