# SPDX-License-Identifier: MIT
tend_unit_test(test_simulate SOURCES test_simulate.c LIBS tend_loop)
tend_unit_test(test_rehearse SOURCES test_rehearse.c LIBS tend_rehearse_text)
