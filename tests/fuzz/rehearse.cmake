# SPDX-License-Identifier: MIT
tend_fuzz_target(rehearse SOURCES fuzz_rehearse.c LIBS tend_rehearse_text)
