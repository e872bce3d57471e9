# SPDX-License-Identifier: MIT
tend_fuzz_target(match SOURCES fuzz_match.c LIBS tend_match)
