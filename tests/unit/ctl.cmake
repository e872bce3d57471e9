# SPDX-License-Identifier: MIT
tend_unit_test(test_ctl_args SOURCES test_ctl_args.c LIBS tend_ctl)
tend_unit_test(test_ctl_text SOURCES test_ctl_text.c LIBS tend_ctl)
