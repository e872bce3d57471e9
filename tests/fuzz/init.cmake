# SPDX-License-Identifier: MIT
tend_fuzz_target(webconf SOURCES fuzz_webconf.c LIBS tend_init_text)
