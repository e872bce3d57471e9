# SPDX-License-Identifier: MIT
# A check as words, what the tables of the plugins say, and what a first configuration is made of.
tend_unit_test(test_try SOURCES test_try.c LIBS tend_try_text tend_conf)
tend_unit_test(test_init SOURCES test_init.c LIBS tend_init_text)
# Each plugin's tables, as tendctl probe shows them.
if(TARGET tend-try)
	add_test(NAME unit/probe_tables
		COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_LIST_DIR}/test_probe_tables.py
			$<TARGET_FILE:tend-try> ${PROJECT_BINARY_DIR}/plugins ${PROJECT_SOURCE_DIR}/plugins
			${PROJECT_BINARY_DIR}/man/tend-probes.7)
	set_tests_properties(unit/probe_tables PROPERTIES LABELS unit TIMEOUT 60)
endif()
# The manual as the build makes it: no line that a formatter stumbles over.
find_program(MANDOC mandoc)
if(MANDOC AND TARGET try_page)
	add_test(NAME try/page
		COMMAND ${MANDOC} -T lint -W warning ${PROJECT_BINARY_DIR}/man/tend-probes.7)
	set_tests_properties(try/page PROPERTIES LABELS unit TIMEOUT 60)
endif()
