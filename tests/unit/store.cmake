# SPDX-License-Identifier: MIT
tend_unit_test(test_store SOURCES test_store.c LIBS tend_store)
tend_unit_test(test_store_bad SOURCES test_store_bad.c LIBS tend_store)
