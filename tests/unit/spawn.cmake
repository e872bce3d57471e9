# SPDX-License-Identifier: MIT
tend_unit_test(test_spawn
	SOURCES test_spawn.c ${PROJECT_SOURCE_DIR}/plugins/exec/command.c
		${PROJECT_SOURCE_DIR}/plugins/exec/exec.c ${PROJECT_SOURCE_DIR}/plugins/exec/output.c
	LIBS tend_watch tend_spawn tend_spawn_client)
tend_unit_test(test_exec_plugin
	SOURCES test_exec_plugin.c ${PROJECT_SOURCE_DIR}/plugins/exec/command.c
		${PROJECT_SOURCE_DIR}/plugins/exec/output.c
	LIBS tend_base)
