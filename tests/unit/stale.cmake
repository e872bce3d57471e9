# SPDX-License-Identifier: MIT
tend_unit_test(test_stale SOURCES test_stale.c LIBS tend_manager)
