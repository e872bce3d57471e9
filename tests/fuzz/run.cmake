# SPDX-License-Identifier: MIT
tend_fuzz_target(run_library SOURCES fuzz_run_library.c LIBS tend_run)
