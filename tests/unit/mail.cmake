# SPDX-License-Identifier: MIT
tend_unit_test(test_mail SOURCES test_mail.c LIBS tend_alert)
if(TARGET test_mail)
	target_compile_definitions(test_mail PRIVATE
		MAILS_DIR="${CMAKE_CURRENT_SOURCE_DIR}/mails")
endif()
