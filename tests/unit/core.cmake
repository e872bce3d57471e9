# SPDX-License-Identifier: MIT
tend_unit_test(test_base SOURCES test_base.c LIBS tend_base)
tend_unit_test(test_loop SOURCES test_loop.c LIBS tend_loop)
tend_unit_test(test_state SOURCES test_state.c LIBS tend_watch)
tend_unit_test(test_limits SOURCES test_limits.c LIBS tend_policy)
tend_unit_test(test_limits_random SOURCES test_limits_random.c LIBS tend_policy)
tend_unit_test(test_verbs SOURCES test_verbs.c LIBS tend_policy)
