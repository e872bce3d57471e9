# SPDX-License-Identifier: MIT
tend_fuzz_target(calendar SOURCES fuzz_calendar.c LIBS tend_calendar)
