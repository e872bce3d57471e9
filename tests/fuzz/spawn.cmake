# SPDX-License-Identifier: MIT
tend_fuzz_target(spawn_request SOURCES fuzz_spawn_request.c LIBS tend_spawn)
tend_fuzz_target(exec_output
	SOURCES fuzz_exec_output.c ${PROJECT_SOURCE_DIR}/plugins/exec/command.c
		${PROJECT_SOURCE_DIR}/plugins/exec/output.c
	LIBS tend_base)
