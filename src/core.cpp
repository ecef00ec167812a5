// SPDX-License-Identifier: Apache-2.0
#define M2U_DEFINES_CORE 1
#include "m2u/m2u.hpp"
