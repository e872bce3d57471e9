# SPDX-License-Identifier: MIT
foreach(module keys param pattern value wire)
	tend_unit_test(test_run_${module} SOURCES test_run_${module}.c LIBS tend_run LABELS sandbox)
endforeach()
