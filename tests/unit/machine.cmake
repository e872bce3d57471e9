# SPDX-License-Identifier: MIT
# The probes of a machine: what is pure, and the whole way to tend-look.
set(plugin_dir ${PROJECT_SOURCE_DIR}/plugins)
tend_unit_test(test_look
	SOURCES test_look.c ${plugin_dir}/machine/verdict.c ${plugin_dir}/machine/sift.c
		${plugin_dir}/host/host.c
		${plugin_dir}/host/judge.c ${plugin_dir}/host/forecast.c
	LIBS tend_watch tend_spawn tend_spawn_client tend_look_pure PkgConfig::JANSSON
		PkgConfig::PCRE2)
if(TARGET test_look)
	target_compile_definitions(test_look PRIVATE LOOK_PROGRAM="$<TARGET_FILE:tend-look>")
	add_dependencies(test_look tend-look)
endif()
tend_unit_test(test_machine
	SOURCES test_machine.c ${plugin_dir}/machine/verdict.c ${plugin_dir}/machine/sift.c
		${plugin_dir}/process/judge.c ${plugin_dir}/file/judge.c ${plugin_dir}/timer/judge.c
		${plugin_dir}/journal/judge.c
		${plugin_dir}/certfile/judge.c ${plugin_dir}/ports/judge.c
		${plugin_dir}/firewall/judge.c ${plugin_dir}/antivirus/judge.c
	LIBS tend_base tend_look_pure PkgConfig::JANSSON PkgConfig::PCRE2)
