# SPDX-License-Identifier: MIT
tend_fuzz_target(alert SOURCES fuzz_alert.c LIBS tend_alert)
tend_fuzz_target(webhook SOURCES fuzz_webhook.c LIBS tend_notice)
tend_fuzz_target(view SOURCES fuzz_view.c LIBS tend_notice)
