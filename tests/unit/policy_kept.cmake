# SPDX-License-Identifier: MIT
tend_unit_test(test_policy_kept SOURCES test_policy_kept.c LIBS tend_policy)
if(TARGET test_policy_kept)
	# Plugins find tend_*() of the host in the program that loads them.
	set_target_properties(test_policy_kept PROPERTIES ENABLE_EXPORTS ON)
	target_compile_definitions(test_policy_kept PRIVATE
		TOLD_PLUGINS="${CMAKE_CURRENT_BINARY_DIR}/told"
		TEST_LIBEXEC="${PROJECT_BINARY_DIR}/daemon/run"
		EXECUTOR="${CMAKE_CURRENT_SOURCE_DIR}/executor.py")
	add_dependencies(test_policy_kept probe_told tend-run)
endif()
