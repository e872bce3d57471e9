# SPDX-License-Identifier: MIT
if(TARGET tend_history)
	tend_unit_test(test_usual SOURCES test_usual.c LIBS tend_history m)
endif()
