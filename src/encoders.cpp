// SPDX-License-Identifier: Apache-2.0
#define M2U_COMPILE_ENCODERS
#include "m2u/compiled/encoders.hpp"
