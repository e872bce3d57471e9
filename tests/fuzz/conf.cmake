# SPDX-License-Identifier: MIT
tend_fuzz_target(conf SOURCES fuzz_conf.c LIBS tend_conf)
