# SPDX-License-Identifier: MIT
tend_unit_test(test_match SOURCES test_match.c LIBS tend_match)
tend_unit_test(test_plan SOURCES test_plan.c LIBS tend_plan)
if(TARGET test_plan)
	tend_plugin_host(test_plan)
endif()
tend_unit_test(test_silence SOURCES test_silence.c LIBS tend_alert PkgConfig::SQLITE)
