# SPDX-License-Identifier: MIT
tend_unit_test(test_alert_pure SOURCES test_alert_pure.c LIBS tend_alert)
# The whole way: a real HTTP server, the real tend-snmp and snmptrapd, each a process of its own.
tend_unit_test(test_alert SOURCES test_alert.c LIBS tend_alert PkgConfig::SQLITE)
tend_unit_test(test_alert_told SOURCES test_alert_told.c LIBS tend_alert PkgConfig::SQLITE)
foreach(test test_alert test_alert_told)
	if(TARGET ${test})
		target_compile_definitions(${test} PRIVATE
			ALERT_SINK="${CMAKE_CURRENT_SOURCE_DIR}/alert_sink.py"
			LIBEXEC_DIR="$<TARGET_FILE_DIR:tend-snmp>")
		add_dependencies(${test} tend-snmp)
	endif()
endforeach()
