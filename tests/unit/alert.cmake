# SPDX-License-Identifier: MIT
tend_unit_test(test_alert_pure SOURCES test_alert_pure.c LIBS tend_alert)
# The whole way: a real HTTP server, the real tend-snmp and snmptrapd, each a process of its own.
tend_unit_test(test_alert SOURCES test_alert.c LIBS tend_alert PkgConfig::SQLITE)
if(TARGET test_alert)
	target_compile_definitions(test_alert PRIVATE
		ALERT_SINK="${CMAKE_CURRENT_SOURCE_DIR}/alert_sink.py"
		LIBEXEC_DIR="$<TARGET_FILE_DIR:tend-snmp>")
	add_dependencies(test_alert tend-snmp)
endif()
