# SPDX-License-Identifier: MIT
tend_fuzz_target(exec_request SOURCES fuzz_exec_request.c LIBS tend_exec)
