# SPDX-License-Identifier: MIT
tend_unit_test(test_conf_value SOURCES test_conf_value.c LIBS tend_conf)
tend_unit_test(test_conf_reader SOURCES test_conf_reader.c LIBS tend_conf)
tend_unit_test(test_conf_options SOURCES test_conf_options.c LIBS tend_conf)
tend_unit_test(test_conf_load SOURCES test_conf_load.c LIBS tend_conf)
if(TARGET test_conf_load)
	target_compile_definitions(test_conf_load PRIVATE
		FIXTURE_PLUGINS="${PROJECT_BINARY_DIR}/tests/conf/plugins")
	# The plugins of tests/conf, which is configured after this folder.
	cmake_language(DEFER DIRECTORY ${PROJECT_SOURCE_DIR} CALL
		add_dependencies test_conf_load conf_fixtures)
	tend_plugin_host(test_conf_load)
endif()
