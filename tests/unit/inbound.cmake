# SPDX-License-Identifier: MIT
tend_unit_test(test_flap SOURCES test_flap.c LIBS tend_watch)
tend_unit_test(test_told_from_outside SOURCES test_told_from_outside.c LIBS tend_watch)
tend_unit_test(test_inbound SOURCES test_inbound.c LIBS tend_api tend_policy)
if(TARGET test_told_from_outside AND TARGET probe_told)
	set_target_properties(test_told_from_outside PROPERTIES ENABLE_EXPORTS ON)
	target_compile_definitions(test_told_from_outside PRIVATE
		TOLD_PLUGINS="${CMAKE_CURRENT_BINARY_DIR}/told")
	add_dependencies(test_told_from_outside probe_told)
endif()
