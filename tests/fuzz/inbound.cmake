# SPDX-License-Identifier: MIT
tend_fuzz_target(inbound SOURCES fuzz_inbound.c LIBS tend_inbound)
