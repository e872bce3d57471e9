# SPDX-License-Identifier: MIT
# The real plugins: passive, and unit as one that asks for itself.
if(TARGET plugin_passive AND TARGET plugin_unit)
	tend_unit_test(test_report SOURCES test_report.c LIBS tend_watch)
endif()
if(TARGET test_report)
	target_compile_definitions(test_report PRIVATE TOLD_PLUGINS="${PROJECT_BINARY_DIR}/plugins")
	set_target_properties(test_report PROPERTIES ENABLE_EXPORTS ON)
	add_dependencies(test_report plugin_passive plugin_unit)
endif()
tend_unit_test(test_shift SOURCES test_shift.c ${PROJECT_SOURCE_DIR}/daemon/shift.c LIBS tend_loop)
