# SPDX-License-Identifier: MIT
tend_unit_test(test_ctl_args SOURCES test_ctl_args.c LIBS tend_ctl)
tend_unit_test(test_ctl_text SOURCES test_ctl_text.c LIBS tend_ctl)
if(TARGET tendctl)
	add_test(NAME unit/test_ctl_completion
		COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/test_ctl_completion.sh $<TARGET_FILE:tendctl>
			${PROJECT_SOURCE_DIR}/contrib/completions/tendctl.bash)
	set_tests_properties(unit/test_ctl_completion PROPERTIES LABELS "unit" TIMEOUT 60)
endif()
