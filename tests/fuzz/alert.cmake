# SPDX-License-Identifier: MIT
tend_fuzz_target(alert SOURCES fuzz_alert.c LIBS tend_alert)
