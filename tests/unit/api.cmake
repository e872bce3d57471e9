# SPDX-License-Identifier: MIT
tend_unit_test(test_api_tables SOURCES test_api_tables.c LIBS tend_api tend_policy)
tend_unit_test(test_api_server SOURCES test_api_server.c LIBS tend_api tend_policy)
tend_unit_test(test_api SOURCES test_api.c LIBS tend_manager tend_ctl PkgConfig::SQLITE)
if(TARGET test_api)
	# Plugins find tend_*() of the host in the program that loads them.
	set_target_properties(test_api PROPERTIES ENABLE_EXPORTS ON)
	target_compile_definitions(test_api PRIVATE TEST_PLUGINS="${PROJECT_BINARY_DIR}/plugins"
		TEST_TENDCTL="$<TARGET_FILE:tendctl>")
	add_dependencies(test_api tendctl)
	if(TARGET plugin_http)
		add_dependencies(test_api plugin_http)
	endif()
endif()
