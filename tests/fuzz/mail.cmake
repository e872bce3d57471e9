# SPDX-License-Identifier: MIT
tend_fuzz_target(mail SOURCES fuzz_mail.c LIBS tend_notice)
