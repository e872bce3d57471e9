# SPDX-License-Identifier: MIT
tend_unit_test(test_calendar SOURCES test_calendar.c LIBS tend_calendar)
tend_unit_test(test_window SOURCES test_window.c LIBS tend_keeper)
if(TARGET test_window)
	tend_plugin_host(test_window)
endif()
