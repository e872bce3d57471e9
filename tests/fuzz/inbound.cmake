# SPDX-License-Identifier: MIT
tend_fuzz_target(inbound SOURCES fuzz_inbound.c LIBS tend_inbound)
tend_fuzz_target(report SOURCES fuzz_report.c LIBS tend_report_read)
