# SPDX-License-Identifier: MIT
# The core with the real store, on a real loop. Its input is a probe that answers what it is told.
tend_unit_test(test_depend SOURCES test_depend.c LIBS tend_watch)
if(TARGET tend_watch AND TARGET tend_policy)
	foreach(name told tolddb)
		add_library(probe_${name} MODULE probe_told.c)
		target_include_directories(probe_${name} PRIVATE ${PROJECT_SOURCE_DIR}/plugins/include)
		target_link_libraries(probe_${name} PRIVATE tend_flags PkgConfig::JANSSON)
		set_target_properties(probe_${name} PROPERTIES PREFIX "" OUTPUT_NAME ${name}
			C_VISIBILITY_PRESET hidden
			LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/told)
	endforeach()
	target_compile_definitions(probe_tolddb PRIVATE TOLD_OF_DATABASE)
	tend_unit_test(test_judge SOURCES test_judge.c LIBS tend_watch)
	tend_unit_test(test_memory SOURCES test_memory.c LIBS tend_watch)
	tend_unit_test(test_schedule SOURCES test_schedule.c LIBS tend_watch)
	tend_unit_test(test_incident SOURCES test_incident.c LIBS tend_incident)
	tend_unit_test(test_held SOURCES test_held.c LIBS tend_incident tend_keeper)
	tend_unit_test(test_policy SOURCES test_policy.c LIBS tend_policy)
	tend_unit_test(test_policy_resume SOURCES test_policy_resume.c LIBS tend_policy)
	tend_unit_test(test_policy_flow SOURCES test_policy_flow.c LIBS tend_policy)
	tend_unit_test(test_policy_trigger SOURCES test_policy_trigger.c LIBS tend_policy)
	tend_unit_test(test_policy_gate SOURCES test_policy_gate.c LIBS tend_policy)
	tend_unit_test(test_policy_approve SOURCES test_policy_approve.c LIBS tend_policy)
	foreach(test test_judge test_memory test_schedule test_incident test_held test_policy test_policy_resume
			test_policy_flow test_policy_trigger test_policy_gate test_policy_approve)
		if(NOT TARGET ${test})
			continue()
		endif()
		# Plugins find tend_*() of the host in the program that loads them.
		set_target_properties(${test} PROPERTIES ENABLE_EXPORTS ON)
		target_compile_definitions(${test} PRIVATE
			TOLD_PLUGINS="${CMAKE_CURRENT_BINARY_DIR}/told"
			TEST_LIBEXEC="${PROJECT_BINARY_DIR}/daemon/run"
			EXECUTOR="${CMAKE_CURRENT_SOURCE_DIR}/executor.py")
		add_dependencies(${test} probe_told probe_tolddb)
	endforeach()
	if(TARGET test_policy AND TARGET tend-run)
		add_dependencies(test_policy tend-run)
		add_dependencies(test_policy_resume tend-run)
		add_dependencies(test_policy_flow tend-run)
		add_dependencies(test_policy_trigger tend-run)
		add_dependencies(test_policy_gate tend-run)
		add_dependencies(test_policy_approve tend-run)
	endif()
endif()
