# SPDX-License-Identifier: MIT
tend_unit_test(test_units SOURCES test_units.c LIBS tend_watch)
if(TARGET tend_watch)
	add_executable(units_tool units_tool.c ${PROJECT_SOURCE_DIR}/plugins/unit/unit.c)
	target_link_libraries(units_tool PRIVATE tend_watch)
endif()
