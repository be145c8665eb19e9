#pragma once

/* The civil (Gregorian) calendar, for years from 1970. Pure. */

#include "lib/types.h"

/* Days since 1970-01-01; month and day count from 1. */
int64_t date_to_days(int64_t year, unsigned month, unsigned day);
void date_from_days(int64_t days, unsigned *year, unsigned *month, unsigned *day);
