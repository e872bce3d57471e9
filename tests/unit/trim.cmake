# SPDX-License-Identifier: MIT
tend_unit_test(test_trim SOURCES test_trim.c LIBS tend_manager)
