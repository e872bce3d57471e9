# SPDX-License-Identifier: MIT
tend_unit_test(test_store SOURCES test_store.c LIBS tend_store)
tend_unit_test(test_store_bad SOURCES test_store_bad.c LIBS tend_store)
tend_unit_test(test_block SOURCES test_block.c LIBS tend_store m)
if(TARGET test_block)
	target_compile_definitions(test_block PRIVATE
		TEND_RECORDED="${CMAKE_CURRENT_SOURCE_DIR}/recorded")
endif()
tend_unit_test(test_rollups SOURCES test_rollups.c LIBS tend_store m)
