# SPDX-License-Identifier: MIT
tend_fuzz_target(history SOURCES fuzz_history.c LIBS tend_store tend_conf m)
